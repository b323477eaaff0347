"""Random projections of patches (Section 4.4)."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rimkit import settings, tree
from rimkit.noises import GaussianNoise
from rimkit.operators import DenseProjection, FourierProjection, LinearOperator
from rimkit.operators.rows import row_count
from rimkit.pixels import LEVELS
from rimkit.problem import Denoising, Problem
from rimkit.tasks.base import Measure, register

Ensemble = Literal["gaussian", "binary", "fourier"]

ENSEMBLES: dict[Ensemble, Callable[..., LinearOperator]] = {
    "gaussian": DenseProjection.gaussian,
    "binary": DenseProjection.binary,
    "fourier": FourierProjection.draw,
}
"""How the operators of the paper's Section 4.4 are drawn."""


@register
@dataclasses.dataclass(frozen=True)
class RandomProjectionsTask:
    """Random projections of patches (Section 4.4): one ensemble and one p per batch.

    The rows are drawn anew for every sample.

    Attributes
    ----------
    ensembles, p
        Choices from which each batch draws one; p is the share of rows, in (0, 1].
    fourier_most
        Largest p drawn for the Fourier ensemble: with all of its rows, y is the image with noise,
        and a model trained on it learns to denoise.
    sigma
        Noise level in the units of y; rows are not normalised.
    noisier, least_rows
        Share of the samples that have more noise in training, up to the level at which all rows
        together carry as much information as ``least_rows`` rows at ``sigma``.
    validation_p
        Shares of rows in validation; if empty, those of training.
    validation_sigmas
        Noise levels of images, in grey levels (of 255), at which denoising is validated, too; not
        used in training.
    """

    table_name: ClassVar[str] = "random-projections"
    on_patches: ClassVar[bool] = True

    ensembles: tuple[Ensemble, ...] = ("gaussian", "binary", "fourier")
    p: tuple[float, ...] = (0.1, 0.2, 0.4, 0.6)
    fourier_most: float = 1.0
    sigma: float = 1.0
    noisier: float = 0.0
    least_rows: int = 20
    validation_p: tuple[float, ...] = ()
    validation_sigmas: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        settings.check_types(self, where="task")
        if not self.ensembles or not set(self.ensembles) <= set(ENSEMBLES):
            raise ValueError(
                f"ensembles must be one or more of {', '.join(ENSEMBLES)}, got {self.ensembles}"
            )
        if not self.p or not all(0 < p <= 1 for p in (*self.p, *self.validation_p)):
            raise ValueError(f"p must lie in (0, 1], got {self.p} and {self.validation_p}")
        if "fourier" in self.ensembles and not min(self.p) <= self.fourier_most:
            raise ValueError(
                f"fourier_most must be at least the smallest p, got {self.fourier_most}"
            )
        if not 0 < self.sigma < float("inf"):
            raise ValueError(f"sigma must be positive, got {self.sigma}")
        if not 0 <= self.noisier <= 1 or self.least_rows < 1:
            raise ValueError(
                "noisier must lie in [0, 1] and least_rows must be at least 1, "
                f"got {self.noisier} and {self.least_rows}"
            )
        if not all(0 < sigma < float("inf") for sigma in self.validation_sigmas):
            raise ValueError(f"validation_sigmas must be positive, got {self.validation_sigmas}")

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw ensemble and p for the batch, and rows and noise for every sample."""
        ensemble = self.ensembles[_number(len(self.ensembles), generator)]
        shares = self._shares(ensemble)
        p = shares[_number(len(shares), generator)]
        return self.project(ensemble, p, x, generator, sigma=self._sigma(p, x, generator))

    def _shares(self, ensemble: Ensemble) -> list[float]:
        most = self.fourier_most if ensemble == "fourier" else 1.0
        return [p for p in self.p if p <= most]

    def _sigma(self, p: float, x: Tensor, generator: torch.Generator) -> Tensor | float:
        if not self.noisier:
            return self.sigma
        most = max(1.0, math.sqrt(row_count(p, (x.shape[2], x.shape[3])) / self.least_rows))
        chosen, exponent = torch.rand(2, x.shape[0], generator=generator)
        sigma: Tensor = self.sigma * most ** (exponent * (chosen < self.noisier))
        return sigma

    def validation(self) -> dict[str, Measure]:
        """Every ensemble with each of its p, and denoising at ``validation_sigmas``."""
        projections = {
            f"{ensemble}_{p:g}": functools.partial(self.project, ensemble, p)
            for ensemble in self.ensembles
            for p in self.validation_p or self._shares(ensemble)
        }
        noise = {
            f"sigma_{sigma:g}": functools.partial(_noisy, sigma) for sigma in self.validation_sigmas
        }
        return {**projections, **noise}

    def project(
        self,
        ensemble: Ensemble,
        p: float,
        x: Tensor,
        generator: torch.Generator,
        *,
        sigma: Tensor | float | None = None,
    ) -> tuple[Problem, Tensor]:
        """Draw rows for every sample of x (N, C, H, W), and measure x; sigma None: the task's."""
        size = (x.shape[2], x.shape[3])
        operator = ENSEMBLES[ensemble](p, size, samples=x.shape[0], generator=generator)
        noise = GaussianNoise(self.sigma if sigma is None else sigma)
        problem = tree.move(Problem(operator, noise), device=x.device, dtype=x.dtype)
        return problem, problem.simulate(x, generator=generator)


def _noisy(sigma: float, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
    problem = Denoising(sigma / LEVELS)
    return problem, problem.simulate(x, generator=generator)


def _number(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (), generator=generator))
