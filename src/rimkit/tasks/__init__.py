"""Named tasks: how operator, noise and measurement are drawn, for training and validation."""

from rimkit.tasks.base import DEFAULT, TASKS, Measure, Task, register, task_from_table
from rimkit.tasks.denoising import DenoisingTask, Quantised
from rimkit.tasks.inpainting import InpaintingTask
from rimkit.tasks.random_projections import ENSEMBLES, Ensemble, RandomProjectionsTask
from rimkit.tasks.super_resolution import SuperResolutionTask

__all__ = [
    "DEFAULT",
    "ENSEMBLES",
    "TASKS",
    "DenoisingTask",
    "Ensemble",
    "InpaintingTask",
    "Measure",
    "Quantised",
    "RandomProjectionsTask",
    "SuperResolutionTask",
    "Task",
    "register",
    "task_from_table",
]
