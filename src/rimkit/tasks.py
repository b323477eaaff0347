"""Named tasks: how the operator, the noise and so y are drawn, for training and for evaluation."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch

from rimkit.problem import Denoising, Problem

LEVELS = 255
"""Grey levels between black and white: sigma = 25 on the outside is 25 / LEVELS inside."""


@dataclasses.dataclass(frozen=True)
class DenoisingTask:
    """Additive Gaussian noise, sigma uniform in a range, one value per sample.

    Attributes
    ----------
    sigma
        Smallest and largest sigma in training, in grey levels (of 255).
    validation_sigmas
        The levels at which a training is watched.
    """

    table_name: ClassVar[str] = "denoising"

    sigma: tuple[float, float] = (0.0, 55.0)
    validation_sigmas: tuple[float, float, float] = (15.0, 25.0, 50.0)

    def __post_init__(self) -> None:
        low, high = self.sigma
        if not 0 <= low <= high < float("inf"):
            raise ValueError(f"sigma is a range 0 <= low <= high, got {low} to {high}")
        if not all(0 <= sigma < float("inf") for sigma in self.validation_sigmas):
            raise ValueError(f"validation_sigmas are not negative, got {self.validation_sigmas}")

    def draw(self, size: int, *, generator: torch.Generator) -> Problem:
        """Draw the problem of a training batch of ``size`` samples."""
        low, high = self.sigma
        sigma = torch.rand(size, generator=generator) * (high - low) + low
        return Denoising(sigma / LEVELS)

    def validation(self) -> dict[str, Problem]:
        """Return the problems of validation, by the name under which their PSNR is logged."""
        return {f"sigma_{sigma:g}": Denoising(sigma / LEVELS) for sigma in self.validation_sigmas}
