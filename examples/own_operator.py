"""Your own operator in ten lines: a lens that darkens the corners, undone by two solvers.

Prints whether the adjoint is right, and PSNR next to that of division; writes
demo/own-operator.png.
"""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from skimage import data
from torch import Tensor

import rimkit
from rimkit import plot

TV_WEIGHT = 7.0  # chosen for denoising by benchmarks/tune_baselines.py


@dataclasses.dataclass(frozen=True)
class Vignette:
    gain: Tensor  # (1, 1, H, W), all positive

    def A(self, x: Tensor) -> Tensor:
        return self.gain * x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.gain * y

    def initial(self, y: Tensor) -> Tensor:
        return y / self.gain


def vignette(height: int, width: int) -> Vignette:
    rows, columns = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)
    return Vignette((1 / (1 + 0.4 * (rows**2 + columns**2)) ** 2)[None, None])


def main() -> None:
    photograph = data.camera()[128:384, 128:384].astype(np.float32) / 255
    truth = torch.from_numpy(photograph)[None, None]
    operator = vignette(*truth.shape[-2:])
    exact = Vignette(operator.gain.double())
    error = rimkit.adjoint_error(exact, truth.double()).max()
    print(f"the adjoint is wrong by {error:.0e}")

    problem = rimkit.Problem(operator, rimkit.GaussianNoise(25 / 255))
    y = problem.simulate(truth, generator=torch.Generator().manual_seed(0))
    results = {
        "divided": operator.initial(y),
        "total variation": rimkit.TotalVariation(weight=TV_WEIGHT).solve(y, problem).x,
        # Trained for denoising alone: it has never seen this operator, and may not work.
        "denoise-gray": rimkit.load("denoise-gray").solve(y, problem, steps=12).x,
    }
    for name, x in results.items():
        print(f"{name:<16}{rimkit.psnr(x, truth).item():6.2f} dB")

    folder = Path("demo")
    folder.mkdir(exist_ok=True)
    figure = plot.compare({"measured": y, **results}, truth=truth)
    figure.savefig(folder / "own-operator.png")


if __name__ == "__main__":
    main()
