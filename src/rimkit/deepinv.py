"""Problems from deepinv, for users with an operator there; deepinv itself is not imported."""

from __future__ import annotations

import contextlib
from typing import Any

from torch import Tensor

from rimkit.noises import GaussianNoise, PoissonNoise
from rimkit.operators import Mask, Operator
from rimkit.problem import Problem


def as_problem(physics: Any) -> Problem:
    """Build a problem from a deepinv physics: it is the operator, its noise model the noise.

    Masks (Inpainting, Demosaicing) become an equivalent `Mask`, which has a better starting point:
    missing pixels are filled from those nearby, not with black.

    Raises
    ------
    ValueError
        If rimkit has no likelihood for the class of the noise model, or its settings change the
        likelihood. Classes are matched exactly: Rician noise has a ``sigma``, too.
    """
    model: Any = getattr(physics, "noise_model", None)
    kind = type(model)
    if not kind.__module__.startswith("deepinv.") or not hasattr(physics, "A"):
        raise ValueError(
            f"as_problem needs a deepinv physics with a deepinv noise model, "
            f"got {type(physics).__name__} with {kind.__name__}"
        )
    if kind.__name__ == "GaussianNoise":
        return Problem(_operator(physics), GaussianNoise(_level(model.sigma)))
    if kind.__name__ == "PoissonNoise":
        if not getattr(model, "normalize", True):
            raise ValueError("PoissonNoise must have normalize=True, so that y has the units of x")
        return Problem(_operator(physics), PoissonNoise(_level(model.gain)))
    raise ValueError(
        f"rimkit has no likelihood for the noise model {kind.__name__}; "
        "use GaussianNoise or PoissonNoise, or build rimkit.Problem(operator, noise) yourself"
    )


def _operator(physics: Any) -> Operator:
    kind = type(physics)
    if kind.__module__.startswith("deepinv.") and kind.__name__ in ("Inpainting", "Demosaicing"):
        with contextlib.suppress(ValueError):  # no mask of 0 and 1: works as it stands
            return Mask(physics.mask)
    return physics  # type: ignore[no-any-return]


def _level(value: Any) -> Tensor | float:
    return value.reshape(-1) if isinstance(value, Tensor) else float(value)
