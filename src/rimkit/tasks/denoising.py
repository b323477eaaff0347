"""Additive Gaussian noise."""

from __future__ import annotations

import dataclasses
import functools
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rimkit import settings
from rimkit.pixels import LEVELS
from rimkit.problem import UNLIKELY, Denoising, Problem
from rimkit.tasks.base import Measure, register

Quantised = Literal["no", "unknown", "known", "half"]


@register
@dataclasses.dataclass(frozen=True)
class DenoisingTask:
    """Additive Gaussian noise, sigma uniform in a range, one value per sample.

    Attributes
    ----------
    sigma
        Smallest and largest sigma in training, in grey levels (of 255).
    validation_sigmas
        The noise levels used in validation.
    quantised
        Whether y is clipped and rounded to 8 bits, as in a file: "no"; "unknown": yes, but the
        likelihood ignores it; "known": yes, and in the likelihood; or "half": "known" for half of
        the batches on average and "no" for the others, so that one machine learns both likelihoods.
    """

    table_name: ClassVar[str] = "denoising"

    sigma: tuple[float, float] = (0.0, 55.0)
    validation_sigmas: tuple[float, float, float] = (15.0, 25.0, 50.0)
    quantised: Quantised = "no"

    def __post_init__(self) -> None:
        settings.check_types(self, where="task")
        low, high = self.sigma
        most = UNLIKELY * LEVELS
        if not 0 <= low <= high <= most:
            raise ValueError(
                f"sigma must be a range 0 <= low <= high <= {most:g} (grey levels), got {low} to "
                f"{high}"
            )
        if not all(0 <= sigma < float("inf") for sigma in self.validation_sigmas):
            raise ValueError(
                f"validation_sigmas must be non-negative, got {self.validation_sigmas}"
            )

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw sigma and noise for every sample, and for the batch whether it is rounded."""
        quantised = self.quantised
        if quantised == "half":
            quantised = "known" if torch.rand((), generator=generator) < 0.5 else "no"
        low, high = self.sigma
        sigma = torch.rand(x.shape[0], generator=generator) * (high - low) + low
        return _noisy(quantised, sigma, x, generator)

    def validation(self) -> dict[str, Measure]:
        """Fixed levels; for "half" both without rounding and, named ``_rounded``, with it."""
        kinds: dict[str, Quantised] = {"": self.quantised}
        if self.quantised == "half":
            kinds = {"": "no", "_rounded": "known"}
        return {
            f"sigma_{sigma:g}{ending}": functools.partial(_noisy, quantised, sigma)
            for ending, quantised in kinds.items()
            for sigma in self.validation_sigmas
        }


def _noisy(
    quantised: Quantised, sigma: Tensor | float, x: Tensor, generator: torch.Generator
) -> tuple[Problem, Tensor]:
    true = Denoising(sigma / LEVELS, levels=None if quantised == "no" else LEVELS)
    assumed = true if quantised == "known" else Denoising(sigma / LEVELS)
    return assumed, true.simulate(x, generator=generator)
