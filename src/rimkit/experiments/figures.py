"""Figures of the results of a study. Needs ``rimkit[plot]``."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from rimkit.experiments.report import Line
from rimkit.experiments.result import Result

FORMATS = frozenset({"eps", "jpeg", "jpg", "pdf", "png", "ps", "svg", "tif", "tiff", "webp"})
"""File extensions to which a figure can be written."""


def gains_figure(title: str, lines: Sequence[Line]) -> Figure:
    """Draw the gain of every choice over the first, in dB, with its standard error over seeds.

    Choices that lose more than two dB are drawn at the left edge, next to their value.
    """
    worst = -2.0
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(7.5, 0.9 + 0.19 * len(lines)), dpi=150, layout="constrained")
        axis = figure.subplots()
        groups = list(dict.fromkeys(line.choice.group for line in lines))
        for place, line in enumerate(reversed(lines)):
            gain = line.gain_over(lines[0])
            color = f"C{groups.index(line.choice.group) % 10}"
            error = line.error_over(lines[0])
            axis.errorbar(max(gain, worst), place, xerr=error, fmt="o", markersize=4, color=color)
            label = f"{gain:+.2f}"
            axis.annotate(label, (1.01, place), xycoords=("axes fraction", "data"), va="center")
        axis.set_yticks(range(len(lines)), [line.choice.name for line in reversed(lines)])
        axis.axvline(0, color="grey", linewidth=0.8)
        lowest = np.nanmin([0.0, *(line.gain_over(lines[0]) for line in lines)])  # NaN: diverged
        axis.set_xlim(left=max(worst, lowest) - 0.1)
        axis.set_xlabel(f"mean PSNR over the held-out images against “{lines[0].choice.name}” (dB)")
        axis.set_title(title)
        axis.grid(axis="x", linewidth=0.3)
    return figure


_SHOWN = 3.0  # dB below the best: anything lower leaves the figure


def curves_figure(title: str, results: Sequence[Result]) -> Figure:
    """Draw mean PSNR over the held-out images against training minutes, a curve per training."""
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(7, 4.2), dpi=150, layout="constrained")
        axis = figure.subplots()
        colors = {name: f"C{i}" for i, name in enumerate(dict.fromkeys(map(_name, results)))}
        for result in results:
            axis.plot(
                [result.minutes(look) for look in result.looks],
                [look.mean for look in result.looks],
                marker="o",
                markersize=3,
                color=colors[_name(result)],
                label=_name(result) if result.seed == 0 else None,
            )
        axis.set_xscale("log")
        best = np.nanmax([look.mean for result in results for look in result.looks])
        axis.set_ylim(bottom=max(axis.get_ylim()[0], best - _SHOWN))
        ticks = [tick for tick in (1, 2, 5, 10, 15, 30, 60, 120, 240) if _within(tick, axis)]
        axis.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        axis.set_xticks([], minor=True)
        axis.set_xlabel("minutes of training (updates times the time of one, nothing else running)")
        axis.set_ylabel("mean PSNR on held-out images (dB)")
        axis.set_title(title)
        axis.grid(linewidth=0.3)
        axis.legend()
    return figure


def _name(result: Result) -> str:
    return result.choice.name


def _within(tick: float, axis: mpl.axes.Axes) -> bool:
    low, high = axis.get_xlim()
    return bool(low <= tick <= high)
