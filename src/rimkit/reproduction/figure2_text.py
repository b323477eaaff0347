"""The tables beside Figure 2."""

from __future__ import annotations

import collections
import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from rimkit.evaluation.projections import PATCH, PER_IMAGE, STEPS, TRAINED_STEPS, Panel
from rimkit.evaluation.statistics import Comparison, compare, or_lowest
from rimkit.evaluation.tables import columns
from rimkit.reproduction.curves import Curve, Walks, average
from rimkit.reproduction.walkers import CLASSICAL

_HEADINGS = (
    "seeds",
    f"step {TRAINED_STEPS}",
    "patches",
    "± seeds",
    "best",
    "at step",
    f"step {STEPS}",
    "against best",
    "over classical",
    "95 %",
    "won",
)
_Curves = Mapping[str, Curve]
"""By name, the mean over seeds."""


def report(
    found: Mapping[Panel, Mapping[str, Sequence[Curve]]],
    machines: Mapping[str, Sequence[Walks]],
    *,
    patches: int,
) -> list[str]:
    """Return the tables: all panels together, then one for each."""
    means = {
        panel: {name: average(seeds) for name, seeds in curves.items()}
        for panel, curves in found.items()
    }
    parts = [
        f"{patches:,} patches of {PATCH}x{PATCH} pixels, {PER_IMAGE} of every test image; mean",
        "PSNR in dB. Every method gets the same measurements, sigma = 1. Seeds count as their",
        f"mean. Step {TRAINED_STEPS} is the last of the paper's training, best the highest mean in",
        f"{STEPS} steps; of classical solvers, the last that was tuned. Differences are paired; ±",
        "and 95 % are bootstrap over images, since patches of one image are alike. Standard",
        "deviations: patches, over those; ± seeds, over trainings. Over classical: at step",
        f"{TRAINED_STEPS}, against the better one; won: on how many images. In orders, ± by seeds",
        "is what other trainings would change in the difference of two means (standard error;",
        "paired where both have the same seeds, and by them saw the same patches).",
        "",
        columns(list(_summary(means, machines))),
        "",
        f"Orders at step {TRAINED_STEPS}, and in how many panels:",
        *_orders(means, list(machines)),
    ]
    for panel, curves in found.items():
        parts += [
            "",
            f"{panel.title}: {panel.rows} rows, {panel.reals:.0f} independent real numbers of "
            f"{PATCH**2}",
            columns(list(_panel(curves, means[panel], list(machines)))),
            _order(curves, means[panel], machines),
        ]
    return [*parts, ""]


def best_classical(curves: _Curves) -> str:
    """Name of the classical solver with the higher mean at its end; one that diverged has none."""
    return max(CLASSICAL, key=lambda name: or_lowest(curves[name].mean[-1]))


def _summary(
    means: Mapping[Panel, _Curves], machines: Mapping[str, Sequence[Walks]]
) -> Iterator[list[str]]:
    yield [
        "",
        "parameters",
        "seeds",
        f"step {TRAINED_STEPS}, mean",
        "over classical, least",
        "panels above it",
        f"step {STEPS} against best, worst",
    ]
    for name, seeds in machines.items():
        gains = {panel: _gain(curves, name) for panel, curves in means.items()}
        least = min(gains, key=lambda panel: or_lowest(gains[panel].difference.value))
        losses = {panel: _loss(curves[name]) for panel, curves in means.items()}
        worst = min(losses, key=lambda panel: or_lowest(losses[panel].difference.value))
        yield [
            name,
            f"{seeds[0].parameters:,}",
            str(len(seeds)),
            _decibels(statistics.mean(c[name].mean[TRAINED_STEPS] for c in means.values())),
            f"{_difference(gains[least])} ({least.title})",
            f"{sum(gain.low > 0 for gain in gains.values())} of {len(gains)}",
            f"{_difference(losses[worst], digits=3)} ({worst.title})",
        ]


