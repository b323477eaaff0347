"""Make a photograph three times smaller and bring it back.

Prints PSNR beside that of bicubic interpolation; writes demo/super-resolve.png. The photograph
ships with scikit-image.
"""

from pathlib import Path

import numpy as np
import torch
from skimage import data

import rimkit
from rimkit import plot

SCALE = 3
TV_WEIGHT = 300.0  # chosen on held-out training images of BSDS300 by benchmarks/tune_baselines.py


def solver() -> tuple[str, rimkit.Solver]:
    """The trained model where this version of rimkit has one, else a prior made by hand."""
    if "super-resolution" in rimkit.model_names():
        return "rimkit super-resolution", rimkit.load("super-resolution")
    return "total variation", rimkit.TotalVariation(weight=TV_WEIGHT, steps=50)


def main() -> None:
    photograph = data.astronaut()[:240, 100:340].astype(np.float32) / 255
    truth = torch.from_numpy(photograph).movedim(-1, 0)[None]
    problem = rimkit.SuperResolution(SCALE)  # its noise is that of rounding to 8 bits
    y = (problem.operator.A(truth).clamp(0, 1) * 255).round() / 255

    name, chosen = solver()
    results = {"bicubic": problem.initial(y), name: chosen.solve(y, problem).x}
    for method, x in results.items():
        print(f"{method:<24}{rimkit.psnr(x, truth).item():6.2f} dB")
    if name == "total variation":
        print("This version of rimkit has no trained model for super-resolution.")

    folder = Path("demo")
    folder.mkdir(exist_ok=True)
    figure = plot.compare({"small": y, **results}, truth=truth)
    figure.savefig(folder / "super-resolve.png")


if __name__ == "__main__":
    main()
