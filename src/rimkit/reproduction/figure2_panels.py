"""The drawing of Figure 2: a panel for each ensemble and share of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rimkit.evaluation.projections import STEPS, TRAINED_STEPS, Panel
from rimkit.reproduction.curves import Curve, average
from rimkit.reproduction.walkers import CLASSICAL

_EARLY = 5  # steps that may lie below a panel: all start far down
_MOST = 8.0  # dB from top to bottom of a panel, so that differences are visible
_HEIGHTS = np.linspace(0.2, 0.8, 13)  # of text, as fractions of a panel
_GREYS = ("0.65", "0.25")


def draw(
    found: Mapping[Panel, Mapping[str, Sequence[Curve]]],
    machines: Sequence[str],
    *,
    deviations: bool = False,
) -> Figure:
    """Draw PSNR by step, with the range over seeds as a band; classical solvers are dashed lines.

    Parameters
    ----------
    found
        By panel and name: a curve for every seed.
    machines
        Names of the methods that are drawn by step.
    deviations
        Whether the band is one standard deviation over patches up and down, as in the paper. It is
        several dB, and hides the differences between methods.
    """
    ensembles = list(dict.fromkeys(panel.ensemble for panel in found))
    shares = list(dict.fromkeys(panel.p for panel in found))
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(
            figsize=(3.1 * len(shares), 2.5 * len(ensembles) + 0.5), layout="constrained"
        )
        axes = figure.subplots(len(ensembles), len(shares), sharex=True, squeeze=False)
        for panel, curves in found.items():
            axis = axes[ensembles.index(panel.ensemble), shares.index(panel.p)]
            _draw_panel(axis, panel, curves, machines, deviations=deviations)
        for axis in axes[-1]:
            axis.set_xlabel("step")
        for axis in axes[:, 0]:
            axis.set_ylabel("PSNR (dB)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)))
    return figure


def _draw_panel(
    axis: Axes,
    panel: Panel,
    curves: Mapping[str, Sequence[Curve]],
    machines: Sequence[str],
    *,
    deviations: bool,
) -> None:
    steps = np.arange(1, STEPS + 1)
    shown: dict[str, list[float]] = {}
    for number, name in enumerate(machines):
        seeds = np.stack([curve.mean[1:] for curve in curves[name]])
        mean = seeds.mean(0)
        axis.plot(steps, mean, color=f"C{number}", linewidth=1.2, label=name)
        low, high = seeds.min(0), seeds.max(0)
        if deviations:
            spread = average(curves[name]).deviation[1:]
            low, high = mean - spread, mean + spread
        axis.fill_between(steps, low, high, color=f"C{number}", alpha=0.25, linewidth=0)
        shown[name] = mean[_EARLY - 1 :].tolist()
    for grey, name in zip(_GREYS, CLASSICAL, strict=True):
        shown[name] = [float(curves[name][0].mean[-1])]
        axis.axhline(shown[name][0], linestyle="--", linewidth=1, color=grey, label=name)
    axis.axvline(TRAINED_STEPS, linestyle=":", linewidth=1, color="black")
    if not deviations:
        _limit(axis, shown)
    axis.set_xlim(0, STEPS)
    axis.set_title(f"{panel.title} ({panel.reals:.0f} real numbers)", fontsize="medium")


def _limit(axis: Axes, shown: Mapping[str, Sequence[float]]) -> None:
    """Limit a panel to its upper decibels, and list what lies below."""
    highest = {
        name: max(finite, default=-np.inf)
        for name, values in shown.items()
        for finite in [[value for value in values if np.isfinite(value)]]
    }
    top = max(highest.values())
    if not np.isfinite(top):
        return
    lowest = min(value for values in shown.values() for value in values if np.isfinite(value))
    bottom = max(lowest, top - _MOST)
    axis.set_ylim(bottom - 0.3, top + 0.3)
    below = [f"{name} {value:.1f}" for name, value in highest.items() if value < bottom]
    if below:
        text = "below:\n" + "\n".join(below)
        low, high = axis.get_ylim()
        ends = [(values[-1] - low) / (high - low) for values in shown.values()]
        height = max(_HEIGHTS, key=lambda h: np.nanmin([abs(h - end) for end in ends]))
        place = axis.transAxes
        axis.text(0.97, height, text, transform=place, ha="right", va="center", fontsize="small")
