"""The denoising protocol: noise that is the same for every method, and scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence

from torch import Tensor

from rimkit.data.patches import seeded
from rimkit.evaluation.images import CleanImage
from rimkit.metrics import psnr, ssim
from rimkit.pixels import LEVELS
from rimkit.precision import Precision, computing_in
from rimkit.problem import Denoising
from rimkit.solver import Solver

_NOISE = 11


@dataclasses.dataclass(frozen=True)
class Condition:
    """How a test image was made noisy.

    Attributes
    ----------
    sigma
        Noise standard deviation in grey levels of 255.
    quantised
        Whether y was then clipped and rounded to 8 bits.
    """

    sigma: float
    quantised: bool = False


@dataclasses.dataclass(frozen=True)
class ImageScore:
    """One image under one condition: PSNR in dB, and SSIM."""

    image: str
    sigma: float
    quantised: bool
    psnr: float
    ssim: float

    @property
    def condition(self) -> Condition:
        """The condition under which the image was restored."""
        return Condition(self.sigma, self.quantised)


Restore = Callable[[Tensor, Condition], Tensor]
"""Maps y (1, C, H, W) in [0, 1], and how it was made, to the estimate."""


def noisy(image: CleanImage, condition: Condition) -> Tensor:
    """Return y (1, C, H, W); the noise for a given image and sigma is always the same."""
    generator = seeded(_NOISE, image.seed, round(1000 * condition.sigma))
    levels = LEVELS if condition.quantised else None
    return Denoising(condition.sigma / LEVELS, levels=levels).simulate(image.x, generator=generator)


def score_denoising(
    images: Iterable[CleanImage], conditions: Sequence[Condition], restore: Restore
) -> Iterator[ImageScore]:
    """Restore every image under every condition, and score it."""
    for image in images:
        for condition in conditions:
            x = restore(noisy(image, condition), condition)
            yield ImageScore(
                image.name,
                condition.sigma,
                condition.quantised,
                psnr(x, image.x).item(),
                ssim(x, image.x).item(),
            )


def solver_restore(
    solver: Solver,
    *,
    steps: int | None = None,
    precision: Precision = "float32",
    knows_levels: bool = False,
) -> Restore:
    """Turn a solver into a function for `score_denoising`.

    Parameters
    ----------
    solver, steps
        The solver, and its number of steps; its own number if None.
    precision
        Precision of its network.
    knows_levels
        Whether to use the likelihood of rounded values where y is rounded.
    """

    def restore(y: Tensor, condition: Condition) -> Tensor:
        levels = LEVELS if knows_levels and condition.quantised else None
        problem = Denoising(condition.sigma / LEVELS, levels=levels)
        with computing_in(precision, y.device.type):
            return solver.solve(y, problem, steps=steps).x

    return restore


def psnr_of(
    scores: Sequence[ImageScore], condition: Condition, *, images: int | None = None
) -> list[float]:
    """PSNR of each of the first ``images`` images.

    Raises
    ------
    ValueError
        If there are fewer scores than images.
    """
    values = [score.psnr for score in scores if score.condition == condition]
    if images is not None and len(values) < images:
        raise ValueError(f"{images} images are asked for, {len(values)} were scored")
    return values[:images]
