"""Uncertainty of a mean over test images, and of the difference of two methods on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_Scores = npt.NDArray[np.float64]
_RESAMPLES = 10_000
_SEED = 20170613


@dataclasses.dataclass(frozen=True)
class Mean:
    """A mean over images and its standard deviation, by bootstrap; NaN if unknown.

    As text it shows both, in the given format: ``f"{mean:+.2f}"`` is ``+0.12 ± 0.03``.
    """

    value: float
    deviation: float

    def __format__(self, spec: str) -> str:
        value = format(self.value, spec)
        if math.isnan(self.deviation):
            return value
        return f"{value} ± {format(self.deviation, spec.removeprefix('+'))}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One method against another, image by image.

    Attributes
    ----------
    difference
        Mean over images of first minus second, with its standard deviation.
    low, high
        Bounds between which 95 % of the resampled means lie.
    wins
        Number of images on which the first scores higher.
    images
        Number of images.
    """

    difference: Mean
    low: float
    high: float
    wins: int
    images: int


def bootstrap_mean(values: Sequence[float]) -> Mean:
    """Mean of one score per image, with its standard deviation over 10,000 resamples.

    Raises
    ------
    ValueError
        If there are no values.
    """
    deviation = float(_resampled_means(np.asarray(values, np.float64)).std())
    return Mean(float(np.mean(values)), deviation)


def compare(first: Sequence[float], second: Sequence[float]) -> Comparison:
    """Compare two methods on the same images, in the same order.

    Raises
    ------
    ValueError
        If the numbers of scores differ, or there are none.
    """
    if len(first) != len(second):
        raise ValueError(f"these are not the same images: {len(first)} scores, {len(second)}")
    differences = np.subtract(first, second, dtype=np.float64)
    means = _resampled_means(differences)
    low, high = np.quantile(means, (0.025, 0.975))
    return Comparison(
        Mean(float(differences.mean()), float(means.std())),
        float(low),
        float(high),
        wins=int((differences > 0).sum()),
        images=len(differences),
    )


def or_lowest(value: float) -> float:
    """A value to sort by: NaN, as from a solver that diverged, ranks below all others."""
    return -math.inf if math.isnan(value) else float(value)


def _resampled_means(values: _Scores) -> _Scores:
    if len(values) == 0:
        raise ValueError("there is no mean of no images")
    rng = np.random.default_rng(_SEED)
    chosen = rng.integers(len(values), size=(_RESAMPLES, len(values)))
    means: _Scores = values[chosen].mean(axis=1)
    return means
