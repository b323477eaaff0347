"""What a restoration takes: seconds and memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rimkit.allocation import most_taken


def seconds_of(restorations: Sequence[Callable[[], object]]) -> float:
    """Mean seconds of restorations, one after the other; the first is run once before, to warm up.

    Scores may be kept from earlier runs, seconds may not: those of one run can be compared.
    """
    restorations[0]()
    began = time.perf_counter()
    for restore in restorations:
        restore()
    return (time.perf_counter() - began) / len(restorations)


def memory_of(restore: Callable[[], object]) -> float | None:
    """MB that a restoration takes at most, above what the process holds; None if unknown."""
    taken = most_taken(restore)
    return None if taken is None else taken / 1e6
