"""Tables of cells: in columns for people, as CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rimkit import atomic


def columns(lines: Sequence[Sequence[str]]) -> str:
    """Align cells in columns, the first to the left, with a rule below the first line."""
    widths = [max(len(cells[i]) for cells in lines) for i in range(len(lines[0]))]
    texts = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in lines
    ]
    return "\n".join([texts[0], "-" * max(map(len, texts)), *texts[1:]])


def write_csv(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Write dictionaries as CSV; cells of missing keys stay empty."""
    text = io.StringIO(newline="")
    names = dict.fromkeys(name for line in lines for name in line)
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    with atomic.replacing(path) as file:
        file.write(text.getvalue().encode())


def read_csv(path: Path, names: Sequence[str]) -> list[dict[str, str]]:
    """Read what `write_csv` wrote; an empty list if there is no file.

    Raises
    ------
    ValueError
        If a line lacks one of the columns ``names``.
    """
    if not path.exists():
        return []
    lines = list(csv.DictReader(path.read_text().splitlines()))
    if any(line.get(name) is None for line in lines for name in names):
        raise ValueError(
            f"{path}: not every line has the columns {', '.join(names)}; fix it, or move it away"
        )
    return lines
