"""One machine on four kinds of measurement: few projections, few frequencies, counts, a sensor.

Prints its PSNR next to that of the start and of total variation, whose weight is chosen for each
kind on another photograph; draws everything in demo/compressed-sensing.png. Both photographs ship
with scikit-image.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from skimage import data
from torch import Tensor

import rimkit
from rimkit import plot

SIDE = 256  # pixels
WEIGHTS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
PHOTONS = 60  # per white pixel

Size = tuple[int, int]


def projections(size: Size, generator: torch.Generator) -> rimkit.Problem:
    operator = rimkit.FastProjection.draw(0.2, size, generator=generator)
    return rimkit.Problem(operator, rimkit.GaussianNoise(5 / 255))


def frequencies(size: Size, generator: torch.Generator) -> rimkit.Problem:
    mask = rimkit.line_mask(0.3, size, generator=generator)
    return rimkit.Problem(rimkit.FourierMask(mask), rimkit.GaussianNoise(0.02))


def counts(size: Size, generator: torch.Generator) -> rimkit.Problem:
    return rimkit.Problem(rimkit.Identity(), rimkit.PoissonNoise(1 / PHOTONS))


def sensor(size: Size, generator: torch.Generator) -> rimkit.Problem:
    return rimkit.Problem(rimkit.SaturatingSensor(gain=2.0), rimkit.GaussianNoise(5 / 255))


PROBLEMS: dict[str, Callable[[Size, torch.Generator], rimkit.Problem]] = {
    "a fifth as many projections": projections,
    "30 % of the frequencies": frequencies,
    "counts": counts,
    "a saturating sensor": sensor,
}


def grey(photograph: np.ndarray) -> Tensor:
    """Crop the centre of an 8-bit (H, W) photograph to (1, 1, SIDE, SIDE) in [0, 1]."""
    top, left = ((side - SIDE) // 2 for side in photograph.shape)
    part = photograph[top : top + SIDE, left : left + SIDE].astype(np.float32) / 255
    return torch.from_numpy(part)[None, None]


def measured(x: Tensor, problem_of: Callable[..., rimkit.Problem]) -> tuple[rimkit.Problem, Tensor]:
    generator = torch.Generator().manual_seed(0)
    problem = problem_of(tuple(x.shape[-2:]), generator)
    return problem, problem.simulate(x, generator=generator)


def total_variation(weight: float) -> rimkit.TotalVariation:
    """With the variance floor that counts need: their scores are unbounded in the dark."""
    return rimkit.TotalVariation(weight=weight, steps=100, variance_floor=1 / PHOTONS**2)


def chosen_weight(problem_of: Callable[..., rimkit.Problem]) -> float:
    """The weight that does best on another photograph."""
    other = grey(data.coins())
    problem, y = measured(other, problem_of)
    return max(
        WEIGHTS, key=lambda w: rimkit.psnr(total_variation(w).solve(y, problem).x, other).item()
    )


def main() -> None:
    model = rimkit.load("random-projections")
    truth = grey(data.camera())
    figure = Figure(figsize=(8.4, 9.6), dpi=110, layout="constrained")
    rows = figure.subplots(len(PROBLEMS), 4)
    for row, (name, problem_of) in zip(rows, PROBLEMS.items(), strict=True):
        problem, y = measured(truth, problem_of)
        weight = chosen_weight(problem_of)
        results = {
            "start": problem.initial(y),
            "total variation": total_variation(weight).solve(y, problem).x,
            "random-projections": model.solve(y, problem).x,
        }
        print(f"{name} (weight {weight:g})")
        for method, x in results.items():
            print(f"  {method:<20}{rimkit.psnr(x, truth).item():6.2f} dB")
        start = results.pop("start")
        plot.compare({f"{name}\nstart": start, **results}, truth=truth, axes=row)

    folder = Path("demo")
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / "compressed-sensing.png")


if __name__ == "__main__":
    main()
