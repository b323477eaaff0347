"""PSNR by step on random projections: measured once, and kept in the cache, not in the results."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rimkit import atomic
from rimkit.evaluation.projections import PER_IMAGE, Panel, measure, psnr_by_step
from rimkit.evaluation.protocols import CleanImage
from rimkit.solver import Solver

Values = npt.NDArray[np.float64]

_PROTOCOL = 1  # another number where the same settings would give other values


@dataclasses.dataclass(frozen=True)
class Walker:
    """A solver in Figure 2.

    Attributes
    ----------
    name
        What it is called; the seeds of one way to train share it.
    solver
        From a panel to the solver.
    steps
        From a panel to how many are measured.
    settings
        From a panel to all that its values depend on, but for the patches.
    bfloat16
        Whether its network runs in bf16.
    from_grey
        Whether it is told how bright images are, and starts there.
    parameters
        How many it has; None if it has none that are learned.
    seed
        Of its training, where there are several.
    """

    name: str
    solver: Callable[[Panel], Solver]
    steps: Callable[[Panel], int]
    settings: Callable[[Panel], str]
    bfloat16: bool = False
    from_grey: bool = False
    parameters: int | None = None
    seed: int | None = None


@dataclasses.dataclass(frozen=True)
class Curve:
    """PSNR in dB of the patches of every image, at the start and after every step.

    Attributes
    ----------
    means, squares
        (images, steps + 1): mean over the patches of an image, of PSNR and of its square. NaN from
        where the solver diverged on the image.
    """

    means: Values
    squares: Values

    @property
    def steps(self) -> int:
        """How many were taken."""
        return int(self.means.shape[1]) - 1

    @property
    def mean(self) -> Values:
        """Over all patches, by step: (steps + 1,)."""
        mean: Values = self.means.mean(0)
        return mean

    @property
    def deviation(self) -> Values:
        """Standard deviation over all patches, by step: (steps + 1,)."""
        variance: Values = self.squares.mean(0) - self.mean**2
        return np.sqrt(np.maximum(variance, 0))

    @property
    def best(self) -> int:
        """The step, from 1, with the highest mean."""
        return int(np.nan_to_num(self.mean[1:], nan=-np.inf).argmax()) + 1

    def at(self, step: int) -> list[float]:
        """Mean over the patches of each image after a step."""
        values: list[float] = self.means[:, step].tolist()
        return values


def average(curves: Sequence[Curve]) -> Curve:
    """Return the mean over trainings that differ in the seed alone."""
    return Curve(
        np.mean([curve.means for curve in curves], axis=0),
        np.mean([curve.squares for curve in curves], axis=0),
    )


class Curves:
    """Curves in a folder, a file of at most 160 kB for every setting and panel.

    Parameters
    ----------
    folder
        Need not exist.
    say
        Takes lines that tell how far it is.
    """

    def __init__(self, folder: Path, *, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say

    def of(self, walker: Walker, panel: Panel, images: Sequence[CleanImage]) -> Curve:
        """Return the curve over the first test images; those that are kept are not run again."""
        steps = walker.steps(panel)
        settings = f"{walker.settings(panel)}; protocol {_PROTOCOL}, {PER_IMAGE} patches"
        digest = hashlib.sha256(settings.encode()).hexdigest()[:16]
        file = self._folder / f"{panel.ensemble}-{panel.p:g}-{digest}.npy"
        known = np.load(file) if file.exists() else np.empty((2, 0, steps + 1))
        missing = images[known.shape[1] :]
        if missing:
            solver = walker.solver(panel)
            for image in missing:
                measured = measure(image, panel)
                if walker.from_grey:
                    measured = measured.from_grey()
                values = psnr_by_step(solver, measured, steps=steps, bfloat16=walker.bfloat16)
                new = np.stack([values.mean(1).numpy(), values.square().mean(1).numpy()])
                known = np.concatenate([known, new[:, None]], axis=1)
                with atomic.replacing(file) as stream:
                    np.save(stream, known)
            seed = "" if walker.seed is None else f", seed {walker.seed}"
            self._say(f"{walker.name}{seed}: {panel.title}")
        return Curve(*known[:, : len(images)])
