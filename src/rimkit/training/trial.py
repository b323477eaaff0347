"""Measure signals for a task, and find errors in a task before training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rimkit import tree
from rimkit.problem import Problem
from rimkit.tasks import Measure, Task

_UNJOINED = (
    "samples of a problem with {} cannot be joined with others, as unroll.continued requires: the "
    "first dimension of its tensors must be N or 1, and a value for all samples must be a float or "
    "a tensor of a shape such as (1, 1, 1, 1)"
)


def measured(measure: Measure, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
    """Measure x (N, C, H, W); return the problem and y (N, ...).

    Raises
    ------
    ValueError
        If the task returns anything else.
    """
    drawn: object = measure(x, generator)
    if not (isinstance(drawn, tuple) and len(drawn) == 2):
        raise ValueError(f"a task must return a problem and its y, got {_kind(drawn)}")
    problem, y = drawn
    if not (isinstance(problem, Problem) and isinstance(y, Tensor)):
        raise ValueError(
            "a task must return a rimkit.Problem and its y, a tensor: "
            f"got {_kind(problem)} and {_kind(y)}"
        )
    if y.ndim == 0 or len(y) != len(x):
        raise ValueError(
            f"for {len(x)} signals a task returned a y of shape {tuple(y.shape)}: its first "
            f"dimension must be {len(x)}"
        )
    return problem, y


def try_task(task: Task, *, batch: Tensor, watched: Tensor, joined: bool) -> None:
    """Draw every problem of a task once, so that errors in it show before training.

    Parameters
    ----------
    task
        The task.
    batch
        Patches as in training (N, C, h, w).
    watched
        A validation batch (N, C, H, W).
    joined
        Whether samples continue in later batches, joined with others.

    Raises
    ------
    Exception
        Whatever the task raises, with a note on what was measured; a ValueError if a y does not fit
        its problem, joining samples changes a problem, or ``validation()`` is not a dict.
    """
    _try(task.draw, batch, "training patches", "", joined=joined)
    watch: object = task.validation()
    if not isinstance(watch, Mapping):
        raise ValueError(
            f"validation() must return a dict of measurements by name, got {_kind(watch)}"
        )
    for name, measure in watch.items():
        where = (
            f" for {name!r}: images are looked at whole, up to 256x256, unless the task says "
            "on_patches"
        )
        _try(measure, watched, "held-out signals", where, joined=False)


def _try(measure: Measure, x: Tensor, what: str, where: str, *, joined: bool) -> None:
    try:
        problem, y = measured(measure, x, torch.Generator().manual_seed(0))
        problem.check_fit(x, y)
        if joined:
            _check_joined(problem, x, y)
    except Exception as error:
        error.add_note(f"while measuring {what} {tuple(x.shape)}{where}")
        raise


def _check_joined(problem: Problem, x: Tensor, y: Tensor) -> None:
    """Raise unless the samples of a problem measure the same when joined with others."""
    try:
        twice, both = tree.join([(y, problem), (y, problem)])
        found = both.operator.A(torch.cat([x, x]))
    except (ValueError, RuntimeError, IndexError) as error:
        raise ValueError(_UNJOINED.format(_kind(problem.operator))) from error
    expected = torch.cat([problem.operator.A(x)] * 2)
    same = found.shape == twice.shape == expected.shape and torch.allclose(found, expected)
    if not same:
        raise ValueError(_UNJOINED.format(_kind(problem.operator)))


def _kind(value: object) -> str:
    return type(value).__name__
