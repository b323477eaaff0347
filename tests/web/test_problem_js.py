"""The likelihood of the page without a server, beside that of the library."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
import torch

import rimkit
from rimkit.web.app import static_folder

FLOOR = 1e-4


@pytest.mark.parametrize("levels", [None, 255])
@pytest.mark.parametrize("sigma", [0.005, 0.1, 0.3])
def test_the_score_is_that_of_the_library(sigma: float, levels: int | None) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which runs what a browser runs")
    x = torch.linspace(-0.5, 1.5, 401, dtype=torch.float64).repeat(4)
    y = torch.tensor([0.0, 1.0, 7 / 255, 200 / 255], dtype=torch.float64).repeat_interleave(401)
    given = {"x": x.tolist(), "y": y.tolist(), "sigma": 255 * sigma, "levels": levels}
    script = f"""
      import {{ measure, score }} from {json.dumps(module())};
      const {{ x, y, sigma, levels }} = {json.dumps(given)};
      const measured = measure(y, {{ kind: "photograph", sigma }}, {{ channels: 1, levels }});
      console.log(JSON.stringify(score(measured, x, {FLOOR})));
    """
    command = [node, "--input-type=module", "--eval", script]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    problem = rimkit.Denoising(sigma, levels=levels)
    expected = problem.score(x[None, None], y[None, None], variance_floor=FLOOR).flatten()
    found = torch.tensor(json.loads(made.stdout), dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-7)


def module() -> str:
    return (static_folder().parent / "browser" / "problem.js").as_uri()
