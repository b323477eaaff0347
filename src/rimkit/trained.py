"""What the record of a model's training says of the task it was trained for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rimkit import settings
from rimkit.tasks import (
    LEVELS,
    DenoisingTask,
    InpaintingTask,
    RandomProjectionsTask,
    SuperResolutionTask,
    Task,
)

_LEAST = 44


def check_trained_for(task: type[Task], record: Mapping[str, Any], *, model: str) -> None:
    """Raise ``ValueError`` if a model was trained for another task; where nothing is said, not.

    Parameters
    ----------
    task
        What it is wanted for.
    record
        Its ``training_record``.
    model
        What the error calls it.
    """
    if "task" not in record:
        return
    name = record["task"].get("name", DenoisingTask.table_name)
    if name != task.table_name:
        raise ValueError(f"{model} is trained for {name}, not for {task.table_name}")


def said_if_unknown(task: type[Task], record: Mapping[str, Any], *, model: str) -> str:
    """A sentence on what a model is taken for whose ``training_record`` names no task; else ""."""
    if "task" in record:
        return ""
    return (
        f"{model} does not say what it was trained for (rimkit.save's training=), and is taken for "
        f"{task.table_name}"
    )


def knows_levels(record: Mapping[str, Any]) -> bool:
    """Whether a denoiser with this ``training_record`` learned the likelihood of rounded values.

    Then it is to be given it where y is rounded: it gains by it, mostly at high noise.
    """
    return record.get("task", {}).get("quantised") in ("known", "half")


def trained_on_rounded_alone(record: Mapping[str, Any]) -> bool:
    """Whether a denoiser with this ``training_record`` never saw y as it is before rounding."""
    return record.get("task", {}).get("quantised") in ("known", "unknown")


def never_denoised(record: Mapping[str, Any]) -> bool:
    """Whether a machine with this ``training_record`` learned from random projections alone.

    By the protocol of the paper's RIM-3task: one level of noise, and never the whole Fourier
    transform, with which y is the noisy image. Where the record says what the weights had learned
    from which the training started, that counts, too.
    """
    tables = [record.get("task", {}), *(one.get("task", {}) for one in _before(record))]
    return all(_is_of_projections_alone(table) for table in tables)


def saw_less_contrast(record: Mapping[str, Any]) -> bool:
    """Whether a machine with this ``training_record`` learned from faded patches (`AtContrast`).

    Or did the weights from which the training started, where the record says it.
    """
    data = [record.get("recipe", {}).get("data", {}), *_before(record)]
    return any(min(table.get("contrast", (1.0,))) < 1 for table in data)


def least_sigma(record: Mapping[str, Any]) -> float:
    """The least sigma at which a denoiser is of use, white being 1: below, it adds errors.

    A forty-fourth of the largest that it was trained for (docs/decisions.md, 54): 1.25 grey levels
    for those in the package. 0 where the ``training_record`` says nothing.
    """
    task = record.get("task", {})
    if task.get("name", DenoisingTask.table_name) != DenoisingTask.table_name:
        return 0.0
    largest: float = max(task.get("sigma", (0.0,)))
    return largest / _LEAST / LEVELS


def trained_sigma(record: Mapping[str, Any]) -> float:
    """Sigma of the small images that a model for super-resolution was trained on, white being 1.

    The task's own where the ``training_record`` says nothing.
    """
    sigma: float = record.get("task", {}).get("sigma", SuperResolutionTask.sigma)
    return sigma / LEVELS


def inpainting_sigma(record: Mapping[str, Any]) -> float:
    """Return the least sigma that a model for inpainting was trained with, white being 1.

    The task's own where the ``training_record`` says nothing of it.
    """
    task = record.get("task", {})
    is_told = task.get("name") == InpaintingTask.table_name and "sigma" in task
    low: float = (task["sigma"] if is_told else InpaintingTask.sigma)[0]
    return low / LEVELS


def _is_of_projections_alone(table: Mapping[str, Any]) -> bool:
    if table.get("name") != RandomProjectionsTask.table_name:
        return False
    task = settings.from_table(RandomProjectionsTask, table)
    whole = "fourier" in task.ensembles and min(task.fourier_most, max(task.p)) >= 1
    return not task.noisier and not whole


def _before(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Tasks and contrasts of the trainings before this one, as far as the record knows them."""
    before: Sequence[Mapping[str, Any]] = record.get("start", {}).get("learned", ())
    return before
