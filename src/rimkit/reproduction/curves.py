"""PSNR by step on random projections: the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rimkit.evaluation.projections import Panel
from rimkit.reproduction.method import Settings

Values = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Curve:
    """PSNR in dB of the patches of every image, at the start and after every step.

    Attributes
    ----------
    means, squares
        (images, steps + 1): mean over the patches of an image, of PSNR and of its square. NaN once
        the solver has diverged on the image and, if classical, between its first and last step.
    """

    means: Values
    squares: Values

    @property
    def steps(self) -> int:
        """Number of steps taken."""
        return int(self.means.shape[1]) - 1

    @property
    def mean(self) -> Values:
        """Mean over all patches, by step: (steps + 1,)."""
        mean: Values = self.means.mean(0)
        return mean

    @property
    def deviation(self) -> Values:
        """Standard deviation over all patches, by step: (steps + 1,)."""
        variance: Values = self.squares.mean(0) - self.mean**2
        return np.sqrt(np.maximum(variance, 0))

    @property
    def best(self) -> int:
        """The step, from 1, with the highest mean."""
        return int(np.nan_to_num(self.mean[1:], nan=-np.inf).argmax()) + 1

    def at(self, step: int) -> list[float]:
        """Mean over the patches of each image after a step."""
        values: list[float] = self.means[:, step].tolist()
        return values


@dataclasses.dataclass(frozen=True)
class Walks:
    """What a solver did in every panel, and what must be known of it once it is gone.

    Attributes
    ----------
    name, parameters, seed
        As in `SolverMethod`.
    settings
        By panel: all that its values depend on.
    measured_by
        The versions that measured its curves.
    curves
        By panel.
    """

    name: str
    parameters: int | None
    seed: int | None
    settings: Mapping[Panel, Settings]
    measured_by: Sequence[str]
    curves: Mapping[Panel, Curve]


def average(curves: Sequence[Curve]) -> Curve:
    """Return the mean over trainings that differ in the seed alone.

    Its deviation is over patches, from the mean variance; differences between seeds do not count.
    """
    between_seeds = np.var([curve.mean for curve in curves], axis=0)
    return Curve(
        np.mean([curve.means for curve in curves], axis=0),
        np.mean([curve.squares for curve in curves], axis=0) - between_seeds,
    )
