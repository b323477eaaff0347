"""What methods take beside what they reach: parameters, bytes, steps, seconds, memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rimkit.evaluation.timing import memory_of, seconds_of
from rimkit.sheets import columns

_BYTES = 4  # a parameter in a file: float32


class Priced(NamedTuple):
    """A method, and something to do for it.

    Attributes
    ----------
    name
        In the table.
    parameters
        How many it has; None if none are learned.
    steps
        How many ``run`` takes.
    run
        Is run three times: to warm up, for its seconds and for its memory.
    """

    name: str
    parameters: int | None
    steps: int
    run: Callable[[], object]


def costs(what: str, methods: Sequence[Priced]) -> str:
    """Measure what all methods do with one thing, in this process, one after the other.

    Parameters
    ----------
    what
        They do it with, for people.
    methods
        In the order of the lines.
    """
    lines = [[what, "parameters", "MB", "steps", "s", "peak MB"]]
    for method in methods:
        seconds, memory = seconds_of([method.run]), memory_of(method.run)
        lines.append(
            [
                method.name,
                *_size(method.parameters),
                f"{method.steps}",
                f"{seconds:.2f}",
                "" if memory is None else f"{memory:.0f}",
            ]
        )
    return columns(lines)


def _size(parameters: int | None) -> tuple[str, str]:
    """A number of parameters, and their megabytes."""
    if parameters is None:
        return "", ""
    return f"{parameters:,}", f"{_BYTES * parameters / 1e6:.1f}"
