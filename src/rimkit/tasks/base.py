"""What a task is, and the registry of tasks that recipes and weights may name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

import torch
from torch import Tensor

from rimkit import settings
from rimkit.problem import Problem

T = TypeVar("T")

Measure = Callable[[Tensor, torch.Generator], tuple[Problem, Tensor]]
"""Maps clean images x (N, C, H, W) in [0, 1] to a problem and its y."""


class Task(Protocol):
    """What a machine is trained for; a frozen dataclass whose fields are read from recipes.

    ``table_name`` is its name there, once the class is registered (`register`). Optional:
    ``on_patches = True`` if the problem is defined only for patches, so that held-out images are
    cut into patches.
    """

    table_name: ClassVar[str]

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw the problem of a training batch x (N, C, H, W) in [0, 1], and measure it."""
        ...

    def validation(self) -> dict[str, Measure]:
        """What the training is validated on, by the name under which its PSNR is logged."""
        ...


TASKS: dict[str, type[Any]] = {}
"""Tasks that recipes may name."""

DEFAULT = "denoising"
"""The task of a table that names none."""


def register(task: type[T]) -> type[T]:
    """Register a task under its ``table_name``, for recipes and for weights trained on it.

    A decorator. The module of a user-defined task must be imported wherever it is named.

    Raises
    ------
    ValueError
        If another task has that name.
    """
    settings.make_known(task, TASKS, kind="task")
    return task


def task_from_table(table: Mapping[str, Any]) -> Task:
    """Build a task from a table that gives its ``name``; denoising if it gives none.

    Raises
    ------
    ValueError
        If the name, a key or a value is invalid.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"a task must be a table with a name ({', '.join(TASKS)}), got {table!r}")
    name = table.get("name", DEFAULT)
    if not isinstance(name, str) or name not in TASKS:
        unknown = settings.unknown_key(str(name), TASKS, where="task")
        raise ValueError(
            f"{unknown} (for a task of your own, use rimkit.tasks.register and --import)"
        )
    task: Task = settings.from_table(TASKS[name], table, where="recipe.task")
    return task
