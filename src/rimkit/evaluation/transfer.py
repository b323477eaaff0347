"""Problems on whole grey images for a machine trained on random projections of patches."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import torch
from torch import Tensor

from rimkit.data.patches import seeded
from rimkit.evaluation.denoising import Condition, noisy
from rimkit.evaluation.images import CleanImage
from rimkit.evaluation.projections import Measured
from rimkit.noises import GaussianNoise, PoissonNoise
from rimkit.operators import Blur, FourierMask, Identity, Mask, gaussian_kernel, line_mask
from rimkit.pixels import LEVELS
from rimkit.problem import Denoising, Problem

_SEED = 47

MISSING = 0.5
"""Share of missing pixels, in problems that have any."""

BLUR = 1.5
"""Standard deviation of the blur, in pixels."""

COLUMNS = 0.4
"""Share of frequency columns that are measured, where not all are."""

COUNTS = 60
"""The count that stands for white, where light is counted."""


@dataclasses.dataclass(frozen=True)
class Transfer:
    """A problem for whole images.

    Attributes
    ----------
    name
        Short name, for files and settings.
    title
        Display name.
    draw
        Maps x (1, 1, H, W) to the problem.
    noise
        Largest standard deviation of the noise, in grey levels.
    variance_floor
        What classical solvers add to the noise variance; a machine has its own.
    condition
        Condition of the same problem in Table 2, if there is one; the noise is then the same, too.
    """

    name: str
    title: str
    draw: Callable[[Tensor, torch.Generator], Problem]
    noise: float
    variance_floor: float = 0.0
    condition: Condition | None = None

    def measure(self, image: CleanImage) -> Measured:
        """Measure an image, identically for every method."""
        generator = seeded(_SEED, image.seed, *self.name.encode())
        problem = self.draw(image.x, generator)
        if self.condition is not None:
            return Measured(image.x, problem, noisy(image, self.condition))
        return Measured(image.x, problem, problem.simulate(image.x, generator=generator))


def _denoising(sigma: float, x: Tensor, generator: torch.Generator) -> Problem:
    return Denoising(sigma / LEVELS)


def _inpainting(sigma: float, x: Tensor, generator: torch.Generator) -> Problem:
    drawn = Mask.scattered(MISSING, (x.shape[-2], x.shape[-1]), generator=generator)
    return Problem(Mask(drawn.mask.to(x)), GaussianNoise(sigma / LEVELS))


def _deblurring(sigma: float, x: Tensor, generator: torch.Generator) -> Problem:
    return Problem(Blur(gaussian_kernel(BLUR)), GaussianNoise(sigma / LEVELS))


def _frequencies(sigma: float, x: Tensor, generator: torch.Generator) -> Problem:
    size = (x.shape[-2], x.shape[-1])
    mask = line_mask(COLUMNS, size, generator=generator)
    return Problem(FourierMask(mask), GaussianNoise(sigma / LEVELS))


def _counting(x: Tensor, generator: torch.Generator) -> Problem:
    return Problem(Identity(), PoissonNoise(1 / COUNTS))


TRANSFERS = (
    *(
        Transfer(
            f"denoise-{sigma:g}",
            f"noise, sigma {sigma:g}",
            functools.partial(_denoising, sigma),
            sigma,
            condition=Condition(sigma),
        )
        for sigma in (15.0, 25.0, 50.0)
    ),
    *(
        Transfer(
            f"inpaint-{sigma:g}",
            f"{MISSING:.0%} missing, sigma {sigma:g}",
            functools.partial(_inpainting, sigma),
            sigma,
        )
        for sigma in (5.0, 25.0)
    ),
    Transfer(
        "deblur", f"blur of {BLUR:g} pixels, sigma 5", functools.partial(_deblurring, 5.0), 5.0
    ),
    Transfer(
        "frequencies",
        f"{COLUMNS:.0%} of the frequencies, sigma 5",
        functools.partial(_frequencies, 5.0),
        5.0,
    ),
    Transfer(
        "counts",
        f"counts, {COUNTS} where white",
        _counting,
        LEVELS / COUNTS**0.5,
        variance_floor=1 / COUNTS**2,
    ),
)
