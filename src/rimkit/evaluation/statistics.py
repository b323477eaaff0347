"""How sure a mean over test images is, and a difference of two methods on the same images."""

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
    """A mean over images and its standard deviation, by bootstrap; NaN where none is known.

    As text it is both, in the format of the value: ``f"{mean:+.2f}"`` is ``+0.12 ± 0.03``.
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
    """A method against another one, image by image.

    Attributes
    ----------
    difference
        Mean over images of what the first has more, and its standard deviation.
    low, high
        Between which 95 % of the resampled means lie.
    wins
        Images on which the first has more.
    images
        How many there are.
    """

    difference: Mean
    low: float
    high: float
    wins: int
    images: int


def bootstrap_mean(values: Sequence[float]) -> Mean:
    """Mean of one score for every image, with its standard deviation over 10,000 resamples.

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
        If there are not as many scores of both, or none.
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
    """A value to sort by: NaN, as of a solver that diverged, is below all others."""
    return -math.inf if math.isnan(value) else float(value)


def _resampled_means(values: _Scores) -> _Scores:
    if len(values) == 0:
        raise ValueError("there is no mean of no images")
    rng = np.random.default_rng(_SEED)
    chosen = rng.integers(len(values), size=(_RESAMPLES, len(values)))
    means: _Scores = values[chosen].mean(axis=1)
    return means
