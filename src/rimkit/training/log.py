"""The log of a training: how it calls the scores of held-out images, and what it says."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

PSNR = "val/psnr_"
"""Begins the name of a PSNR in dB; that of the validation problem follows."""

LATE = "_late"
"""Ends the name of a PSNR after ``late`` times the machine's own number of steps."""


def own(names: Collection[str]) -> list[str]:
    """Those of the machine's own number of steps, whatever their problems are called."""
    late = {name + LATE for name in names}
    return [name for name in names if name not in late]


Row = tuple[int, dict[str, float]]
"""A line of a log: the number of updates, and values by their names."""


def rows(folder: Path) -> Iterator[Row]:
    """Yield the lines of the log of a training in a folder, of all its runs."""
    for log in sorted(folder.glob("log/*/metrics.csv")):
        lines = log.read_text().splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):  # a process was killed while it wrote
            del lines[-1]
        for row in csv.DictReader(lines):
            yield int(row["step"]) + 1, {name: float(value) for name, value in row.items() if value}


def looks(lines: Iterable[Row]) -> dict[int, dict[str, float]]:
    """PSNR in dB of the looks at held-out images in a log: by number of updates, and by problem."""
    found: dict[int, dict[str, float]] = {}
    for update, values in lines:
        psnr = {n.removeprefix(PSNR): value for n, value in values.items() if n.startswith(PSNR)}
        if psnr:
            found[update] = psnr
    return found
