"""Images that were downsampled."""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from rimkit import settings
from rimkit.operators import matlab_imresize
from rimkit.pixels import LEVELS
from rimkit.problem import Problem, SuperResolution
from rimkit.tasks.base import Measure, register


@register
@dataclasses.dataclass(frozen=True)
class SuperResolutionTask:
    """Images downsampled by MATLAB's ``imresize``, rounded to 8 bits; one scale per batch.

    Attributes
    ----------
    scales
        Choices from which each batch draws one.
    sigma
        Deviation of the files from the linear operator, in grey levels.
    """

    table_name: ClassVar[str] = "super-resolution"

    scales: tuple[float, ...] = (2.0, 3.0, 4.0)
    sigma: float = 0.4

    def __post_init__(self) -> None:
        settings.check_types(self, where="task")
        if not self.scales or not all(1 <= scale < float("inf") for scale in self.scales):
            raise ValueError(f"scales must be at least 1, got {self.scales}")
        if not 0 < self.sigma < float("inf"):
            raise ValueError(f"sigma must be positive, got {self.sigma}")

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw a scale for the batch."""
        place = int(torch.randint(len(self.scales), (), generator=generator))
        return self._smaller(self.scales[place], x, generator)

    def validation(self) -> dict[str, Measure]:
        """Every scale."""
        return {f"x{scale:g}": functools.partial(self._smaller, scale) for scale in self.scales}

    def _smaller(
        self, scale: float, x: Tensor, generator: torch.Generator
    ) -> tuple[Problem, Tensor]:
        n, channels, height, width = x.shape
        # All images as channels of one: they are resized alike.
        planes = (x * LEVELS).round().byte().flatten(0, 1).permute(1, 2, 0).cpu().numpy()
        small = matlab_imresize(np.ascontiguousarray(planes), 1 / scale)
        y = torch.from_numpy(small).to(x).permute(2, 0, 1) / LEVELS
        y = y.reshape(n, channels, *y.shape[1:])
        return SuperResolution(scale, size=(height, width), sigma=self.sigma / LEVELS), y
