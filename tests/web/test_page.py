"""The page in a browser, with a server behind it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.web.browser import colours, downloaded, drawn, opened_page, restore, says, until
from tests.web.conftest import SIDES, Serve, as_png, ask, encoded, pixels, send, watch

from rimkit.cli.main import main


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_downloaded_is_what_rimkit_restore_writes(
    page: Any, tmp_path: Path, channels: int
) -> None:
    source, target = tmp_path / "photo.png", tmp_path / "out.png"
    source.write_bytes(encoded(*SIDES, channels=channels))
    restore(page, source, sigma=20)
    assert downloaded(page, tmp_path / "page.png") == "photo-restored.png"
    assert main(["restore", str(source), "-o", str(target), "--sigma", "20", "--quiet"]) == 0
    expected = pixels(target.read_bytes())
    assert np.array_equal(pixels((tmp_path / "page.png").read_bytes()), expected)
    assert np.array_equal(drawn(page, "after"), colours(expected))


def test_the_steps_can_be_walked_back_and_forth(page: Any, source: Path) -> None:
    restore(page, source, sigma=20)
    last = drawn(page, "after")
    start = colours(pixels(source.read_bytes()))
    assert page.input_value("#scrub") == "4"
    page.fill("#scrub", "0")
    says(page, "at", "0")
    until(page, lambda: np.array_equal(drawn(page, "after"), start))
    page.focus("#view")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#scrub") == "1"
    until(page, lambda: not np.array_equal(drawn(page, "after"), start))
    page.keyboard.press("End")
    until(page, lambda: np.array_equal(drawn(page, "after"), last))
    page.keyboard.press("Home")
    page.keyboard.press("Space")  # plays
    says(page, "at", "4: moved")
    assert "grey levels at step 4" in page.inner_text("#chart-caption")


def test_the_comparison_moves_by_pointer_keys_and_range(page: Any, source: Path) -> None:
    restore(page, source, sigma=30)

    def share() -> tuple[str, str]:
        style = page.evaluate("document.getElementById('before').style.clipPath")
        return page.input_value("#compare"), style

    page.locator("#frame").scroll_into_view_if_needed()
    box = page.locator("#frame").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 9)
    page.mouse.up()
    assert share() == ("25", "inset(0px 75% 0px 0px)")
    page.focus("#view")
    page.keyboard.press(".")
    assert share()[0] == "30"
    page.fill("#compare", "100")
    assert share() == ("100", "inset(0px 0% 0px 0px)")
    # What is seen left of the line is the measurement, right of it the estimate.
    page.fill("#compare", "50")
    shot = pixels(page.locator("#frame").screenshot())[..., :3].astype(float)
    half = shot.shape[1] // 2
    roughness = [
        np.abs(np.diff(part, axis=1)).mean() for part in (shot[:, : half - 9], shot[:, half + 9 :])
    ]
    assert roughness[0] > 2 * roughness[1]


def test_a_sample_is_degraded_and_its_psnr_is_drawn(page: Any, client: httpx.Client) -> None:
    page.check("#samples input[value=sample-cat]", force=True)
    page.select_option("#kind", "noise")
    page.check("#inspect")
    page.fill("#steps", "2")
    page.click("#run")
    page.wait_for_selector("#download:not([hidden])", timeout=60_000)
    assert "dB" in page.inner_text("#at")
    assert page.locator("#chart circle").count() == 3
    until(page, lambda: drawn(page, "score").std() > 10)
    until(page, lambda: drawn(page, "state").std() > 10)
    page.select_option("#against", "truth")
    clean = pixels(client.get("/samples/cat.png").content)
    until(page, lambda: np.array_equal(drawn(page, "before"), colours(clean)))
    assert np.abs(drawn(page, "after") - colours(clean).astype(float)).mean() < 12


def test_the_model_is_the_one_for_the_image(page: Any) -> None:
    assert page.input_value("#solver") == "denoise-color"
    page.check("#samples input[value=sample-cat]", force=True)
    assert page.input_value("#solver") == "denoise-gray"
    assert page.locator("#solver option[value=denoise-color]").is_disabled()
    page.check("#samples input[value=sample-coffee]", force=True)
    assert page.input_value("#solver") == "denoise-color"
    page.select_option("#solver", "denoise-gray")  # by hand: it stays
    page.check("#samples input[value=sample-astronaut]", force=True)
    assert page.input_value("#solver") == "denoise-gray"


def test_noise_that_channels_share_is_for_the_grey_model(page: Any, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(120, 30, (40, 50, 3)).clip(0, 255).astype(np.uint8)
    for name, values in {"apart": noise, "shared": noise[..., :1].repeat(3, axis=2)}.items():
        (tmp_path / f"{name}.png").write_bytes(as_png(values))
    suited = {}
    for name in ("apart", "shared", "apart"):
        page.set_input_files("#file", tmp_path / f"{name}.png")
        says(page, "chosen", f"{name}: 50 × 40")
        for kind in ("photograph", "noise"):
            page.select_option("#kind", kind)
            suited[name, kind] = page.input_value("#solver")
    assert {key for key, solver in suited.items() if solver == "denoise-gray"} == {
        ("shared", "photograph")
    }


def test_steps_that_were_typed_stay(page: Any) -> None:
    page.fill("#steps", "7")
    page.check("#samples input[value=sample-cat]", force=True)
    assert page.input_value("#solver") == "denoise-gray"
    assert page.input_value("#steps") == "7"
    page.select_option("#solver", "total-variation")
    assert page.input_value("#steps") != "7"


def test_an_image_can_be_pasted(page: Any) -> None:
    page.evaluate(
        """content => {
          const bytes = Uint8Array.from(content);
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], "pasted.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
        }""",
        list(encoded(40, 56)),
    )
    says(page, "chosen", "pasted: 56 × 40")


def test_a_solver_that_never_saw_the_problem_is_marked(page: Any) -> None:
    page.select_option("#kind", "missing")
    assert page.input_value("#solver") == "total-variation"
    page.select_option("#solver", "denoise-gray")
    assert "never trained for this" in page.inner_text("#about-solver")
    page.select_option("#kind", "noise")
    assert page.input_value("#solver") == "denoise-color"
    assert "never" not in page.inner_text("#about-solver")


def test_who_was_trained_for_missing_pixels_fills_them_in(
    browser: Any, serve: Serve, fills: str
) -> None:
    models = ("denoise-color", "denoise-gray", fills)
    with serve(models=models) as client, opened_page(browser, str(client.base_url)) as page:
        for kind in ("missing", "scratches"):
            page.select_option("#kind", kind)
            page.check("#samples input[value=sample-coffee]", force=True)
            assert page.input_value("#solver") == "fills"
            assert "never" not in page.inner_text("#about-solver")
            page.click("#run")
            page.wait_for_selector("#download:not([hidden])", timeout=60_000)
            assert page.input_value("#scrub") == "3"
            page.check("#samples input[value=sample-cat]", force=True)  # grey
            assert page.input_value("#solver") == "total-variation"
        page.select_option("#kind", "noise")
        page.check("#samples input[value=sample-coffee]", force=True)
        assert page.input_value("#solver") == "denoise-color"


def test_a_wrong_file_is_said_and_the_next_one_works(
    page: Any, tmp_path: Path, source: Path
) -> None:
    wrong = tmp_path / "holiday.png"
    wrong.write_text("not a photograph")
    page.set_input_files("#file", wrong)
    says(page, "chosen", "no known image")
    assert page.is_disabled("#run")
    restore(page, source, sigma=20)


def test_of_an_image_that_is_too_large_the_middle_can_be_taken(page: Any, tmp_path: Path) -> None:
    values = np.zeros((300, 500, 1), np.uint8)
    values[100:200, 200:300] = 200
    (tmp_path / "large.png").write_bytes(as_png(values))
    page.set_input_files("#file", tmp_path / "large.png")
    page.wait_for_selector("#middle:not([hidden])")
    assert "500x300 is too large" in page.inner_text("#chosen")
    page.click("#middle")
    page.wait_for_selector("#run:enabled")
    assert "large: 408 × 244, colour" in page.inner_text("#chosen")


def test_who_waits_sees_the_place_and_who_closes_the_page_stops_the_work(
    browser: Any, serve: Serve, large_source: Path
) -> None:
    with serve(patience=30.0) as client:
        image = send(client, encoded(200, 200))["name"]
        first = ask(client, image, steps=200, visitor="somebody").json()["name"]
        with opened_page(browser, str(client.base_url)) as page:
            page.set_input_files("#file", large_source)
            page.wait_for_selector("#run:enabled")
            page.click("#run")
            says(page, "status", "ueue")
            client.delete(f"/api/jobs/{first}")
            page.wait_for_selector("#download:not([hidden])", timeout=60_000)
            page.fill("#steps", "200")
            page.click("#run")
            says(page, "counter", "Step")
            studio = client.app.state.studio  # type: ignore[attr-defined]
            (running,) = studio.worker._live
        began = time.monotonic()
        assert watch(client, running)[0] == "cancelled"
        assert time.monotonic() - began < 6


def test_stop_stops(page: Any, large_source: Path) -> None:
    page.set_input_files("#file", large_source)
    page.wait_for_selector("#run:enabled")
    page.fill("#steps", "200")
    page.click("#run")
    says(page, "counter", "Step")
    page.click("#stop")
    says(page, "status", "Stopped.")
    assert page.is_enabled("#run")
    page.fill("#scrub", "0")  # what has come can still be looked at
    says(page, "at", "0")
    page.select_option("#against", "estimate-0")
    until(page, lambda: np.array_equal(drawn(page, "after"), drawn(page, "before")))


def test_stop_counts_before_the_server_has_answered(page: Any, source: Path) -> None:
    page.set_input_files("#file", source)
    page.wait_for_selector("#run:enabled")
    page.route("**/api/jobs", lambda route: (time.sleep(0.7), route.continue_()))
    page.fill("#steps", "200")
    page.evaluate("document.getElementById('run').click(); document.getElementById('stop').click()")
    says(page, "status", "Stopped.")
    assert page.is_enabled("#run")


def test_after_an_answer_that_was_none_the_next_one_counts(page: Any, source: Path) -> None:
    page.set_input_files("#file", source)
    page.wait_for_selector("#run:enabled")
    page.route("**/api/jobs", lambda route: route.fulfill(status=502, body="<html>"))
    page.click("#run")
    says(page, "status", "The server answered 502.")
    assert page.is_enabled("#run")
    page.unroute("**/api/jobs")
    page.route("**/api/jobs", lambda route: route.abort())
    page.click("#run")
    says(page, "status", "Is it still running?")
    page.unroute("**/api/jobs")
    page.click("#run")
    page.wait_for_selector("#download:not([hidden])", timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_screens_and_fingers_suffice(
    browser: Any, client: httpx.Client, source: Path, scheme: str
) -> None:
    options = {"viewport": {"width": 360, "height": 700}, "has_touch": True, "color_scheme": scheme}
    with opened_page(browser, str(client.base_url), **options) as page:
        page.set_input_files("#file", source)
        page.wait_for_selector("#run:enabled")
        page.check("#inspect")
        page.tap("#run")
        page.wait_for_selector("#download:not([hidden])", timeout=60_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.locator("#frame").scroll_into_view_if_needed()
        box = page.locator("#frame").bounding_box()
        page.touchscreen.tap(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"])
        assert abs(int(page.input_value("#compare")) - 80) <= 1
        small = page.evaluate(
            "Array.from(document.querySelectorAll('button, select, .button, input[type=number]'))"
            ".filter(e => e.offsetParent).map(e => [e.id, e.getBoundingClientRect().height])"
            ".filter(([, height]) => height < 40)"
        )
        assert not small
        assert contrast(page, ".fine", "color") > 4.5  # WCAG 2.2, 1.4.3
        for field in ("#kind", "#steps", "#play", "#drop"):
            assert contrast(page, field, "borderTopColor") >= 3, field  # 1.4.11


def contrast(page: Any, element: str, colour: str) -> float:
    """Of a colour of an element against the ground."""
    seen = page.evaluate(
        "([element, colour]) => [getComputedStyle(document.querySelector(element))[colour],"
        " getComputedStyle(document.body).backgroundColor]",
        [element, colour],
    )
    levels = []
    for text in seen:
        parts = np.array([float(part) for part in text[4:-1].split(",")[:3]]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        levels.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(levels) + 0.05) / (min(levels) + 0.05)


def test_everything_has_a_name_for_those_who_do_not_see(page: Any, source: Path) -> None:
    restore(page, source, sigma=20)
    nameless = page.evaluate(
        "Array.from(document.querySelectorAll('input, select, button, canvas, svg, a'))"
        ".filter(e => e.getClientRects().length && !(e.labels?.length || e.ariaLabel"
        " || e.textContent.trim() || e.getAttribute('aria-labelledby'))).map(e => e.outerHTML)"
    )
    assert nameless == []
    assert page.get_attribute("#status", "aria-live") == "polite"
    assert "step 4" in page.get_attribute("#scrub", "aria-valuetext")
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {
        "file",
        "kind",
        "solver",
        "steps",
        "run",
        "compare",
        "scrub",
        "play",
        "download",
    } <= reached
