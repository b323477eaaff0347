"""Inpainting methods in a table: machines, total variation, biharmonic equations."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import importlib.util
from collections.abc import Callable

import torch

from rimkit import weights
from rimkit.classical import TotalVariation
from rimkit.evaluation.inpainting import Seen
from rimkit.operators.filling import fill
from rimkit.pixels import LEVELS, Bytes, to_unit
from rimkit.reproduction.method import Method
from rimkit.reproduction.models import machine_names, settings_of
from rimkit.reproduction.setup import Setup
from rimkit.restoring.holes import Holed
from rimkit.restoring.inpainter import Inpainter
from rimkit.tasks import InpaintingTask, RandomProjectionsTask
from rimkit.trained import check_trained_for, inpainting_sigma
from rimkit.weights import record

FIRST_GUESS = "first guess (means of those nearby)"
TOTAL_VARIATION = "total variation"
BIHARMONIC = "biharmonic equations"

# Chosen on held-out training images of BSDS300 by benchmarks/tune_inpainting.py.
TV_WEIGHTS = {"half": 60.0, "four-fifths": 30.0, "strokes": 90.0, "half-noisy": 10.0}
TV_STEPS = 100

LITTLE = 2.0
"""Sigma, in grey levels, of solvers that need a positive one where there is no noise."""

FIRST = 10
"""Images given to the machine for random projections, ten times as slow as one for holes."""


@dataclasses.dataclass(frozen=True)
class InpaintingMethod(Method[Callable[[Seen], Bytes]]):
    """An inpainting method: from what is seen to an 8-bit image (H, W, 3).

    Attributes
    ----------
    images
        How many of the first test images it is given; all if None.
    """

    images: int | None = None


def first_guess() -> InpaintingMethod:
    """The image at which solvers start."""
    return InpaintingMethod(
        FIRST_GUESS, lambda seen: seen.settle(fill(seen.y, seen.mask)), "knows of no noise"
    )


def total_variation(weight: float | None = None, steps: int | None = None) -> InpaintingMethod:
    """Total variation, channel by channel; ``weight`` and ``steps`` override the chosen ones."""

    def restore(seen: Seen) -> Bytes:
        chosen = TV_WEIGHTS[seen.holes.name] if weight is None else weight
        solver = TotalVariation(weight=chosen, steps=TV_STEPS if steps is None else steps)
        return seen.settle(solver.solve(seen.y, seen.problem(_told(seen))).x)

    by_holes = ", ".join(f"{value:g} for {name}" for name, value in TV_WEIGHTS.items())
    chosen = by_holes if weight is None else f"{weight:g}"
    taken = TV_STEPS if steps is None else steps
    settings = f"weight {chosen}; {taken} steps, {_SAID}"
    return InpaintingMethod(TOTAL_VARIATION, restore, settings)


def biharmonic() -> InpaintingMethod | None:
    """Biharmonic equations of scikit-image, if it is installed."""
    if importlib.util.find_spec("skimage") is None:
        return None

    def restore(seen: Seen) -> Bytes:
        from skimage.restoration import inpaint_biharmonic  # noqa: PLC0415

        y = seen.y[0].permute(1, 2, 0).double().numpy()
        x = inpaint_biharmonic(y, seen.missing, channel_axis=-1)
        return seen.settle(torch.from_numpy(x).permute(2, 0, 1)[None])

    version = importlib.metadata.version("scikit-image")
    return InpaintingMethod(BIHARMONIC, restore, f"scikit-image {version}, knows of no noise")


def projections() -> list[InpaintingMethod]:
    """The package's machine for random projections, if there is one, channel by channel."""
    name = RandomProjectionsTask.table_name
    if name not in weights.model_names():
        return []
    model = weights.load(name)

    def restore(seen: Seen) -> Bytes:
        planes = seen.y.transpose(0, 1)  # a sample for every channel
        x = model.solve(planes, seen.problem(_told(seen))).x
        return seen.settle(x.transpose(0, 1))

    settings = f"{settings_of(name, model)}, channel by channel, {_SAID}"
    return [
        InpaintingMethod(
            record.title(name, model.training_record),
            restore,
            settings,
            record.parameter_count(model),
            record.described(model),
            images=FIRST,
        )
    ]


def machines(setup: Setup) -> list[InpaintingMethod]:
    """The model in the package, if there is one, and the requested ones.

    Raises
    ------
    ValueError
        If there is none, or one was trained for another task.
    """
    names = machine_names(InpaintingTask.table_name, setup, needed=True)
    return [_machine(name) for name in names]


def _machine(name: str) -> InpaintingMethod:
    model = weights.load(name)
    check_trained_for(InpaintingTask, model.training_record, model=name)

    @functools.cache
    def inpainter(sigma: float) -> Inpainter:
        return Inpainter(model, sigma=sigma / LEVELS)

    def restore(seen: Seen) -> Bytes:
        y = seen.y[0].permute(1, 2, 0)
        # Without noise, 8-bit values as in a file.
        values = (y if seen.holes.sigma else (y * LEVELS).round().byte()).contiguous().numpy()
        inpainter(seen.holes.sigma).fill([Holed(values, seen.missing)])
        return seen.settle(to_unit(values)[None])

    least = inpainting_sigma(model.training_record) * LEVELS
    return InpaintingMethod(
        record.title(name, model.training_record),
        restore,
        f"{settings_of(name, model)}, sigma {least:g} of 255 where there is no noise",
        record.parameter_count(model),
        record.described(model),
    )


_SAID = f"sigma {LITTLE:g} of 255 where there is no noise"


def _told(seen: Seen) -> float:
    """Sigma of a solver that needs a positive one, with white at 1."""
    return (seen.holes.sigma or LITTLE) / LEVELS
