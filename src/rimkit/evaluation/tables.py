"""Tables of scores: published rows and measured ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from rimkit.evaluation.denoising import Condition, ImageScore, psnr_of
from rimkit.evaluation.images import ROTH_BLACK
from rimkit.evaluation.published import PublishedScore
from rimkit.evaluation.statistics import Comparison, Mean, bootstrap_mean
from rimkit.sheets import columns, write_csv

SIGMAS = (15.0, 25.0, 50.0)


@dataclasses.dataclass(frozen=True)
class Row:
    """A method in a table.

    Attributes
    ----------
    method
        Its name.
    psnr
        Mean in dB by number of images and condition, with its deviation where known.
    parameters, seconds, memory
        Its costs: number of parameters, seconds per image, MB.
    source, settings
        Where the numbers are from, and how it was run.
    """

    method: str
    psnr: dict[tuple[int, Condition], Mean]
    parameters: int | None = None
    seconds: float | None = None
    memory: float | None = None
    source: str = ""
    settings: str = ""


def published_rows(scores: Iterable[PublishedScore]) -> list[Row]:
    """One row for every published method, in the order of the file."""
    rows: dict[str, Row] = {}
    for score in scores:
        new = Row(score.method, {}, parameters=score.parameters, source=score.source)
        row = rows.setdefault(score.method, new)
        place = score.images, Condition(score.sigma, score.quantised)
        row.psnr[place] = Mean(score.psnr, float("nan"))
    return list(rows.values())


def measured_row(
    method: str,
    scores: Sequence[ImageScore],
    *,
    parameters: int | None = None,
    seconds: float | None = None,
    memory: float | None = None,
    settings: str = "",
) -> Row:
    """The row of a method that was scored here."""
    conditions = list(dict.fromkeys(score.condition for score in scores))
    count = len({score.image for score in scores})
    psnr = {
        (images, condition): bootstrap_mean(psnr_of(scores, condition, images=images))
        for images in sorted({min(ROTH_BLACK, count), count})
        for condition in conditions
    }
    return Row(
        method,
        psnr,
        parameters,
        seconds,
        memory,
        source="measured here",
        settings=settings,
    )


def format_rows(
    rows: Sequence[Row],
    *,
    conditions: Sequence[Condition],
    images: Sequence[int] | None = None,
    deviations: bool = False,
) -> str:
    """Format rows as a text table.

    Parameters
    ----------
    rows
        Methods.
    conditions, images
        The columns, in order, of which those that no row has are left out. All numbers of images
        if None.
    deviations
        Whether to show known deviations.
    """
    there = {place for row in rows for place in row.psnr}
    places = [
        (count, condition)
        for count in images or sorted({count for count, _ in there})
        for condition in conditions
        if (count, condition) in there
    ]
    lines = [["PSNR in dB", "parameters", *(_heading(*place) for place in places)]]
    lines[0] += ["s/image", "peak MB"]
    for row in rows:
        cells = [row.method, f"{row.parameters:,}" if row.parameters else ""]
        cells += [_mean(row.psnr.get(place), deviations=deviations) for place in places]
        cells += ["" if row.seconds is None else f"{row.seconds:.2f}"]
        cells += ["" if row.memory is None else f"{row.memory:,.0f}"]
        lines.append(cells)
    keep = [i for i in range(len(lines[0])) if i < 2 or any(cells[i] for cells in lines[1:])]
    return columns([[cells[i] for i in keep] for cells in lines])


def difference_cell(result: Comparison, *, digits: int = 2) -> str:
    """Format a paired difference: mean, bounds of 95 % of the resampled means, images won."""
    mean, low, high = (
        f"{value:+.{digits}f}" for value in (result.difference.value, result.low, result.high)
    )
    return f"{mean} [{low}, {high}] {result.wins}/{result.images}"


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write rows as CSV, one line per score."""
    lines = [
        {
            "method": row.method,
            "parameters": row.parameters,
            "images": images,
            "sigma": f"{condition.sigma:g}",
            "quantised": "yes" if condition.quantised else "no",
            "psnr_db": f"{mean.value:.4f}".rstrip("0").rstrip("."),
            "deviation": None if math.isnan(mean.deviation) else f"{mean.deviation:.4f}",
            "seconds_per_image": None if row.seconds is None else f"{row.seconds:.4f}",
            "peak_memory_mb": None if row.memory is None else f"{row.memory:.0f}",
            "source": row.source,
            "settings": row.settings,
        }
        for row in rows
        for (images, condition), mean in row.psnr.items()
    ]
    write_csv(lines, path)


def _heading(images: int, condition: Condition) -> str:
    return f"{images}: {condition.sigma:g}" + (" 8-bit" if condition.quantised else "")


def _mean(mean: Mean | None, *, deviations: bool) -> str:
    if mean is None:
        return ""
    return f"{mean:.2f}" if deviations else f"{mean.value:.2f}"
