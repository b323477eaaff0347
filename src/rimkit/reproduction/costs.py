"""The costs of methods: parameters, bytes, steps, seconds, memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rimkit.evaluation.timing import memory_of, seconds_of
from rimkit.sheets import columns

_BYTES = 4  # per parameter in a file: float32


class Priced(NamedTuple):
    """A method, and a task for it.

    Attributes
    ----------
    name
        Name in the table.
    parameters
        Number of parameters; None if none are learned.
    steps
        Number of steps that ``run`` takes.
    run
        Called three times: to warm up, to measure seconds, and to measure memory.
    """

    name: str
    parameters: int | None
    steps: int
    run: Callable[[], object]


def costs(what: str, methods: Sequence[Priced]) -> str:
    """Measure the costs of all methods on the same task, in this process, one after the other.

    Parameters
    ----------
    what
        Description of the task, for the table.
    methods
        Methods, in the order of the lines.
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
    """Number of parameters, and their size in megabytes."""
    if parameters is None:
        return "", ""
    return f"{parameters:,}", f"{_BYTES * parameters / 1e6:.1f}"
