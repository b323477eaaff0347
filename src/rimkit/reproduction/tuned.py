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


# Chosen by benchmarks/tune_projections.py on held-out training images of BSDS300:
# results/tune-projections.txt.
DESCENTS: dict[str, Descent] = {
    "gaussian-0.1": Descent(0.00051, 77),
    "gaussian-0.2": Descent(0.00044, 100),
    "gaussian-0.4": Descent(0.00035, 100),
    "gaussian-0.6": Descent(0.00029, 100),
    "binary-0.1": Descent(0.00053, 91),
    "binary-0.2": Descent(0.00044, 99),
    "binary-0.4": Descent(0.00035, 100),
    "binary-0.6": Descent(0.00029, 100),
    "fourier-0.1": Descent(0.00089, 89),
    "fourier-0.2": Descent(0.00089, 27),
    "fourier-0.4": Descent(0.00022, 5),
    "fourier-0.6": Descent(0.00022, 9),
    "denoise-15": Descent(0.00079, 1),
    "denoise-25": Descent(0.0022, 1),
    "denoise-50": Descent(0.0087, 1),
    "inpaint-5": Descent(8.7e-05, 1),
    "inpaint-25": Descent(0.0022, 1),
    "deblur": Descent(0.00036, 9),
    "frequencies": Descent(8.7e-05, 12),
    "counts": Descent(6.3e-05, 1),
}
VARIATIONS: dict[str, Variation] = {
    "gaussian-0.1": Variation(40, 200),
    "gaussian-0.2": Variation(40, 200),
    "gaussian-0.4": Variation(20, 200),
    "gaussian-0.6": Variation(20, 200),
    "binary-0.1": Variation(40, 200),
    "binary-0.2": Variation(20, 200),
    "binary-0.4": Variation(20, 200),
    "binary-0.6": Variation(20, 200),
    "fourier-0.1": Variation(15, 200),
    "fourier-0.2": Variation(15, 200),
    "fourier-0.4": Variation(15, 200),
    "fourier-0.6": Variation(15, 200),
    "denoise-15": Variation(13, 50),
    "denoise-25": Variation(8, 50),
    "denoise-50": Variation(4, 100),
    "inpaint-5": Variation(15, 50),
    "inpaint-25": Variation(6, 50),
    "deblur": Variation(10, 50),
    "frequencies": Variation(15, 200),
    "counts": Variation(8, 100),
}


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
