"""Figures. Needs ``rimkit[plot]``."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from torch import Tensor

from rimkit.metrics import psnr


def demo_figure(
    y: Tensor,
    trajectory: Tensor,
    truth: Tensor,
    *,
    steps: int,
    baselines: dict[str, float],
    window: tuple[slice, slice] = (slice(60, 260), slice(150, 350)),
) -> Figure:
    """Noisy, restored, truth (a cut-out of each), and PSNR by step.

    Parameters
    ----------
    y, truth
        (1, 1, H, W) in [0, 1].
    trajectory
        Estimates (T + 1, 1, 1, H, W), the start first.
    steps
        The model's own number of steps: marked, and shown as "restored".
    baselines
        PSNR in dB of other methods, drawn as lines.
    window
        Rows and columns of the cut-out.
    """
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(11, 3.4), dpi=150, layout="constrained")
        axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.35])
        restored = trajectory[steps]
        for axis, title, image in zip(
            axes,
            (
                f"noisy, {psnr(y, truth).item():.2f} dB",
                f"restored, {psnr(restored, truth).item():.2f} dB",
                "truth",
            ),
            (y, restored, truth),
            strict=False,
        ):
            axis.imshow(image[0, 0][window].clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
            axis.set_title(title)
            axis.set_axis_off()
        _psnr_by_step(axes[3], trajectory, truth, steps=steps, baselines=baselines)
    return figure


def _psnr_by_step(
    axis: Any, trajectory: Tensor, truth: Tensor, *, steps: int, baselines: dict[str, float]
) -> None:
    values = [psnr(x, truth).item() for x in trajectory]
    axis.plot(values, marker="o", markersize=3, color="black", label="recurrent inference machine")
    for number, (name, value) in enumerate(baselines.items()):
        axis.axhline(value, linestyle="--", linewidth=1, color=f"C{number}", label=name)
    axis.axvline(steps, linestyle=":", color="grey", linewidth=1)
    axis.set_xlabel(f"step (dotted: the model's own number, {steps})")
    axis.set_ylabel("PSNR (dB)")
    axis.set_title("PSNR by step")
    axis.legend(fontsize=7, loc="center right")
