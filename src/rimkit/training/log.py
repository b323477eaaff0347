"""The log of a training: the names of its validation scores, and how to read it."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

PSNR = "val/psnr_"
"""Prefix of the name of a PSNR in dB; the name of the validation problem follows."""

LATE = "_late"
"""Suffix of the name of a PSNR after ``late`` times the machine's own number of steps."""


def own(names: Collection[str]) -> list[str]:
    """Names of scores after the machine's own number of steps, whatever the problems' names."""
    late = {name + LATE for name in names}
    return [name for name in names if name not in late]


Row = tuple[int, dict[str, float]]
"""A line of a log: number of updates, and values by name."""


def rows(folder: Path) -> Iterator[Row]:
    """Yield the log lines of all runs of the training in a folder."""
    for log in sorted(folder.glob("log/*/metrics.csv")):
        lines = log.read_text().splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):  # a process was killed while writing
            del lines[-1]
        for row in csv.DictReader(lines):
            yield int(row["step"]) + 1, {name: float(value) for name, value in row.items() if value}


def looks(lines: Iterable[Row]) -> dict[int, dict[str, float]]:
    """Validation PSNR in dB in a log, by number of updates and by problem."""
    found: dict[int, dict[str, float]] = {}
    for update, values in lines:
        psnr = {n.removeprefix(PSNR): value for n, value in values.items() if n.startswith(PSNR)}
        if psnr:
            found[update] = psnr
    return found
