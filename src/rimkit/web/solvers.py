"""The solvers that the page offers, by name."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rimkit import weights
from rimkit.classical import GradientDescent, TotalVariation
from rimkit.pixels import LEVELS, Array
from rimkit.restoring.denoiser import Denoiser, known_levels
from rimkit.rim import RIM
from rimkit.solver import Solver
from rimkit.tasks import (
    DenoisingTask,
    InpaintingTask,
    RandomProjectionsTask,
    SuperResolutionTask,
)
from rimkit.trained import inpainting_sigma, task_name
from rimkit.web.problems import ROUNDING
from rimkit.weights import record

_CLASSICAL_STEPS = 60
# Peak memory of an inference, in bytes per pixel and colour: measured over all kinds of problems
# (tests/web/test_solvers.py: 170 and 125, for a blur), plus a fifth for fragmentation.
_HELD_BY_TOTAL_VARIATION = 200
_HELD_BY_GRADIENT_DESCENT = 160
_TASKS = {
    DenoisingTask.table_name: ("photograph", "noise"),
    InpaintingTask.table_name: ("missing", "scratches", "painted"),
    SuperResolutionTask.table_name: ("smaller",),
    RandomProjectionsTask.table_name: ("projections",),
}


@dataclasses.dataclass(frozen=True)
class Offer:
    """A solver to choose from.

    Attributes
    ----------
    name, summary
        What to call it (for a model of one's own, without its path), and what it is, in one line.
    steps
        Number of steps by default.
    channels
        Number that it is built for; 1: colours become separate samples.
    trained
        Kinds of problems it was trained for; none for a classical solver, which is no drawback.
    learned
        Whether it is trained at all.
    build
        Maps sigma, where white is 1, to the solver.
    together
        How many samples like (H, W, channels) fit into memory at once.
    known_levels
        Levels to which an image was rounded, if the likelihood is to use them.
    least_sigma
        Noise level below which an image that is noisy as it is stays unchanged: see `Denoiser`.
    seen_sigma
        As in `rimkit.web.problems.measure`.
    """

    name: str
    summary: str
    steps: int
    channels: int
    trained: tuple[str, ...]
    learned: bool
    build: Callable[[float], Solver]
    together: Callable[[Array], int]
    known_levels: Callable[[Array], int | None] = lambda _: None
    least_sigma: float = 0.0
    seen_sigma: float = ROUNDING / LEVELS


def offers(models: Sequence[str], *, memory: float) -> Mapping[str, Offer]:
    """Offer models, by their names or paths, and two classical solvers.

    ``memory``: bytes that one inference may take.

    Raises
    ------
    ValueError
        If a model cannot be loaded, or two have the same name.
    """
    listed = [_learned(model, memory) for model in models]
    listed.append(
        Offer(
            "total-variation",
            "a classical prior: few edges (its weight follows sigma, and is not tuned)",
            steps=_CLASSICAL_STEPS,
            channels=1,
            trained=(),
            learned=False,
            build=lambda sigma: TotalVariation(weight=0.5 / sigma),
            together=functools.partial(_all_or_none, memory=memory, held=_HELD_BY_TOTAL_VARIATION),
        )
    )
    listed.append(
        Offer(
            "gradient-descent",
            "the likelihood alone, no prior",
            steps=_CLASSICAL_STEPS,
            channels=1,
            trained=(),
            learned=False,
            build=lambda sigma: GradientDescent(step_size=0.5 * sigma**2),
            together=functools.partial(_all_or_none, memory=memory, held=_HELD_BY_GRADIENT_DESCENT),
        )
    )
    record.check_model_names([offer.name for offer in listed])
    return {offer.name: offer for offer in listed}


def trained_kinds(training_record: Mapping[str, Any]) -> tuple[str, ...]:
    """Kinds of problems, as in `rimkit.web.problems`, that a model was trained for."""
    return _TASKS.get(task_name(training_record), ())


def seen_sigma(training_record: Mapping[str, Any]) -> float:
    """Noise level given to the likelihood for noise-free pixels beside painted ones, white at 1."""
    if "painted" in trained_kinds(training_record):
        return inpainting_sigma(training_record)
    return ROUNDING / LEVELS


def _all_or_none(values: Array, *, memory: float, held: int) -> int:
    """All colours if they fit, else 0: most memory is held between steps, so turns save little."""
    return int(values.shape[2]) if held * values.size <= memory else 0


def _learned(model: str, memory: float) -> Offer:
    loaded = weights.load(model)
    known = model in weights.model_names()
    denoiser = Denoiser(loaded, memory=memory)

    def build(_: float) -> RIM:
        return loaded

    return Offer(
        record.short_name(model),
        weights.card(model).summary if known else "a model of your own",
        steps=loaded.steps,
        channels=loaded.config.network.channels,
        trained=trained_kinds(loaded.training_record),
        learned=True,
        build=build,
        together=denoiser.together,
        known_levels=functools.partial(known_levels, loaded),
        least_sigma=denoiser.least_sigma,
        seen_sigma=seen_sigma(loaded.training_record),
    )
