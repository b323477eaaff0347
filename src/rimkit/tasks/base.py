"""What a task is, and the register of those that recipes and weights may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import Tensor

from rimkit import settings
from rimkit.problem import Problem

T = TypeVar("T")

Measure = Callable[[Tensor, torch.Generator], tuple[Problem, Tensor]]
"""From clean images x (N, C, H, W) in [0, 1] to a problem and its y."""


class Task(Protocol):
    """What a machine is trained for; a frozen dataclass whose fields are read from recipes.

    ``table_name`` is its name there, once the class is known (`register`). Optional: ``on_patches =
    True`` where the problem is for patches alone, and so the held-out images are cut into some.
    """

    table_name: ClassVar[str]

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw the problem of a training batch x (N, C, H, W) in [0, 1], and measure it."""
        ...

    def validation(self) -> dict[str, Measure]:
        """What the training is watched on, by the name under which its PSNR is logged."""
        ...


TASKS: dict[str, type[Any]] = {}
"""Those that recipes may name."""

DEFAULT = "denoising"
"""The task of a table that names none."""


def register(task: type[T]) -> type[T]:
    """Let recipes, and the weights of what is trained for it, know a task by its ``table_name``.

    A decorator. The module of a task of one's own must be imported wherever it is named.

    Raises
    ------
    ValueError
        If another task has that name.
    """
    settings.make_known(task, TASKS, kind="task")
    return task


def task_from_table(table: Mapping[str, Any]) -> Task:
    """Build a task from a table that says its ``name``; denoising if it says none.

    Raises
    ------
    ValueError
        If the name, a key or a value is not what it should be.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"a task is a table with a name ({', '.join(TASKS)}), got {table!r}")
    name = table.get("name", DEFAULT)
    if not isinstance(name, str) or name not in TASKS:
        unknown = settings.unknown_key(str(name), TASKS, where="task")
        raise ValueError(f"{unknown} (one of your own: rimkit.tasks.register, --import)")
    task: Task = settings.from_table(TASKS[name], table, where="recipe.task")
    return task
