"""The page on slow lines, by keys, and with odd files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.web.browser import opened_page, restore, says
from tests.web.conftest import Serve, encoded


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.id"))


def test_on_a_slow_line_the_walk_goes_on_and_pictures_are_skipped(
    browser: Any, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(encoded(200, 200, channels=3))
    asked: list[str] = []

    def late(route: Any) -> None:
        asked.append(route.request.url)
        time.sleep(1.5)
        route.continue_()

    with serve(patience=1.0) as client, opened_page(browser, str(client.base_url)) as page:
        page.route("**/estimate-*", late)
        page.set_input_files("#file", tmp_path / "photo.png")
        page.wait_for_selector("#run:enabled")
        page.fill("#steps", "100")
        page.click("#run")
        page.wait_for_selector("#download:not([hidden])", timeout=100_000)
        assert "Done: 100 steps" in page.inner_text("#status")
        assert asked[-1].endswith("/estimate-100")
        assert len(asked) < 70


def test_while_a_file_is_opened_the_last_image_cannot_be_restored(page: Any, source: Path) -> None:
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.check("#samples input[value=sample-cat]", force=True)
    page.fill("#steps", "3")
    page.route("**/api/images?*", hold)
    page.click("#run")
    says(page, "counter", "Step")
    page.set_input_files("#file", source)
    page.wait_for_selector("#download:not([hidden])", timeout=60_000)
    assert "Opening my photo.png" in page.inner_text("#chosen")
    assert page.is_disabled("#run")
    held[0].continue_()
    page.wait_for_selector("#run:enabled")
    assert "my photo: 82 × 60" in page.inner_text("#chosen")


def test_the_same_file_can_be_chosen_again(page: Any, source: Path) -> None:
    # As a browser does it, which says nothing where a field keeps what it has.
    session = page.context.new_cdp_session(page)
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": "#file"})["nodeId"]
    for _ in range(2):
        page.check("#samples input[value=sample-cat]", force=True)
        says(page, "chosen", "Cat")
        session.send("DOM.setFileInputFiles", {"files": [str(source)], "nodeId": node})
        says(page, "chosen", "my photo")


def test_the_focus_is_not_lost(page: Any) -> None:
    page.check("#samples input[value=sample-cat]", force=True)
    page.fill("#steps", "200")
    page.focus("#run")
    page.keyboard.press("Enter")
    says(page, "counter", "Step")
    assert focused(page) == "stop"
    page.keyboard.press("Enter")
    says(page, "status", "Stopped.")
    assert focused(page) == "run"


def test_keys_of_the_browser_stay_its_own(page: Any, source: Path) -> None:
    restore(page, source, sigma=20)
    taken = """modifier => {
      const options = { key: "ArrowLeft", cancelable: true, bubbles: true, [modifier]: true };
      const event = new KeyboardEvent("keydown", options);
      document.getElementById("view").dispatchEvent(event);
      return event.defaultPrevented;
    }"""
    assert not any(page.evaluate(taken, name) for name in ("altKey", "ctrlKey", "metaKey"))
    assert page.evaluate(taken, "shiftKey")


def test_a_refused_file_stands_out(page: Any, tmp_path: Path, source: Path) -> None:
    (tmp_path / "holiday.png").write_text("not a photograph")
    page.set_input_files("#file", tmp_path / "holiday.png")
    says(page, "chosen", "no known image")
    assert "bad" in page.get_attribute("#chosen", "class")
    soft, bad = (
        page.evaluate("id => getComputedStyle(document.getElementById(id)).color", name)
        for name in ("about-solver", "chosen")
    )
    assert soft != bad
    page.set_input_files("#file", source)
    says(page, "chosen", "my photo")
    assert "bad" not in page.get_attribute("#chosen", "class")


def test_long_names_do_not_widen_the_page(
    browser: Any, client: httpx.Client, tmp_path: Path
) -> None:
    path = tmp_path / f"{'x' * 90}.png"
    path.write_bytes(encoded())
    size = {"width": 320, "height": 640}
    with opened_page(browser, str(client.base_url), viewport=size) as page:
        page.set_input_files("#file", path)
        says(page, "chosen", "xxx: 56 × 40")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("sides", [(400, 100), (250, 240)])
def test_a_picture_is_seen_whole(
    browser: Any, client: httpx.Client, tmp_path: Path, sides: tuple[int, int]
) -> None:
    (tmp_path / "portrait.png").write_bytes(encoded(*sides))
    size = {"width": 1280, "height": 500}
    with opened_page(browser, str(client.base_url), viewport=size) as page:
        restore(page, tmp_path / "portrait.png", sigma=20)
        inner, outer, width, height = page.evaluate(
            "(() => { const { scrollHeight, clientHeight } = document.getElementById('stage');"
            " const box = document.getElementById('after').getBoundingClientRect();"
            " return [scrollHeight, clientHeight, box.width, box.height]; })()"
        )
        assert inner == outer <= 400
        assert height / width == pytest.approx(sides[0] / sides[1], rel=0.01)
        page.check("#enlarge")
        assert page.evaluate("document.getElementById('after').clientHeight") > 2.9 * sides[0]
