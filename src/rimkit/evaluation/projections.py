"""The random-projection protocol (Section 4.4): patches, measurements, PSNR by step."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, cast

import torch
from torch import Tensor

from rimkit import operators, tree
from rimkit.data.patches import seeded
from rimkit.evaluation.images import CleanImage
from rimkit.metrics import HIGHEST, psnr
from rimkit.operators import LinearOperator, independent_reals
from rimkit.operators.rows import row_count
from rimkit.precision import Precision, computing_in
from rimkit.problem import Problem
from rimkit.solver import DivergenceError, Solver
from rimkit.tasks import ENSEMBLES, Ensemble, RandomProjectionsTask

PATCH = 32
"""Side of a patch in pixels."""

PER_IMAGE = 50
"""Patches per image: 5,000 from the 100 test images."""

STEPS = 100
TRAINED_STEPS = 20
"""Number of steps taken, and that of the paper's training, which its figure marks."""

GREY = 0.43
"""Mean of the training images of BSDS300."""

_PLACES, _MEASUREMENTS = 41, 43


@dataclasses.dataclass(frozen=True)
class Panel:
    """A panel of Figure 2: an ensemble, and the share p of rows."""

    variance_floor: ClassVar[float] = 0.0
    """What classical solvers add to the noise variance."""

    ensemble: Ensemble
    p: float

    @property
    def name(self) -> str:
        """Short name, for files and settings."""
        return f"{self.ensemble}-{self.p:g}"

    @property
    def title(self) -> str:
        """Display name."""
        return f"{self.ensemble}, p = {self.p:g}"

    @property
    def rows(self) -> int:
        """Number of rows m."""
        return row_count(self.p, (PATCH, PATCH))

    @property
    def reals(self) -> float:
        """Number of independent real numbers measured, on average."""
        if self.ensemble == "fourier":
            return independent_reals(self.p, (PATCH, PATCH))
        return self.rows


PANELS = tuple(Panel(e, p) for e in ENSEMBLES for p in RandomProjectionsTask.p)


@dataclasses.dataclass(frozen=True)
class Measured:
    """The patches of an image: truth (N, 1, 32, 32) in [0, 1], the problem, and y (N, 1, m)."""

    truth: Tensor
    problem: Problem
    y: Tensor

    def from_grey(self) -> Measured:
        """The same for solvers that must be told how bright images are: see `FromGrey`."""
        projection = cast("LinearOperator", self.problem.operator)  # as all ensembles are
        problem = Problem(FromGrey(projection), self.problem.noise)
        return dataclasses.replace(self, problem=problem)


@tree.register
@dataclasses.dataclass(frozen=True)
class FromGrey:
    """A linear operator whose solvers start at grey plus the scaled adjoint of the residual.

    A machine knows from its training how bright images are. From the scaled adjoint alone, a
    classical solver would start near black, and stay there if zero frequency is not measured.
    """

    operator: LinearOperator

    def A(self, x: Tensor) -> Tensor:
        """Measure x (N, C, H, W)."""
        return self.operator.A(x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Map y to the shape of x."""
        return self.operator.A_adjoint(y)

    def initial(self, y: Tensor) -> Tensor:
        """Return the start for y."""
        grey = torch.full_like(self.operator.A_adjoint(y), GREY)
        return grey + operators.initial(self.operator, y - self.operator.A(grey))


def draw_patches(image: CleanImage, *, count: int = PER_IMAGE) -> Tensor:
    """Draw patches (count, C, 32, 32) at places that depend on the image's name alone."""
    generator = seeded(_PLACES, image.seed)
    tops, lefts = (
        torch.randint(side - PATCH + 1, (count,), generator=generator).tolist()
        for side in image.x.shape[-2:]
    )
    return torch.cat(
        [
            image.x[..., top : top + PATCH, left : left + PATCH]
            for top, left in zip(tops, lefts, strict=True)
        ]
    )


def measure(image: CleanImage, panel: Panel, *, count: int = PER_IMAGE) -> Measured:
    """Project the patches of an image: new rows for each patch, the same for every method."""
    truth = draw_patches(image, count=count)
    number = list(ENSEMBLES).index(panel.ensemble)
    generator = seeded(_MEASUREMENTS, image.seed, number, round(1000 * panel.p))
    problem, y = RandomProjectionsTask().project(panel.ensemble, panel.p, truth, generator)
    return Measured(truth, problem, y)


@torch.no_grad()
def psnr_by_step(
    solver: Solver, measured: Measured, *, steps: int, precision: Precision = "float32"
) -> Tensor:
    """PSNR in dB of every sample, at the start and after every step: (steps + 1, N) in float64.

    Estimates are clipped to [0, 1], scores to `HIGHEST`. Scores are NaN from the step at which a
    batch diverges.

    Parameters
    ----------
    solver, measured
        The solver, and what it is run on.
    steps
        Number of steps.
    precision
        Precision of a machine's network; iterate and likelihood have that of y.
    """
    truth = measured.truth
    values = torch.full((steps + 1, truth.shape[0]), torch.nan, dtype=torch.float64)
    with computing_in(precision, truth.device.type):
        start = solver.init(measured.y, measured.problem)
        values[0] = psnr(start.x, truth).clamp(max=HIGHEST)
        walk = solver.iterate(measured.y, measured.problem, steps=steps, start=start)
        try:
            for step, iterate in enumerate(walk, start=1):
                values[step] = psnr(iterate.x, truth).clamp(max=HIGHEST)
        except DivergenceError:
            pass
    return values
