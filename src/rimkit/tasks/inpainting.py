"""Missing pixels: scattered ones, and strokes like scratches or writing."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import ClassVar

import torch
from torch import Tensor

from rimkit import settings
from rimkit.noises import GaussianNoise
from rimkit.operators import Mask
from rimkit.pixels import LEVELS
from rimkit.problem import Problem
from rimkit.tasks.base import Measure, register

_NOISY = 10.0  # grey levels: the one validation level above the smallest


@register
@dataclasses.dataclass(frozen=True)
class InpaintingTask:
    """Pixels are missing, in all channels alike, and there is noise on the others.

    In training, half of the samples miss scattered pixels, the others those covered by strokes.

    Attributes
    ----------
    share
        Smallest and largest share of pixels missing in samples with scattered ones.
    density
        Maximum number of strokes per thousand pixels.
    width, length
        Smallest and largest of a stroke, in pixels.
    sigma
        Smallest and largest noise level in grey levels, drawn log-uniformly. The smallest is about
        that of rounding, as in files that nobody calls noisy.
    validation_shares, validation_density
        Shares of missing pixels and density of strokes in validation.
    """

    table_name: ClassVar[str] = "inpainting"

    share: tuple[float, float] = (0.05, 0.95)
    density: float = 2.5
    width: tuple[float, float] = (1.0, 10.0)
    length: tuple[float, float] = (0.0, 60.0)
    sigma: tuple[float, float] = (0.3, 25.0)
    validation_shares: tuple[float, float] = (0.5, 0.8)
    validation_density: float = 1.5

    def __post_init__(self) -> None:
        settings.check_types(self, where="task")
        low, high = self.share
        if not 0 <= low <= high < 1 or not all(0 <= share < 1 for share in self.validation_shares):
            raise ValueError(
                "shares must lie in [0, 1), the smaller one first, "
                f"got {self.share} and {self.validation_shares}"
            )
        if not (0 < self.density < math.inf and 0 < self.validation_density < math.inf):
            raise ValueError(
                f"densities must be positive, got {self.density} and {self.validation_density}"
            )
        if not 0 <= self.length[0] <= self.length[1] < math.inf:
            raise ValueError(f"length must be a range 0 <= low <= high, got {self.length}")
        for name, (low, high) in (("width", self.width), ("sigma", self.sigma)):
            if not 0 < low <= high < math.inf:
                raise ValueError(f"{name} must be a range 0 < low <= high, got {low} to {high}")

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw holes and a noise level for every sample."""
        n, size = x.shape[0], (x.shape[2], x.shape[3])
        share, sigma, is_scattered = torch.rand(3, n, generator=generator)
        low, high = self.share
        scattered = Mask.scattered(low + share * (high - low), size, samples=n, generator=generator)
        most = stroke_count(self.density, size)
        count = torch.randint(1, most + 1, (n,), generator=generator)
        drawn = self._strokes(count, size, n, generator)
        mask = torch.where(is_scattered.view(-1, 1, 1, 1) < 0.5, scattered.mask, drawn.mask)
        low, high = (math.log(level) for level in self.sigma)
        return _measured(Mask(mask), (low + sigma * (high - low)).exp(), x, generator)

    def validation(self) -> dict[str, Measure]:
        """Scattered pixels and strokes at the least noise, and the smaller share at some noise."""
        least = self.sigma[0]
        few, many = self.validation_shares
        return {
            f"pixels_{few:g}": functools.partial(self.scatter, few, least),
            f"pixels_{many:g}": functools.partial(self.scatter, many, least),
            f"pixels_{few:g}_noisy": functools.partial(self.scatter, few, max(least, _NOISY)),
            "strokes": functools.partial(self.scratch, self.validation_density, least),
        }

    def scatter(
        self, share: float, sigma: float, x: Tensor, generator: torch.Generator
    ) -> tuple[Problem, Tensor]:
        """Measure x (N, C, H, W) without a share of scattered pixels; sigma in grey levels."""
        size = (x.shape[2], x.shape[3])
        mask = Mask.scattered(share, size, samples=x.shape[0], generator=generator)
        return _measured(mask, sigma, x, generator)

    def scratch(
        self, density: float, sigma: float, x: Tensor, generator: torch.Generator
    ) -> tuple[Problem, Tensor]:
        """Measure x without ``density`` strokes per thousand pixels; sigma in grey levels."""
        size = (x.shape[2], x.shape[3])
        mask = self._strokes(stroke_count(density, size), size, x.shape[0], generator)
        return _measured(mask, sigma, x, generator)

    def _strokes(
        self,
        count: Tensor | int,
        size: tuple[int, int],
        samples: int,
        generator: torch.Generator,
    ) -> Mask:
        return Mask.strokes(
            count,
            size,
            width=self.width,
            length=self.length,
            samples=samples,
            generator=generator,
        )


def stroke_count(density: float, size: tuple[int, int]) -> int:
    """Number of strokes in an image (H, W), at ``density`` per thousand pixels."""
    return max(1, round(density * math.prod(size) / 1000))


def _measured(
    mask: Mask, sigma: Tensor | float, x: Tensor, generator: torch.Generator
) -> tuple[Problem, Tensor]:
    problem = Problem(Mask(mask.mask.to(x)), GaussianNoise(sigma / LEVELS))
    return problem, problem.simulate(x, generator=generator)
