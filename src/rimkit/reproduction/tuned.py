"""The classical solvers compared with a machine for random projections, tuned by problem."""

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
    "denoise-15": Descent(0.00079, 1),
    "denoise-25": Descent(0.0022, 1),
    "denoise-50": Descent(0.0087, 1),
    "inpaint-5": Descent(8.7e-05, 1),
    "inpaint-25": Descent(0.0022, 1),
    "deblur": Descent(0.00036, 9),
    "frequencies": Descent(8.7e-05, 12),
    "counts": Descent(6.3e-05, 1),
    "fourier-0.6": Descent(0.00089, 1),
    "fourier-0.4": Descent(0.00089, 1),
    "fourier-0.2": Descent(0.00089, 2),
    "fourier-0.1": Descent(0.00089, 1),
    "binary-0.6": Descent(7.3e-05, 135),
    "binary-0.4": Descent(8.7e-05, 80),
    "binary-0.2": Descent(0.00011, 35),
    "binary-0.1": Descent(0.00013, 19),
    "gaussian-0.6": Descent(7.3e-05, 145),
    "gaussian-0.4": Descent(8.7e-05, 81),
    "gaussian-0.2": Descent(0.00011, 40),
    "gaussian-0.1": Descent(0.00013, 27),
}
VARIATIONS: dict[str, Variation] = {
    "denoise-15": Variation(11, 25),
    "denoise-25": Variation(8, 25),
    "denoise-50": Variation(4.7, 100),
    "inpaint-5": Variation(15, 50),
    "inpaint-25": Variation(6, 50),
    "deblur": Variation(5, 100),
    "frequencies": Variation(15, 400),
    "counts": Variation(12, 50),
    "fourier-0.6": Variation(17, 200),
    "fourier-0.4": Variation(17, 400),
    "fourier-0.2": Variation(10, 800),
    "fourier-0.1": Variation(13, 800),
    "binary-0.6": Variation(14, 200),
    "binary-0.4": Variation(14, 200),
    "binary-0.2": Variation(10, 800),
    "binary-0.1": Variation(10, 800),
    "gaussian-0.6": Variation(14, 200),
    "gaussian-0.4": Variation(14, 200),
    "gaussian-0.2": Variation(10, 400),
    "gaussian-0.1": Variation(10, 800),
}


def gradient_descent(problem: Panel | Transfer) -> GradientDescent:
    """Gradient descent with the settings of a problem."""
    step_size, steps = DESCENTS[problem.name]
    floor = problem.variance_floor
    return GradientDescent(step_size=step_size, steps=steps, variance_floor=floor)


def total_variation(problem: Panel | Transfer) -> TotalVariation:
    """Total variation with the settings of a problem."""
    weight, steps = VARIATIONS[problem.name]
    floor = problem.variance_floor
    return TotalVariation(weight=weight, steps=steps, variance_floor=floor)
