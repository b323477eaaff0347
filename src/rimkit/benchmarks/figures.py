"""What the benchmarks measured, drawn. Needs ``rimkit[plot]``."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from rimkit.benchmarks.restoring import Size


def large_images_figure(
    sizes: Sequence[Size],
    *,
    memory: float,
    difference: npt.NDArray[np.float32],
    seams: tuple[Sequence[int], Sequence[int]],
) -> Figure:
    """Draw memory and time against size, and what tiles change.

    Parameters
    ----------
    sizes
        What was measured.
    memory
        The budget, in bytes.
    difference
        (H, W), tiled minus untiled, in grey levels.
    seams
        Rows and columns at which a tile begins to fade in.
    """
    with mpl.rc_context({"font.size": 8}):
        figure = Figure(figsize=(10, 3.1), dpi=150, layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        megapixels = [size.megapixels for size in sizes]
        left.plot(megapixels, [size.peak / 1e9 for size in sizes], marker="o")
        left.axhline(memory / 1e9, color="grey", linewidth=0.8, linestyle="--", label="budget")
        left.set_ylabel("peak memory of the process (GB)")
        left.set_ylim(bottom=0)
        left.legend()
        middle.plot(
            megapixels, [size.seconds / size.megapixels for size in sizes], marker="o", color="C1"
        )
        middle.set_ylabel("seconds a megapixel, whole run")
        middle.set_ylim(bottom=0)
        for axis in (left, middle):
            axis.set_xscale("log")
            axis.set_xticks(megapixels, [f"{value:g}" for value in megapixels])
            axis.set_xticks([], minor=True)
            axis.set_xlabel("megapixels")
            axis.grid(linewidth=0.3)
        limit = float(np.abs(difference).max())
        shown = right.imshow(difference, cmap="RdBu", vmin=-limit, vmax=limit)
        for row in seams[0]:
            right.axhline(row, color="grey", linewidth=0.4, linestyle=":")
        for column in seams[1]:
            right.axvline(column, color="grey", linewidth=0.4, linestyle=":")
        right.set_xticks([])
        right.set_yticks([])
        right.set_title(f"tiled minus untiled: at most {limit:.3f}")
        figure.colorbar(shown, ax=right, label="grey levels of 255")
    return figure
