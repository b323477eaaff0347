"""Add noise to a photograph, restore it, and watch it: prints every step, writes demo/denoise.png.

The photograph ships with scikit-image; sigma is 25 of 255 grey levels.
"""

from pathlib import Path

import numpy as np
import torch
from skimage import data

import rimkit
from rimkit import plot


def main() -> None:
    photograph = data.camera()[128:384, 128:384].astype(np.float32) / 255
    truth = torch.from_numpy(photograph)[None, None]  # images are (N, C, H, W) in [0, 1]
    problem = rimkit.Denoising(sigma=25 / 255)
    y = problem.simulate(truth, generator=torch.Generator().manual_seed(0))

    def tell(step: int, iterate: rimkit.Iterate) -> None:
        print(f"step {step}: {rimkit.psnr(iterate.x, truth).item():.2f} dB")

    print(f"noisy:  {rimkit.psnr(y, truth).item():.2f} dB")
    solution = rimkit.load("denoise-gray").solve(y, problem, keep=True, on_step=tell)

    folder = Path("demo")
    folder.mkdir(exist_ok=True)
    plot.trajectory(solution, truth=truth).savefig(folder / "denoise.png")


if __name__ == "__main__":
    main()
