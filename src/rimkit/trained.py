"""What the training record of a model says about the task it was trained for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from rimkit import settings
from rimkit.pixels import LEVELS
from rimkit.tasks import (
    DenoisingTask,
    InpaintingTask,
    RandomProjectionsTask,
    SuperResolutionTask,
    Task,
)

_LEAST = 44
_Kind = TypeVar("_Kind")


def task_table(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The task table of a ``training_record``; empty if it has none."""
    table: Mapping[str, Any] = record.get("task", {})
    return table


def task_name(record: Mapping[str, Any]) -> str:
    """Name of the task of a ``training_record``; denoising if it has none."""
    name: str = task_table(record).get("name", DenoisingTask.table_name)
    return name


def trained_range(record: Mapping[str, Any]) -> tuple[float, float] | None:
    """Smallest and largest sigma of a training in grey levels; None if not recorded.

    For any task that has a ``sigma``, including user-defined ones.
    """
    said = task_table(record).get("sigma")
    values = said if isinstance(said, list | tuple) else [said]
    if not values or not all(isinstance(value, int | float) for value in values):
        return None
    return float(min(values)), float(max(values))


def check_trained_for(task: type[Task], record: Mapping[str, Any], *, model: str) -> None:
    """Raise ``ValueError`` if a model is recorded as trained for another task.

    Parameters
    ----------
    task
        The task it is to be used for.
    record
        Its ``training_record``.
    model
        Its name in the error.
    """
    if "task" in record and task_name(record) != task.table_name:
        raise ValueError(f"{model} is trained for {task_name(record)}, not for {task.table_name}")


def said_if_unknown(task: type[Task], record: Mapping[str, Any], *, model: str) -> str:
    """A sentence on the task assumed for a model whose ``training_record`` has none; else ""."""
    if "task" in record:
        return ""
    return (
        f"{model} does not say what it was trained for (rimkit.save's training=); it is assumed "
        f"to be for {task.table_name}"
    )


def knows_levels(record: Mapping[str, Any]) -> bool:
    """Whether a denoiser with this ``training_record`` learned the likelihood of rounded values.

    If so, use that likelihood where y is rounded: it helps, mostly at high noise.
    """
    task = _task(DenoisingTask, task_table(record))
    return task is not None and task.quantised in ("known", "half")


def trained_on_rounded_alone(record: Mapping[str, Any]) -> bool:
    """Whether a denoiser with this ``training_record`` was trained on rounded y alone."""
    task = _task(DenoisingTask, task_table(record))
    return task is not None and task.quantised in ("known", "unknown")


def never_denoised(record: Mapping[str, Any]) -> bool:
    """Whether a machine with this ``training_record`` learned from random projections alone.

    By the protocol of the paper's RIM-3task: one noise level, and never the whole Fourier
    transform, with which y is the noisy image. What its starting weights had learned counts, too,
    if it is recorded.
    """
    tables = [task_table(record), *(one.get("task", {}) for one in _before(record))]
    return all(_is_of_projections_alone(table) for table in tables)


def saw_less_contrast(record: Mapping[str, Any]) -> bool:
    """Whether a machine with this ``training_record`` learned from faded patches (`AtContrast`).

    Or its starting weights did, if that is recorded.
    """
    data = [record.get("recipe", {}).get("data", {}), *_before(record)]
    return any(min(table.get("contrast", (1.0,))) < 1 for table in data)


def least_sigma(record: Mapping[str, Any]) -> float:
    """Smallest sigma at which a denoiser is of use, with white 1: below, it adds errors.

    A forty-fourth of the largest that it was trained for (docs/decisions.md, 54): 1.25 grey levels
    for those in the package. 0 if the ``training_record`` does not say.
    """
    task = _task(DenoisingTask, task_table(record))
    return 0.0 if task is None else max(task.sigma) / _LEAST / LEVELS


def trained_sigma(record: Mapping[str, Any]) -> float:
    """Sigma of the small images that a super-resolution model was trained on, with white 1.

    The default of the task if the ``training_record`` does not say.
    """
    task = _task(SuperResolutionTask, task_table(record)) or SuperResolutionTask()
    return task.sigma / LEVELS


def inpainting_sigma(record: Mapping[str, Any]) -> float:
    """Return the smallest sigma that an inpainting model was trained with, with white 1.

    The default of the task if the ``training_record`` does not say.
    """
    task = _task(InpaintingTask, task_table(record)) or InpaintingTask()
    return task.sigma[0] / LEVELS


def _task(kind: type[_Kind], table: Mapping[str, Any]) -> _Kind | None:
    """The task of a table if it is of that kind, else None; None for an empty table.

    Missing settings take their defaults; those that this version does not know, perhaps written by
    a newer one, are ignored.

    Raises
    ------
    ValueError
        If a setting has the wrong type.
    """
    name: str = kind.table_name  # type: ignore[attr-defined]
    fields = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    said = {key: value for key, value in table.items() if key in fields}
    if not table or table.get("name", DenoisingTask.table_name) != name:
        return None
    return settings.from_table(kind, said, where="the task recorded in the weights")


def _is_of_projections_alone(table: Mapping[str, Any]) -> bool:
    task = _task(RandomProjectionsTask, table)
    if task is None:
        return False
    whole = "fourier" in task.ensembles and min(task.fourier_most, max(task.p)) >= 1
    return not task.noisier and not whole


def _before(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Tasks and contrasts of the trainings before this one, as far as they are recorded."""
    before: Sequence[Mapping[str, Any]] = record.get("start", {}).get("learned", ())
    return before
