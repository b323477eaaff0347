"""The tables beside Figure 2."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

from rimkit.evaluation.projections import PATCH, PER_IMAGE, STEPS, TRAINED_STEPS, Panel
from rimkit.evaluation.statistics import Comparison, compare, or_lowest
from rimkit.reproduction.curves import Curve, Walks, average
from rimkit.reproduction.figure2_orders import (
    claimed,
    counted,
    difference,
    ends,
    order,
    variance,
)
from rimkit.reproduction.walkers import CLASSICAL
from rimkit.sheets import columns

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
"""The mean over seeds, by name."""


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
        *counted(means, list(machines)),
        *claimed(found, machines),
    ]
    for panel, curves in found.items():
        parts += [
            "",
            f"{panel.title}: {panel.rows} rows, {panel.reals:.0f} independent real numbers of "
            f"{PATCH**2}",
            columns(list(_panel(curves, means[panel], list(machines)))),
            order(curves, machines),
        ]
    return [*parts, ""]


def best_classical(curves: _Curves) -> str:
    """Name of the classical solver with the higher mean at its end; one that diverged is lowest."""
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
            f"{difference(gains[least])} ({least.title})",
            f"{sum(gain.low > 0 for gain in gains.values())} of {len(gains)}",
            f"{difference(losses[worst], digits=3)} ({worst.title})",
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
        last = ends(curves[name])
        gain = _gain(means, name)
        yield [
            name,
            str(len(last)),
            _decibels(curve.mean[TRAINED_STEPS]),
            f"{curve.deviation[TRAINED_STEPS]:.2f}",
            f"{variance(last) ** 0.5:.3f}" if len(last) > 1 else "",
            _decibels(curve.mean[best]),
            str(best),
            _decibels(curve.mean[STEPS]),
            difference(_loss(curve), digits=3),
            difference(gain),
            "" if math.isnan(gain.low) else f"[{gain.low:+.2f}, {gain.high:+.2f}]",
            f"{gain.wins}/{gain.images}",
        ]


def _gain(curves: _Curves, name: str) -> Comparison:
    """Compare a machine after its training steps with the better classical solver at its end."""
    return compare(curves[name].at(TRAINED_STEPS), curves[best_classical(curves)].at(-1))


def _loss(curve: Curve) -> Comparison:
    """Compare the last step with the best one."""
    return compare(curve.at(STEPS), curve.at(curve.best))


def _decibels(value: float) -> str:
    return "diverged" if math.isnan(value) else f"{value:.2f}"
