"""Tables of scores, as text and as CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rimkit import atomic
from rimkit.evaluation.protocols import ROTH_BLACK, ImageScore, mean_psnr
from rimkit.evaluation.published import PublishedScore

SIGMAS = (15.0, 25.0, 50.0)


@dataclasses.dataclass(frozen=True)
class Row:
    """A method: mean PSNR by (images, sigma), what it costs, where it is from, how it was run."""

    method: str
    psnr: dict[tuple[int, float], float]
    parameters: int | None = None
    seconds: float | None = None
    memory: float | None = None
    source: str = ""
    settings: str = ""


def published_rows(scores: Sequence[PublishedScore], *, quantised: bool = False) -> list[Row]:
    """One row for every published method, in the order of the file."""
    rows: dict[str, Row] = {}
    for score in scores:
        if score.quantised == quantised:
            new = Row(score.method, {}, parameters=score.parameters, source=score.source)
            row = rows.setdefault(score.method, new)
            row.psnr[score.images, score.sigma] = score.psnr
    return list(rows.values())


def measured_row(
    method: str,
    scores: Sequence[ImageScore],
    *,
    parameters: int | None = None,
    memory: float | None = None,
    settings: str = "",
) -> Row:
    """The row of a method scored here; the first image of each level is left out of the timing."""
    sigmas = sorted({score.sigma for score in scores})
    count = len({score.image for score in scores})
    psnr = {
        (images, sigma): mean_psnr(scores, sigma=sigma, images=images)
        for images in sorted({min(ROTH_BLACK, count), count})
        for sigma in sigmas
    }
    timed = [score.seconds for score in scores[len(sigmas) :]] or [s.seconds for s in scores]
    return Row(
        method,
        psnr,
        parameters,
        sum(timed) / len(timed),
        memory,
        source="measured in this run",
        settings=settings,
    )


def format_rows(rows: Sequence[Row], *, sigmas: Sequence[float] = SIGMAS) -> str:
    """Lay rows out as text; a column of means over 68 or 100 images stands if any row has it."""
    counts = sorted({images for row in rows for images, _ in row.psnr})
    header = ["PSNR in dB", "parameters"]
    header += [f"{images}: {sigma:g}" for images in counts for sigma in sigmas]
    header += ["s/image", "peak MB"]
    table = [header]
    for row in rows:
        cells = [row.method, f"{row.parameters:,}" if row.parameters else ""]
        values = [row.psnr.get((images, sigma)) for images in counts for sigma in sigmas]
        cells += ["" if value is None else f"{value:.2f}" for value in values]
        cells += ["" if row.seconds is None else f"{row.seconds:.2f}"]
        cells += ["" if row.memory is None else f"{row.memory:,.0f}"]
        table.append(cells)
    widths = [max(len(cells[i]) for cells in table) for i in range(len(header))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in table
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write rows as CSV, one line for every score."""
    lines = [
        {
            "method": row.method,
            "parameters": row.parameters,
            "images": images,
            "sigma": f"{sigma:g}",
            "psnr_db": f"{value:.4f}".rstrip("0").rstrip("."),
            "seconds_per_image": None if row.seconds is None else f"{row.seconds:.4f}",
            "peak_memory_mb": None if row.memory is None else f"{row.memory:.0f}",
            "source": row.source,
            "settings": row.settings,
        }
        for row in rows
        for (images, sigma), value in row.psnr.items()
    ]
    write_csv(lines, path)


def write_csv(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Write dictionaries with the same keys as CSV."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    with atomic.replacing(path) as file:
        file.write(text.getvalue().encode())
