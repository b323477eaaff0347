"""The likelihood of the page without a server, beside that of the library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.web.browser import opened_browser

import rimkit
from rimkit.web.app import static_folder

FLOOR = 1e-4
SCORE = """async ({ source, x, y, sigma, levels, floor }) => {
  const script = new Blob([source], { type: "text/javascript" });
  const { measure, score } = await import(URL.createObjectURL(script));
  const measured = measure(y, { kind: "photograph", sigma }, { channels: 1, levels });
  return score(measured, x, floor);
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with opened_browser() as browser:
        yield browser.new_page()


@pytest.mark.parametrize("levels", [None, 255])
@pytest.mark.parametrize("sigma", [0.005, 0.1, 0.3])
def test_the_score_is_that_of_the_library(page: Any, sigma: float, levels: int | None) -> None:
    source = (static_folder().parent / "browser" / "problem.js").read_text()
    x = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64).repeat(4)
    y = torch.tensor([0.0, 1.0, 7 / 255, 200 / 255], dtype=torch.float64).repeat_interleave(401)
    given = {"source": source, "x": x.tolist(), "y": y.tolist(), "floor": FLOOR}
    found = page.evaluate(SCORE, {**given, "sigma": 255 * sigma, "levels": levels})
    problem = rimkit.Denoising(sigma, levels=levels)
    expected = problem.score(x[None, None], y[None, None], variance_floor=FLOOR).flatten()
    torch.testing.assert_close(
        torch.tensor(found, dtype=torch.float64), expected, rtol=1e-7, atol=1e-7
    )
