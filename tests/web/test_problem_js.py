"""The likelihood of the page without a server, beside that of the library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.web.browser import opened_browser
from tests.web.conftest import encoded, pixels, runs_of, scribble

import rimkit
from rimkit.noises import GaussianNoise
from rimkit.operators import Mask
from rimkit.operators.filling import fill
from rimkit.problem import Problem
from rimkit.web.app import static_folder
from rimkit.web.problems import Painted, measure

FLOOR = 1e-4
SCORE = """async ({ source, x, y, sigma, levels, floor }) => {
  const script = new Blob([source], { type: "text/javascript" });
  const { measure, score } = await import(URL.createObjectURL(script));
  const measured = measure(y, { kind: "photograph", sigma }, { channels: 1, levels });
  return score(measured, x, floor);
}"""


MISSING = """async ({ source, x, given, floor }) => {
  const script = new Blob([source], { type: "text/javascript" });
  const { measure, score } = await import(URL.createObjectURL(script));
  const degradation = { kind: "missing", share: 0.4, sigma: 5 };
  const measured = measure(Float32Array.from(given), degradation, { channels: 3, levels: null });
  const gradient = score(measured, Float32Array.from(x), floor);
  return [measured.y, measured.mask, gradient].map((each) => Array.from(each));
}"""


PAINTED = """async ({ source, x, given, runs, sigma, floor }) => {
  const script = new Blob([source], { type: "text/javascript" });
  const { measure, score } = await import(URL.createObjectURL(script));
  const settings = { channels: 3, levels: null, seenSigma: 0.3 / 255 };
  const measured = measure(Float32Array.from(given), { kind: "painted", runs, sigma }, settings);
  const gradient = score(measured, Float32Array.from(x), floor);
  return [measured.y, measured.mask, gradient].map((each) => Array.from(each));
}"""


FILL = """async ({ source, y, mask, ...size }) => {
  const script = new Blob([source], { type: "text/javascript" });
  const { fill } = await import(URL.createObjectURL(script));
  return Array.from(fill(Float32Array.from(y), Uint8Array.from(mask), size));
}"""


@pytest.fixture(scope="module")
def source() -> str:
    return (static_folder().parent / "browser" / "problem.js").read_text()


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with opened_browser() as browser:
        yield browser.new_page()


@pytest.mark.parametrize("levels", [None, 255])
@pytest.mark.parametrize("sigma", [0.005, 0.1, 0.3])
def test_the_score_is_that_of_the_library(
    page: Any, source: str, sigma: float, levels: int | None
) -> None:
    x = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64).repeat(4)
    y = torch.tensor([0.0, 1.0, 7 / 255, 200 / 255], dtype=torch.float64).repeat_interleave(401)
    given = {"source": source, "x": x.tolist(), "y": y.tolist(), "floor": FLOOR}
    found = page.evaluate(SCORE, {**given, "sigma": 255 * sigma, "levels": levels})
    problem = rimkit.Denoising(sigma, levels=levels)
    expected = problem.score(x[None, None], y[None, None], variance_floor=FLOOR).flatten()
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64), expected, rtol=1e-7, atol=1e-7
    )


def test_of_missing_pixels_the_score_is_that_of_the_library(page: Any, source: str) -> None:
    x, given = torch.rand((2, 1, 3, 9, 14), generator=torch.Generator().manual_seed(0))
    flat = {"x": x.flatten().tolist(), "given": given.flatten().tolist()}
    found = page.evaluate(MISSING, {"source": source, "floor": FLOOR, **flat})
    y, mask, score = (torch.tensor(each).view(1, -1, 9, 14) for each in found)
    assert 0.2 < (mask == 0).float().mean() < 0.6
    assert ((y - given) * mask).std() == pytest.approx(5 / 255 * 0.6**0.5, rel=0.2)
    problem = Problem(Mask(mask.float()), GaussianNoise(5 / 255))
    expected = problem.score(x, y, variance_floor=FLOOR)
    torch.testing.assert_close(score, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("sigma", [0, 5])
def test_what_is_painted_over_is_missing_as_in_the_library(
    page: Any, source: str, sigma: int
) -> None:
    missing = scribble(30, 41)
    x = torch.rand((1, 3, 30, 41), generator=torch.Generator().manual_seed(0))
    values = pixels(encoded(30, 41, channels=3))
    wish = Painted(kind="painted", runs=runs_of(missing), sigma=sigma)
    measured = measure(values, wish, channels=3, seen_sigma=0.3 / 255)
    given = {"x": x.flatten().tolist(), "given": measured.shown.flatten().tolist()}
    settings = {"runs": list(wish.runs), "sigma": sigma, "floor": FLOOR}
    found = page.evaluate(PAINTED, {"source": source, **given, **settings})
    y, mask, score = (torch.tensor(each).view(1, -1, 30, 41) for each in found)
    assert torch.equal(mask[0, 0] == 0, torch.from_numpy(missing))
    torch.testing.assert_close(y, measured.shown * mask)
    expected = measured.problem.score(x, measured.y, variance_floor=FLOOR)
    torch.testing.assert_close(score, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("share", [0.3, 0.95, 1.0])
@pytest.mark.parametrize("size", [(1, 8, 8), (3, 33, 20), (1, 70, 129)])
def test_missing_pixels_are_filled_in_as_by_the_library(
    page: Any, source: str, size: tuple[int, int, int], share: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    y = torch.rand((1, *size), generator=generator)
    mask = (torch.rand((1, 1, *size[1:]), generator=generator) >= share).float()
    given = {"source": source, "y": y.flatten().tolist(), "mask": mask.flatten().tolist()}
    sides = dict(zip(("channels", "height", "width"), size, strict=True))
    found = torch.tensor(page.evaluate(FILL, {**given, **sides}), dtype=torch.float32)
    torch.testing.assert_close(found.view(y.shape), fill(y, mask), rtol=0, atol=1e-5)
