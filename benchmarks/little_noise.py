"""How little noise is worth removing? docs/decisions.md, 54.

Prints the gain in PSNR of the package's denoisers on 128x128 crops of the held-out training images
of BSDS300, by sigma in grey levels: the mean over images and the smallest, for unrounded noise and
for noise rounded to 8 bits as in a file.
Run: python benchmarks/little_noise.py
"""

import torch

import rimkit
from rimkit.data.images import bytes_to_unit
from rimkit.data.patches import seeded
from rimkit.data.splits import held_out_paths, load_images
from rimkit.metrics import psnr
from rimkit.pixels import LEVELS
from rimkit.provenance import stamp
from rimkit.restoring.denoiser import Denoiser

SIGMAS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
SIDE = 128


def gains(model: rimkit.RIM, x: torch.Tensor, sigma: float, levels: int | None) -> torch.Tensor:
    """Gain in PSNR of the estimate over the measurement, in dB: (N,)."""
    problem = rimkit.Denoising(sigma / LEVELS, levels=levels)
    y = problem.simulate(x, generator=seeded(0))
    return psnr(model.solve(y, problem).x, x) - psnr(y, x)


def main() -> None:
    print(f"little_noise.py: {stamp()}\n")
    held_out = held_out_paths()
    for name in ("denoise-gray", "denoise-color"):
        model = rimkit.load(name)
        channels = model.config.network.channels
        images = load_images(held_out, channels=channels, smallest=SIDE)
        x = torch.stack([bytes_to_unit(image)[:, :SIDE, :SIDE] for image in images])
        least = Denoiser(model).least_sigma * LEVELS
        print(f"{name}: what is below sigma {least:.2f} stays as it is")
        print(f"{'sigma':>7}{'gain':>8}{'least':>8}{'8-bit':>8}{'least':>8}")
        for sigma in SIGMAS:
            each = [gains(model, x, sigma, levels) for levels in (None, LEVELS)]
            row = (f"{value:+8.2f}" for gain in each for value in (gain.mean(), gain.min()))
            print(f"{sigma:>7g}{''.join(row)}", flush=True)


if __name__ == "__main__":
    main()
