"""The classical solvers beside a machine for random projections, tuned for every problem."""

from __future__ import annotations

from typing import NamedTuple

from rimkit.classical import GradientDescent, TotalVariation
from rimkit.evaluation.projections import Panel
from rimkit.evaluation.transfer import Transfer


class Descent(NamedTuple):
    """Settings of gradient descent."""

    step_size: float
    steps: int


class Variation(NamedTuple):
    """Settings of total variation."""

    weight: float
    steps: int


DESCENTS: dict[str, Descent] = {}
VARIATIONS: dict[str, Variation] = {}


def gradient_descent(problem: Panel | Transfer) -> GradientDescent:
    """Gradient descent with the settings of a problem."""
    step_size, steps = DESCENTS[key(problem)]
    floor = problem.variance_floor if isinstance(problem, Transfer) else 0.0
    return GradientDescent(step_size=step_size, steps=steps, variance_floor=floor)


def total_variation(problem: Panel | Transfer) -> TotalVariation:
    """Total variation with the settings of a problem."""
    weight, steps = VARIATIONS[key(problem)]
    floor = problem.variance_floor if isinstance(problem, Transfer) else 0.0
    return TotalVariation(weight=weight, steps=steps, variance_floor=floor)


def key(problem: Panel | Transfer) -> str:
    """A problem's name among the settings."""
    return problem.name if isinstance(problem, Transfer) else f"{problem.ensemble}-{problem.p:g}"
