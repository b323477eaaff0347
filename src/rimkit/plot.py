"""Figures of images and of the progress of a solver. Needs ``rimkit[plot]``.

Every function returns a matplotlib figure that is not registered with pyplot: save it, or show it
in a notebook (after ``%matplotlib inline``). With ``axes`` it draws on those.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence

from torch import Tensor

from rimkit.metrics import psnr
from rimkit.operators import Window
from rimkit.solver import Solution

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "rimkit.plot needs matplotlib: pip install '.[plot]' in a copy of the repository",
        name="matplotlib",
    ) from error

_SIDE = 2.6  # of an image, in inches
_TITLE = 32  # characters per line of a title
_LINE = 0.22  # inches
_DPI = 150
_MOST = 6  # estimates shown by default


def compare(
    images: Mapping[str, Tensor],
    *,
    truth: Tensor | None = None,
    sample: int = 0,
    window: Window | None = None,
    columns: int | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Show images side by side, the truth last, with their PSNR in dB.

    Parameters
    ----------
    images
        Title to image: (N, C, H, W) with one or three channels, clipped to [0, 1]. An image of
        another size than the truth, such as a small y, has no PSNR.
    truth
        (N, C, H, W), if known.
    sample
        Which image of the batch to show.
    window
        Rows and columns to show of images of the truth's size; the PSNR is of the whole image.
    columns
        Images per row; all in one row if None.
    axes
        Axes to draw on: one per image, including the truth.

    Raises
    ------
    ValueError
        If there are no images, one is not an image, columns is less than 1, or axes are missing.
    """
    if columns is not None and columns < 1:
        raise ValueError(f"columns must be at least 1, got {columns}")
    panels = [(_scored(title, x, truth, sample), x) for title, x in images.items()]
    panels += [("truth", truth)] if truth is not None else []
    whole = None if truth is None else tuple(truth.shape[-2:])
    return _panels(panels, sample=sample, window=window, columns=columns, axes=axes, whole=whole)


def trajectory(
    solution: Solution,
    *,
    truth: Tensor | None = None,
    steps: Sequence[int] | None = None,
    sample: int = 0,
    window: Window | None = None,
    axes: Sequence[Axes] | None = None,
) -> Figure:
    """Show the estimates after some steps, with their PSNR in dB if the truth is known.

    Parameters
    ----------
    solution
        Returned by ``solve(..., keep=True)``.
    truth, sample, window, axes
        As in `compare`; the truth itself is not shown.
    steps
        Steps to show; 0 is the start. If None, up to six, denser among the early ones.

    Raises
    ------
    ValueError
        If the solution has no estimates, or not those of ``steps``.
    """
    estimates = _estimates(solution)
    last = len(estimates) - 1
    if steps is None:
        steps = sorted({round(last * (i / (_MOST - 1)) ** 2) for i in range(_MOST)})
    if not all(0 <= step <= last for step in steps):
        raise ValueError(
            f"this solution has only the estimates 0 to {last}, got steps={list(steps)}"
        )
    panels = []
    for step in steps:
        title = f"step {step}" if step else "start"
        panels.append((_scored(title, estimates[step], truth, sample), estimates[step]))
    return _panels(panels, sample=sample, window=window, axes=axes)