def _panel(
    curves: Mapping[str, Sequence[Curve]], means: _Curves, machines: Sequence[str]
) -> Iterator[list[str]]:
    yield ["", *_HEADINGS]
    for name in CLASSICAL:
        curve = means[name]
        cells = dict.fromkeys(_HEADINGS, "")
        cells["patches"] = f"{curve.deviation[-1]:.2f}"
        cells["best"], cells["at step"] = _decibels(curve.mean[-1]), str(curve.steps)
        yield [name, *cells.values()]
    for name in machines:
        curve, best = means[name], means[name].best
        ends = _ends(curves[name])
        gain = _gain(means, name)
        yield [
            name,
            str(len(ends)),
            _decibels(curve.mean[TRAINED_STEPS]),
            f"{curve.deviation[TRAINED_STEPS]:.2f}",
            f"{_variance(ends) ** 0.5:.3f}" if len(ends) > 1 else "",
            _decibels(curve.mean[best]),
            str(best),
            _decibels(curve.mean[STEPS]),
            _difference(_loss(curve), digits=3),
            _difference(gain),
            "" if math.isnan(gain.low) else f"[{gain.low:+.2f}, {gain.high:+.2f}]",
            f"{gain.wins}/{gain.images}",
        ]


def _gain(curves: _Curves, name: str) -> Comparison:
    """A machine after the steps of training against the better classical solver at its end."""
    return compare(curves[name].at(TRAINED_STEPS), curves[best_classical(curves)].at(-1))


def _loss(curve: Curve) -> Comparison:
    """The last step against the best one."""
    return compare(curve.at(STEPS), curve.at(curve.best))


def _sorted(curves: _Curves, machines: Sequence[str]) -> list[str]:
    return sorted(machines, key=lambda name: -or_lowest(curves[name].mean[TRAINED_STEPS]))


def _orders(means: Mapping[Panel, _Curves], machines: Sequence[str]) -> list[str]:
    counts = collections.Counter(" > ".join(_sorted(curves, machines)) for curves in means.values())
    return [f"  {order}: {count} of {len(means)}" for order, count in counts.most_common()]


def _order(
    curves: Mapping[str, Sequence[Curve]],
    means: _Curves,
    machines: Mapping[str, Sequence[Walks]],
) -> str:
    """The machines from the best to the worst, each with what it has over the next one."""
    names = _sorted(means, list(machines))
    seeds = {name: [walks.seed for walks in machines[name]] for name in names}
    parts = [names[0]]
    for first, second in itertools.pairwise(names):
        gain = compare(means[first].at(TRAINED_STEPS), means[second].at(TRAINED_STEPS))
        paired = seeds[first] == seeds[second]
        by_seeds = _error_of_seeds(curves[first], curves[second], paired=paired)
        luck = "" if by_seeds is None else f", ± {by_seeds:.2f} by seeds"
        parts.append(f"({_difference(gain)}{luck}) > {second}")
    return f"order at step {TRAINED_STEPS}: {' '.join(parts)}"


def _error_of_seeds(
    first: Sequence[Curve], second: Sequence[Curve], *, paired: bool
) -> float | None:
    """Standard error of a difference between two means over seeds; None where one has one seed."""
    ends = [_ends(first), _ends(second)]
    if min(map(len, ends)) < 2:
        return None
    if paired:
        ends = [[one - other for one, other in zip(*ends, strict=True)]]
    return math.sqrt(sum(_variance(values) / len(values) for values in ends))


def _ends(seeds: Sequence[Curve]) -> list[float]:
    return [float(seed.mean[TRAINED_STEPS]) for seed in seeds]


def _variance(values: Sequence[float]) -> float:
    """Over trainings; NaN where one diverged, on which that of `statistics` stumbles."""
    return float(np.var(values, ddof=1))


def _difference(result: Comparison, *, digits: int = 2) -> str:
    difference = result.difference
    if math.isnan(difference.value):
        return "diverged"
    return f"{difference.value:+.{digits}f} ± {difference.deviation:.{digits}f}"


def _decibels(value: float) -> str:
    return "diverged" if math.isnan(value) else f"{value:.2f}"
