"""The upscaling methods of Table 3 and Figure 4: machines, interpolation, total variation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from rimkit import weights
from rimkit.classical import TotalVariation
from rimkit.evaluation.super_resolution import Pair, bicubic
from rimkit.pixels import LEVELS, Bytes, from_unit
from rimkit.reproduction.method import Method
from rimkit.reproduction.models import machine_names, settings_of
from rimkit.reproduction.setup import Setup
from rimkit.tasks import SuperResolutionTask
from rimkit.trained import check_trained_for, trained_sigma
from rimkit.weights import record

SCALES = (2.0, 3.0, 4.0)
BETWEEN = {2.5: (2.0, 3.0), 3.7: (3.0, 4.0)}
"""Scales that no model is trained for, and their neighbours."""

# Chosen on training images of BSDS300 by benchmarks/tune_super_resolution.py.
TV_WEIGHTS = {2.0: 150.0, 3.0: 150.0, 4.0: 150.0}
TV_STEPS = 50

BICUBIC = "bicubic (imresize)"


@dataclasses.dataclass(frozen=True)
class UpscalingMethod(Method[Callable[[Pair], Bytes]]):
    """An upscaling method: from a pair, of which it sees the small image, to an 8-bit image.

    Attributes
    ----------
    scales
        Scales at which it is scored.
    """

    scales: Sequence[float] = (*SCALES, *BETWEEN)


def interpolation() -> UpscalingMethod:
    """Bicubic interpolation, as published."""
    return UpscalingMethod(BICUBIC, bicubic, "8 bits, rounded between the passes")


def total_variation(weight: float | None = None) -> UpscalingMethod:
    """Total variation through the same operator; ``weight`` overrides those chosen by scale."""
    sigma = SuperResolutionTask.sigma

    def restore(pair: Pair) -> Bytes:
        chosen = TV_WEIGHTS[pair.scale] if weight is None else weight
        solver = TotalVariation(weight=chosen, steps=TV_STEPS)
        return from_unit(solver.solve(pair.y, pair.problem(sigma / LEVELS)).x[0])

    by_scale = ", ".join(f"{value:g} at x{scale:g}" for scale, value in TV_WEIGHTS.items())
    chosen = by_scale if weight is None else f"{weight:g}"
    settings = f"weight {chosen}; {TV_STEPS} steps, sigma {sigma:g} of 255"
    return UpscalingMethod("total variation", restore, settings, scales=SCALES)


def machines(setup: Setup) -> list[UpscalingMethod]:
    """The model in the package, if there is one, and the requested ones.

    Only the model in the package is scored at scales that no machine is trained for.
    """
    own = SuperResolutionTask.table_name
    return [
        _machine(name, (*SCALES, *BETWEEN) if name == own else SCALES)
        for name in machine_names(own, setup)
    ]


def _machine(name: str, scales: Sequence[float]) -> UpscalingMethod:
    model = weights.load(name)
    check_trained_for(SuperResolutionTask, model.training_record, model=name)
    sigma = trained_sigma(model.training_record)

    def restore(pair: Pair) -> Bytes:
        return from_unit(model.solve(pair.y, pair.problem(sigma)).x[0])

    settings = f"{settings_of(name, model)}, sigma {sigma * LEVELS:g} of 255"
    parameters = record.parameter_count(model)
    return UpscalingMethod(
        record.title(name, model.training_record),
        restore,
        settings,
        parameters,
        record.described(model),
        scales,
    )
