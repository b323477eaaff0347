"""Scores on images of one's own, in the problems that a model's task is watched on."""

from __future__ import annotations

import dataclasses
import math
import statistics
import zlib
from collections.abc import Iterable, Iterator, Sequence

import torch

from rimkit.data.patches import seeded, spread_patches
from rimkit.evaluation.images import CleanImage
from rimkit.metrics import HIGHEST, psnr, ssim
from rimkit.precision import Precision, computing_in
from rimkit.sheets import columns
from rimkit.solver import Solver
from rimkit.tasks import Task

PATCH = 32
"""Side of a patch in pixels, where a task is for patches and no recipe says another."""

_MEASUREMENTS = 53
_PATCHES = 50


@dataclasses.dataclass(frozen=True)
class OwnScore:
    """What became of an image in a problem.

    Attributes
    ----------
    image
        Its name.
    problem
        As the task calls it.
    start
        PSNR in dB of where the solver started.
    psnr, ssim
        Of the estimate; PSNR in dB.
    """

    image: str
    problem: str
    start: float
    psnr: float
    ssim: float


def score_task(
    solver: Solver,
    task: Task,
    images: Iterable[CleanImage],
    *,
    steps: int | None = None,
    precision: Precision = "float32",
    patch: int = PATCH,
) -> Iterator[OwnScore]:
    """Measure every image as the task says, solve and score it: an image after the other.

    Images are solved whole; where the task is for patches alone, 50 of them, evenly spread, and the
    score is their mean, each at most `rimkit.metrics.HIGHEST`. The measurements of an image depend
    on its name alone.

    Parameters
    ----------
    solver, steps
        Which, and how many steps; its own number if None.
    task
        Says the problems (`rimkit.tasks.Task.validation`).
    images
        Clean; an image that is none for the task is an error of its own.
    precision
        Of the solver's network.
    patch
        Side of a patch, where they are needed.

    Raises
    ------
    ValueError
        If an image is smaller than a patch.
    """
    problems, on_patches = task.validation(), bool(getattr(task, "on_patches", False))
    for image in images:
        x = image.x
        if on_patches:
            if min(x.shape[-2:]) < patch:
                raise ValueError(f"{image.name} is smaller than a patch of {patch}x{patch}")
            x = spread_patches(x[0], patch, count=_PATCHES)
        for number, (name, measure) in enumerate(problems.items()):
            generator = seeded(_MEASUREMENTS, zlib.crc32(image.name.encode()), number)
            doing = "measuring"
            try:
                problem, y = measure(x, generator)
                doing = "solving"
                with computing_in(precision, y.device.type):
                    with torch.no_grad():
                        start = solver.init(y, problem)
                    found = solver.solve(y, problem, steps=steps, start=start).x
            except Exception as error:
                error.add_note(f"while {doing} {image.name} {tuple(x.shape)} for {name!r}")
                raise
            most = HIGHEST if on_patches else math.inf
            before, after = (
                psnr(each, x).clamp(max=most).mean().item() for each in (start.x, found)
            )
            yield OwnScore(image.name, name, before, after, ssim(found, x).mean().item())


def to_text(scores: Sequence[OwnScore]) -> str:
    """Return a table with a line for every problem: means over the images."""
    lines = [["problem", "start", "PSNR", "SSIM"]]
    for name in dict.fromkeys(score.problem for score in scores):
        own = [score for score in scores if score.problem == name]
        start, mean, similar = (
            statistics.mean(getattr(score, which) for score in own)
            for which in ("start", "psnr", "ssim")
        )
        lines.append([name, f"{start:.2f}", f"{mean:.2f}", f"{similar:.4f}"])
    return columns(lines)
