"""Choose the strengths of classical denoisers on the ten held-out training images.

Mean PSNR of grey crops of 256x256 pixels at sigma 15, 25 and 50. For the methods of scikit-image,
the best mean is chosen; for our own total variation, in the examples, the best weight at sigma 25.
Run: python benchmarks/tune_baselines.py > results/tune-baselines.txt
"""

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

import rimkit
from rimkit import baselines
from rimkit.data.images import bytes_to_unit, load_bytes
from rimkit.data.patches import seeded
from rimkit.data.splits import held_out_paths
from rimkit.evaluation.tables import SIGMAS
from rimkit.pixels import LEVELS, Array
from rimkit.provenance import stamp
from rimkit.sheets import columns


def own_total_variation(y: Array, sigma: float, *, strength: float) -> Array:
    problem = rimkit.Denoising(sigma)
    return (
        rimkit.TotalVariation(weight=strength)
        .solve(torch.from_numpy(y)[None, None], problem)
        .x[0, 0]
        .numpy()
    )


STRENGTHS: dict[Callable[..., Array], tuple[float, ...]] = {
    own_total_variation: (5.0, 7.0, 9.0, 11.0, 13.0),
    baselines.total_variation: (0.6, 0.7, 0.8, 0.9, 1.0, 1.2),
    baselines.non_local_means: (0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
}


def crops() -> Tensor:
    return torch.stack(
        [
            bytes_to_unit(load_bytes(path, channels=1))[:, 32:288, 32:288]
            for path in held_out_paths()
        ]
    )


def main() -> None:
    print(f"tune_baselines.py: {stamp()}\n")
    truth = crops()
    noisy = {
        sigma: rimkit.Denoising(sigma / LEVELS).simulate(truth, generator=seeded(0, number))
        for number, sigma in enumerate(SIGMAS)
    }
    lines = [["PSNR in dB", "strength", *(f"sigma {sigma:g}" for sigma in SIGMAS), "mean"]]
    for method, strengths in STRENGTHS.items():
        for strength in strengths:
            found = []
            for sigma, y in noisy.items():
                planes = [method(p.numpy(), sigma / LEVELS, strength=strength) for p in y[:, 0]]
                x = torch.stack([torch.from_numpy(plane) for plane in planes])[:, None]
                found.append(rimkit.psnr(x, truth).mean().item())
            cells = [f"{psnr:.3f}" for psnr in (*found, statistics.mean(found))]
            lines.append([method.__name__, f"{strength:g}", *cells])
    print(columns(lines))


if __name__ == "__main__":
    main()
