"""Choose the settings of the classical baselines on held-out training images.

At sigma 25 on grey images.

Prints mean PSNR for every setting tried. Run: python benchmarks/tune_baselines.py
"""

import numpy as np
import torch
from skimage.restoration import denoise_nl_means
from torch import Tensor

import rimkit
from rimkit.data.images import bytes_to_unit, load_bytes
from rimkit.data.patches import seeded
from rimkit.data.splits import held_out_paths

SIGMA = 25 / 255


def crops() -> Tensor:
    held_out = held_out_paths()
    return torch.stack(
        [bytes_to_unit(load_bytes(path, channels=1))[:, 32:288, 32:288] for path in held_out]
    )


def non_local_means(y: Tensor, strength: float) -> Tensor:
    planes = [
        denoise_nl_means(
            plane.numpy(), patch_size=5, patch_distance=6, sigma=SIGMA, h=strength * SIGMA
        )
        for plane in y[:, 0]
    ]
    return torch.from_numpy(np.stack(planes).astype(np.float32))[:, None]


def main() -> None:
    truth = crops()
    problem = rimkit.Denoising(sigma=SIGMA)
    y = problem.simulate(truth, generator=seeded(0))
    for weight in (5.0, 7.0, 9.0, 11.0, 13.0):
        x = rimkit.TotalVariation(weight=weight).solve(y, problem).x
        print(f"total variation, weight {weight:g}: {rimkit.psnr(x, truth).mean():.3f} dB")
    for strength in (0.4, 0.5, 0.6, 0.7, 0.8):
        x = non_local_means(y, strength)
        print(f"non-local means, h {strength:g} sigma: {rimkit.psnr(x, truth).mean():.3f} dB")


if __name__ == "__main__":
    main()
