"""The units in which a machine that was trained with one level of noise denoises best.

Prints PSNR in dB on 128x128 crops of the held-out training images of BSDS300, by sigma in grey
levels: as it is, and with the contrast of every image lowered until sigma is at most a given number
of levels (`rimkit.AtContrast`).
Run: python benchmarks/contrast.py [MODEL ...]
"""

import sys

import torch

import rimkit
from rimkit.contrast import AtContrast
from rimkit.data.images import bytes_to_unit
from rimkit.data.patches import seeded
from rimkit.data.splits import held_out_paths, load_images
from rimkit.metrics import psnr
from rimkit.pixels import LEVELS
from rimkit.provenance import stamp
from rimkit.weights import record

SIGMAS = (15.0, 25.0, 50.0)
MOST = (float("inf"), 30.0, 20.0, 15.0, 12.0, 10.0, 8.0)
SIDE = 128


def denoised(model: rimkit.RIM, x: torch.Tensor, sigma: float, most: float) -> float:
    """Mean PSNR in dB, when the machine is given noise of at most ``most`` levels."""
    problem = rimkit.Denoising(sigma / LEVELS)
    y = problem.simulate(x, generator=seeded(0))
    return psnr(AtContrast(model, min(1.0, most / sigma)).solve(y, problem).x, x).mean().item()


def main() -> None:
    print(f"contrast.py: {stamp()}\n")
    held_out = held_out_paths()
    images = load_images(held_out, channels=1, smallest=SIDE)
    x = torch.stack([bytes_to_unit(image)[:, :SIDE, :SIDE] for image in images])
    for name in sys.argv[1:] or ["random-projections"]:
        model = rimkit.load(name)
        print(f"{record.title(name, model.training_record)}, {model.steps} steps")
        print(f"{'at most':>8}{''.join(f'{sigma:>8g}' for sigma in SIGMAS)}")
        for most in MOST:
            row = "".join(f"{denoised(model, x, sigma, most):8.2f}" for sigma in SIGMAS)
            print(f"{'as it is' if most == float('inf') else f'{most:g}':>8}{row}", flush=True)


if __name__ == "__main__":
    main()
