"""Scores on your own images, in the validation problems of a model's task."""

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
"""Side of a patch in pixels for tasks on patches, unless a recipe says otherwise."""

_MEASUREMENTS = 53
_PATCHES = 50


@dataclasses.dataclass(frozen=True)
class OwnScore:
    """Scores of an image in a problem.

    Attributes
    ----------
    image
        Its name.
    problem
        Its name in the task.
    start
        PSNR in dB of the solver's starting point.
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
    """Measure every image for the task, solve and score it, one image at a time.

    Images are solved whole. For tasks on patches only, 50 evenly spread patches of an image are
    solved, and its score is their mean, each PSNR being at most `rimkit.metrics.HIGHEST`. The
    measurements of an image depend on its name alone.

    Parameters
    ----------
    solver, steps
        The solver, and its number of steps; its own number if None.
    task
        Gives the problems (`rimkit.tasks.Task.validation`).
    images
        Clean images; if one does not suit the task, a note on the error names it.
    precision
        Precision of the solver's network.
    patch
        Side of a patch in pixels, for tasks on patches.

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
