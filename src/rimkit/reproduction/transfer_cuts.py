"""Cut-outs of what a machine for random projections makes of problems on whole images."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import Tensor

from rimkit import plot
from rimkit.evaluation.images import CleanImage
from rimkit.evaluation.projections import Measured
from rimkit.evaluation.transfer import TRANSFERS, Transfer
from rimkit.metrics import psnr
from rimkit.precision import computing_in
from rimkit.reproduction.method import SolverMethod
from rimkit.solver import DivergenceError

_SIDE = 112  # of a cut-out, in pixels


def draw(image: CleanImage, methods: Sequence[SolverMethod[Transfer]]) -> Figure:
    """Draw a row for every problem: truth, measurement, and what each method makes of it.

    Titles give the PSNR of the whole image, and mark a machine that is below a classical solver.
    """
    with mpl.rc_context({"font.size": 8}):
        shape = (len(TRANSFERS), 2 + len(methods))
        figure = Figure(figsize=(1.75 * shape[1], 2.15 * shape[0]), layout="constrained")
        axes = figure.subplots(*shape, squeeze=False)
        for row, problem in zip(axes, TRANSFERS, strict=True):
            plot.compare(_row(problem, image, methods), axes=list(row))
    return figure


def solved(method: SolverMethod[Transfer], problem: Transfer, measured: Measured) -> Tensor | None:
    """The estimate after the solver's own steps; None if it diverged."""
    try:
        with computing_in(method.precision, measured.truth.device.type):
            return method.solver(problem).solve(measured.y, measured.problem).x
    except DivergenceError:
        return None


def _row(
    problem: Transfer, image: CleanImage, methods: Sequence[SolverMethod[Transfer]]
) -> dict[str, Tensor]:
    """Titles and cut-outs."""
    measured = problem.measure(image)
    truth, y = measured.truth, measured.y
    is_image = y.shape == truth.shape and not y.is_complex()
    seen, word = (y, "measured") if is_image else (measured.problem.initial(y), "zero-filled")
    pictures = {f"{problem.title}\ntruth": truth, f"{word}\n{_decibels(seen, truth)}": seen}
    best, best_name = float("-inf"), ""
    for method in methods:
        name, x = method.name, solved(method, problem, measured)
        if x is None:
            pictures[f"{name}\ndiverged"] = torch.ones_like(truth)
            continue
        value = psnr(x, truth).item()
        title = f"{name}\n{value:.2f} dB"
        if method.learned and value < best:
            title += f"\nbelow {best_name}"
        if not method.learned and value > best:
            best, best_name = value, name
        pictures[title] = x
    window = _middle(truth.shape[2]), _middle(truth.shape[3])
    return {title: picture[..., *window] for title, picture in pictures.items()}


def _middle(side: int) -> slice:
    first = max(0, (side - _SIDE) // 2)
    return slice(first, first + _SIDE)


def _decibels(x: Tensor, truth: Tensor) -> str:
    return f"{psnr(x, truth).item():.2f} dB"
