"""Painting over what is damaged, in a browser, with a server and without one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.web.browser import (
    FilesAlone,
    colours,
    downloaded,
    drawn,
    handed_out,
    opened_page,
    says,
    until,
)
from tests.web.conftest import SIDES, Serve, encoded, pixels

from rimkit import weights
from rimkit.restoring.holes import Holed
from rimkit.restoring.inpainter import Inpainter
from rimkit.web.site import export_site

MARKS = """() => {
  const canvas = document.getElementById("marks"), { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  return Array.from({ length: width * height }, (_, place) => data[4 * place + 3] > 0);
}"""


@pytest.fixture
def page(browser: Any, serve: Serve, fills: str) -> Iterator[Any]:
    with (
        serve(models=("denoise-color", fills)) as client,
        opened_page(browser, str(client.base_url)) as page,
    ):
        yield page


def opened(page: Any, source: Path) -> None:
    """Choose an image, and say that it is damaged."""
    page.select_option("#kind", "painted")
    page.set_input_files("#file", source)
    page.wait_for_selector("#painting:not([hidden])")


def hover(page: Any, *points: tuple[float, float]) -> None:
    """Move the mouse through points (x, y) of the image, in its pixels."""
    box = page.locator("#marks").bounding_box()
    height, width = SIDES
    for x, y in points:
        place = (box["x"] + x * box["width"] / width, box["y"] + y * box["height"] / height)
        page.mouse.move(*place, steps=5)


def begin(page: Any, *points: tuple[float, float]) -> None:
    """Draw a line through points, and do not let go."""
    page.locator("#marks").scroll_into_view_if_needed()
    hover(page, points[0])
    page.mouse.down()
    hover(page, *points[1:])


def stroke(page: Any, *points: tuple[float, float]) -> None:
    """Draw a line through points with the mouse."""
    begin(page, *points)
    page.mouse.up()


def marked(page: Any) -> Any:
    """(H, W), booleans: what is painted."""
    return np.array(page.evaluate(MARKS)).reshape(SIDES)


def line(*, begin: tuple[float, float], end: tuple[float, float], width: float) -> Any:
    """(H, W): which pixels a brush is to cover, and which it may, half a pixel more or less."""
    y, x = np.mgrid[: SIDES[0], : SIDES[1]] + 0.5
    along = np.subtract(end, begin)
    share = ((x - begin[0]) * along[0] + (y - begin[1]) * along[1]) / (along @ along)
    share = share.clip(0, 1)
    apart = np.hypot(x - begin[0] - share * along[0], y - begin[1] - share * along[1])
    return apart < width / 2 - 1, apart < width / 2 + 1


def filled(fills: str, values: Any, missing: Any) -> Any:
    restored = values.copy()
    Inpainter(weights.load(fills)).fill([Holed(restored, missing)])
    return restored


def test_what_is_painted_is_filled_in_and_nothing_else(
    page: Any, source: Path, tmp_path: Path, fills: str
) -> None:
    opened(page, source)
    assert page.input_value("#solver") == "fills"
    until(page, lambda: np.array_equal(drawn(page, "photo"), pixels(source.read_bytes())))
    page.fill("#brush", "6")
    stroke(page, (10, 12), (60, 40))
    missing = marked(page)
    least, most = line(begin=(10, 12), end=(60, 40), width=6)
    assert missing[least].all()
    assert not missing[~most].any()
    says(page, "painted", f"{100 * missing.mean():.1f} % is painted.")
    page.click("#run")
    page.wait_for_selector("#download:not([hidden])", timeout=60_000)
    assert page.is_hidden("#painting")
    downloaded(page, tmp_path / "page.png")
    found, given = (pixels(path.read_bytes()) for path in (tmp_path / "page.png", source))
    assert np.array_equal(found, filled(fills, given, missing))
    assert (found != given).any(2)[missing].mean() > 0.9
    assert np.array_equal(drawn(page, "before"), given)
    assert page.locator("#against option").all_inner_texts() == ["as it was", "start"]
    page.click("#repaint")  # where one has left it
    assert page.is_hidden("#stage")
    assert page.evaluate("document.activeElement.id") == "brush"
    assert np.array_equal(marked(page), missing)


def test_it_is_painted_where_the_pointer_is_however_large_the_picture(
    page: Any, source: Path
) -> None:
    opened(page, source)
    page.fill("#brush", "4")
    stroke(page, (20, 30), (30, 30))
    once = marked(page)
    page.click("#clear")
    page.check("#closer")
    assert page.locator("#marks").bounding_box()["width"] == pytest.approx(9 * SIDES[1])
    stroke(page, (20, 30), (30, 30))
    least, most = line(begin=(20, 30), end=(30, 30), width=4)
    for missing in (once, marked(page)):
        assert missing[least].all()
        assert not missing[~most].any()


def test_strokes_can_be_taken_back(page: Any, source: Path) -> None:
    opened(page, source)
    stroke(page, (10, 10), (60, 10))
    first = marked(page)
    page.fill("#brush", "1")
    stroke(page, (10, 50), (60, 20))
    both = marked(page)
    assert (both & ~first).sum() >= 50
    page.focus("#clear")
    page.keyboard.press("Enter")
    assert not marked(page).any()
    for expected in (both, first, np.zeros_like(first), np.zeros_like(first)):
        page.focus("#undo")
        page.keyboard.press("Enter")
        assert np.array_equal(marked(page), expected)


def test_nothing_is_taken_back_while_one_paints(page: Any, source: Path) -> None:
    opened(page, source)
    page.fill("#brush", "4")
    for button, row in (("undo", 10), ("undo", 25), ("clear", 40)):
        before = marked(page)
        begin(page, (10, row), (35, row))
        page.focus(f"#{button}")
        page.keyboard.press("Enter")
        hover(page, (60, row))
        page.mouse.up()
        least, most = line(begin=(10, row), end=(60, row), width=4)
        assert marked(page)[before | least].all()
        assert not marked(page)[~(before | most)].any()
        says(page, "painted", f"{100 * marked(page).mean():.1f} % is painted.")
    page.click("#undo")
    assert np.array_equal(marked(page), before)


def test_a_pointer_that_is_lost_paints_no_more(page: Any, source: Path) -> None:
    opened(page, source)
    begin(page, (10, 10), (30, 10))
    page.evaluate(
        "() => { const marks = document.getElementById('marks');"
        " for (let id = 0; id < 99; id++)"
        " if (marks.hasPointerCapture(id)) marks.releasePointerCapture(id); }"
    )
    page.mouse.move(1, 1)
    page.mouse.up()
    before = marked(page)
    assert before.any()
    hover(page, (10, 40), (60, 40))
    assert np.array_equal(marked(page), before)
    stroke(page, (10, 50), (60, 50))
    page.click("#undo")
    assert np.array_equal(marked(page), before)


def test_what_is_sent_is_what_is_painted(
    page: Any, source: Path, tmp_path: Path, fills: str
) -> None:
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    opened(page, source)
    page.fill("#brush", "4")
    page.route("**/api/jobs", hold)
    begin(page, (10, 10), (60, 10))
    page.focus("#fill")
    page.keyboard.press("Enter")
    says(page, "status", "Sent.")
    assert page.evaluate("document.activeElement.id") == "stop"
    missing = marked(page)
    hover(page, (60, 30))
    page.mouse.up()
    stroke(page, (10, 50), (60, 50))
    assert page.is_visible("#painting")
    assert np.array_equal(marked(page), missing)
    held[0].continue_()
    page.wait_for_selector("#download:not([hidden])", timeout=60_000)
    downloaded(page, tmp_path / "page.png")
    found, given = (pixels(path.read_bytes()) for path in (tmp_path / "page.png", source))
    assert np.array_equal(found, filled(fills, given, missing))
    page.click("#repaint")
    stroke(page, (10, 50), (60, 50))
    assert (marked(page) & ~missing).any()


def test_what_was_not_taken_can_be_painted_on(page: Any, source: Path) -> None:
    opened(page, source)
    page.fill("#brush", "4")
    stroke(page, (10, 10), (60, 10))
    before = marked(page)
    page.route("**/api/jobs", lambda route: route.fulfill(status=502, body="<html>"))
    page.click("#fill")
    says(page, "status", "The server answered 502.")
    stroke(page, (10, 50), (60, 50))
    assert (marked(page) & ~before).any()


def test_where_nothing_or_everything_is_painted_that_is_said(page: Any, source: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, source)
    page.click("#run")
    says(page, "status", "Nothing is painted yet")
    page.fill("#brush", "100")
    stroke(page, (1, 1), (80, 30), (1, 59))
    assert marked(page).all()
    page.click("#fill")
    says(page, "status", "Everything is painted")
    assert not [url for url in asked if url.endswith("/jobs")]
    page.check("#samples input[value=sample-cat]", force=True)  # begins anew
    assert page.input_value("#solver") == "fills"  # also of grey images
    says(page, "painted", "Nothing is painted yet.")
    page.select_option("#kind", "noise")
    assert page.is_hidden("#painting")
    assert page.input_value("#solver") == "total-variation"


def two_fingers_move_the_page(page: Any, box: Any) -> None:
    """And what the first of them had painted goes."""
    session, before = page.context.new_cdp_session(page), marked(page)

    def touch(kind: str, shift: int, fingers: int) -> None:
        places = [{"x": box["x"] + x, "y": box["y"] + 20 + shift} for x in (20, 90)]
        event = {"type": kind, "touchPoints": places[:fingers]}
        session.send("Input.dispatchTouchEvent", event)

    touch("touchStart", 0, 1)
    assert (marked(page) != before).any()
    touch("touchStart", 0, 2)
    for shift in (10, 30, 60):
        touch("touchMove", shift, 2)
    touch("touchEnd", 60, 0)
    assert np.array_equal(marked(page), before)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_screens_and_fingers_suffice(
    browser: Any, serve: Serve, fills: str, source: Path, scheme: str
) -> None:
    options = {"viewport": {"width": 360, "height": 700}, "has_touch": True, "color_scheme": scheme}
    with (
        serve(models=(fills,)) as client,
        opened_page(browser, str(client.base_url), **options) as page,
    ):
        opened(page, source)
        page.locator("#marks").scroll_into_view_if_needed()
        box = page.locator("#marks").bounding_box()
        page.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + 0.5 * box["height"])
        rows, columns = np.nonzero(marked(page))
        assert rows.mean() + 0.5 == pytest.approx(0.5 * SIDES[0], abs=1)
        assert columns.mean() + 0.5 == pytest.approx(0.75 * SIDES[1], abs=1)
        two_fingers_move_the_page(page, box)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        heights = [
            page.locator(f"#{name}").bounding_box()["height"] for name in ("undo", "clear", "fill")
        ]
        assert min(heights) >= 40
        page.tap("#fill")
        page.wait_for_selector("#download:not([hidden])", timeout=60_000)
        assert page.is_hidden("#painting")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm, for onnxruntime-web")
def test_without_a_server_it_is_filled_in_as_in_the_library(
    browser: Any, tmp_path: Path, fills: str, source: Path, channels: int
) -> None:
    source.write_bytes(encoded(*SIDES, channels=channels))
    list(export_site(tmp_path / "site", [fills]))
    given = pixels(source.read_bytes())
    with handed_out(tmp_path / "site", FilesAlone) as url, opened_page(browser, url) as page:
        opened(page, source)
        until(page, lambda: np.array_equal(drawn(page, "photo"), colours(given)))
        page.fill("#brush", "6")
        stroke(page, (10, 12), (60, 40))
        missing = marked(page)
        page.click("#run")
        page.wait_for_selector("#download:not([hidden])", timeout=60_000)
        downloaded(page, tmp_path / "page.png")
        before = drawn(page, "before")
    found = pixels((tmp_path / "page.png").read_bytes())[..., :3]
    expected = colours(filled(fills, given.reshape(*SIDES, channels), missing))
    assert np.array_equal(found[~missing], colours(given)[~missing])
    assert np.abs(found - expected.astype(int)).max() <= 1
    assert (found != colours(given)).any(2)[missing].mean() > 0.9
    assert np.array_equal(before, colours(given))
