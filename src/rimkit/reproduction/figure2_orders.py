"""Which machine is better in the panels of Figure 2, and whether that is significant."""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from rimkit.evaluation.projections import TRAINED_STEPS, Panel
from rimkit.evaluation.statistics import Comparison, compare, or_lowest
from rimkit.reproduction.curves import Curve, Walks, average
from rimkit.sheets import columns

_CLAIM = ("rim", "ffn", "gdn")
"""From best to worst, as the paper ranks them."""
_BEYOND = 2.0
"""Number of standard errors beyond which a difference is taken for more than luck."""

_Seeds = Mapping[str, Sequence[Curve]]
"""By name, the curve of every seed."""
_Machines = Mapping[str, Sequence[Walks]]


def counted(means: Mapping[Panel, Mapping[str, Curve]], machines: Sequence[str]) -> Iterator[str]:
    """Yield every order that occurs, and in how many panels."""
    orders = collections.Counter(" > ".join(_sorted(curves, machines)) for curves in means.values())
    for found, count in orders.most_common():
        yield f"  {found}: {count} of {len(means)}"


def order(curves: _Seeds, machines: _Machines) -> str:
    """The machines of a panel from best to worst, and the gain of each over the next."""
    names = _sorted({name: average(curves[name]) for name in machines}, list(machines))
    parts = [names[0]]
    for first, second in itertools.pairwise(names):
        parts.append(f"({_Gain(curves, machines, first, second)}) > {second}")
    return f"order at step {TRAINED_STEPS}: {' '.join(parts)}"


def claimed(found: Mapping[Panel, _Seeds], machines: _Machines) -> Iterator[str]:
    """Yield a table for every three machines that the paper ranks."""
    wholes = [name for name in machines if name.endswith(_CLAIM[0])]
    for prefix in [name.removesuffix(_CLAIM[0]) for name in wholes]:
        names = [prefix + part for part in _CLAIM]
        if not all(name in machines for name in names):
            continue
        pairs = list(itertools.pairwise(names))
        lines = [["", *itertools.chain(*((f"{a} over {b}", "") for a, b in pairs)), "order"]]
        for panel, curves in found.items():
            gains = [_Gain(curves, machines, *pair) for pair in pairs]
            cells = itertools.chain(*((str(gain), gain.verdict) for gain in gains))
            lines.append([panel.title, *cells, _of_both([gain.verdict for gain in gains])])
        yield from (
            "",
            f"{' > '.join(names)}, as the paper says? yes, no: by more than {_BEYOND:g} standard",
            "errors of images, and of seeds where there are several; open otherwise.",
            columns(lines),
        )


def difference(result: Comparison, *, digits: int = 2) -> str:
    """A difference and its standard error over images."""
    if math.isnan(result.difference.value):
        return "diverged"
    return f"{result.difference:+.{digits}f}"


def ends(seeds: Sequence[Curve]) -> list[float]:
    """PSNR of every seed at the step where the paper's training ends."""
    return [float(seed.mean[TRAINED_STEPS]) for seed in seeds]


def variance(values: Sequence[float]) -> float:
    """Variance over trainings; NaN if one diverged, on which `statistics.variance` fails."""
    return float(np.var(values, ddof=1))


class _Gain:
    """The gain of one machine over another in a panel, with its errors."""

    def __init__(self, curves: _Seeds, machines: _Machines, first: str, second: str) -> None:
        both = curves[first], curves[second]
        self._over_images = compare(*(average(seeds).at(TRAINED_STEPS) for seeds in both))
        seeds = [[walks.seed for walks in machines[name]] for name in (first, second)]
        self._by_seeds = _error_of_seeds(*map(ends, both), paired=seeds[0] == seeds[1])

    def __str__(self) -> str:
        luck = "" if self._by_seeds is None else f", ± {self._by_seeds:.2f} by seeds"
        return difference(self._over_images) + luck

    @property
    def verdict(self) -> str:
        """Whether the first is better: yes, no or open."""
        gain = self._over_images.difference
        if not abs(gain.value) > _BEYOND * max(gain.deviation, self._by_seeds or 0.0):
            return "open"
        return "yes" if gain.value > 0 else "no"


def _of_both(verdicts: Sequence[str]) -> str:
    if "no" in verdicts:
        return "refuted"
    return "open" if "open" in verdicts else "confirmed"


def _sorted(curves: Mapping[str, Curve], machines: Sequence[str]) -> list[str]:
    return sorted(machines, key=lambda name: -or_lowest(curves[name].mean[TRAINED_STEPS]))


def _error_of_seeds(
    first: Sequence[float], second: Sequence[float], *, paired: bool
) -> float | None:
    """Standard error of a difference of two means over seeds; None if either has only one seed."""
    if min(len(first), len(second)) < 2:
        return None
    if paired:
        return math.sqrt(variance(np.subtract(first, second).tolist()) / len(first))
    return math.sqrt(sum(variance(values) / len(values) for values in (first, second)))
