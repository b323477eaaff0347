"""The cost of a restoration: seconds and memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rimkit.allocation import most_taken


def seconds_of(restorations: Sequence[Callable[[], object]]) -> float:
    """Mean seconds of restorations, run in sequence after a run of the first to warm up.

    Scores may be kept from earlier runs, seconds may not: only those of one run are comparable.
    """
    restorations[0]()
    began = time.perf_counter()
    for restore in restorations:
        restore()
    return (time.perf_counter() - began) / len(restorations)


def memory_of(restore: Callable[[], object]) -> float | None:
    """Peak memory of a restoration in MB, above what the process holds; None if unknown."""
    taken = most_taken(restore)
    return None if taken is None else taken / 1e6