def progress(
    solution: Solution,
    *,
    truth: Tensor | None = None,
    others: Mapping[str, float] | None = None,
    mark: int | None = None,
    label: str | None = None,
    axes: Axes | None = None,
) -> Figure:
    """Plot PSNR by step or, if the truth is unknown, how far each step moves the estimate.

    One curve per image of the batch. The distance is the root mean square that ``tolerance`` of
    `rimkit.Solver.solve` refers to, on a logarithmic axis, until the image stopped.

    Parameters
    ----------
    solution
        Returned by ``solve(..., keep=True)``.
    truth
        (N, C, H, W), if known.
    others
        PSNR in dB of other methods, drawn as horizontal lines.
    mark
        A step to mark, such as the model's default number.
    label
        Of the curves in the legend.
    axes
        Axes to draw on.

    Raises
    ------
    ValueError
        If the solution has no estimates, or others are given without the truth.
    """
    estimates = _estimates(solution)
    if others and truth is None:
        raise ValueError("others need the truth to compute their PSNR: give truth, too")
    if axes is None:
        axes = Figure(figsize=(5, 3.4), dpi=_DPI, layout="constrained").subplots()
    for image in range(estimates.shape[1]):
        stopped = int(solution.steps_taken[image])
        path = estimates[:, image]
        if truth is not None:
            first, values = 0, psnr(path, truth[image].expand_as(path)).tolist()
        else:
            moved = path[1 : stopped + 1] - path[:stopped]
            first, values = 1, moved.square().flatten(1).mean(1).sqrt().tolist()
        axes.plot(
            range(first, first + len(values)),
            values,
            marker="o",
            markersize=3,
            color="black" if estimates.shape[1] == 1 else None,
            label=label if image == 0 else None,
        )
    for number, (name, value) in enumerate((others or {}).items()):
        axes.axhline(value, linestyle="--", linewidth=1, color=f"C{number}", label=name)
    if mark is not None:
        axes.axvline(mark, linestyle=":", color="grey", linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("step" if mark is None else f"step (dotted: {mark})")
    axes.set_title("PSNR by step" if truth is not None else "Size of each step")
    axes.set_ylabel("PSNR (dB)" if truth is not None else "change of the estimate (RMS)")
    if truth is None:
        axes.set_yscale("log")
    if others or label is not None:
        axes.legend(fontsize="x-small", loc="center right")
    return _figure(axes)


def _panels(
    panels: Sequence[tuple[str, Tensor]],
    *,
    sample: int,
    window: Window | None,
    axes: Sequence[Axes] | None,
    columns: int | None = None,
    whole: tuple[int, ...] | None = None,
) -> Figure:
    """Draw titled images on one row of axes, or on several rows of ``columns`` each.

    ``whole`` is the size of the images to which the window applies; that of the widest if None.
    """
    if not panels:
        raise ValueError("there is no image to show")
    for title, x in panels:
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise ValueError(
                f"images must be (N, 1 or 3, H, W), but {title!r} has shape {tuple(x.shape)}"
            )
    titles = [_broken(title) for title, _ in panels]
    widest = max(panels, key=lambda panel: panel[1].shape[-1])[1]
    largest = tuple(widest.shape[-2:]) if whole is None else whole
    if axes is None:
        height, width = largest
        if window is not None:
            height = len(range(*window[0].indices(height)))
            width = len(range(*window[1].indices(width)))
        lines = max(title.count("\n") for title in titles) + 1
        across = min(columns or len(panels), len(panels))
        down = math.ceil(len(panels) / across)
        each = _SIDE * height / width + _LINE * lines + 0.08
        figure = Figure(figsize=(_SIDE * across, each * down), dpi=_DPI, layout="constrained")
        axes = list(figure.subplots(down, across, squeeze=False).flat)
        for empty in axes[len(panels) :]:
            empty.set_axis_off()
    if len(axes) < len(panels):
        raise ValueError(f"there are {len(panels)} images, but {len(axes)} axes")
    for axis, title, (_, x) in zip(axes, titles, panels, strict=False):
        image = x[sample].detach().float().clamp(0, 1).cpu()
        if window is not None and tuple(image.shape[-2:]) == largest:
            image = image[:, *window]
        axis.imshow(image.movedim(0, -1).squeeze(-1).numpy(), cmap="gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize="medium")
        axis.set_axis_off()
    return _figure(axes[0])


def _scored(title: str, x: Tensor, truth: Tensor | None, sample: int) -> str:
    """The title, with the PSNR where there is one."""
    if truth is None or x.shape != truth.shape:
        return title
    return f"{title}, {psnr(x, truth)[sample].item():.2f} dB"


def _broken(title: str) -> str:
    """The title, wrapped so that it does not run into the next image's."""
    lines = title.replace(" dB", "\N{NO-BREAK SPACE}dB").splitlines()
    broken = "\n".join(textwrap.fill(line, _TITLE, break_on_hyphens=False) for line in lines)
    return broken.replace("\N{NO-BREAK SPACE}dB", " dB")


def _estimates(solution: Solution) -> Tensor:
    if solution.trajectory is None:
        raise ValueError("this solution kept no estimates: solve with keep=True")
    return solution.trajectory


def _figure(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None  # noqa: S101, only axes that were removed have none
    return figure
