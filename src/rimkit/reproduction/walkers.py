"""The solvers of Figure 2: machines, of which several seeds form a variant, and classical ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from rimkit import weights
from rimkit.evaluation.projections import GREY, STEPS, Panel
from rimkit.reproduction.curves import Walks
from rimkit.reproduction.method import Settings, SolverMethod, network_precision, settings_lines
from rimkit.reproduction.models import load_grey, machine_names
from rimkit.reproduction.setup import Setup
from rimkit.reproduction.tuned import gradient_descent, total_variation
from rimkit.solver import Solver
from rimkit.tasks import RandomProjectionsTask
from rimkit.trained import check_trained_for
from rimkit.weights import record

GRADIENT_DESCENT, TOTAL_VARIATION = "gradient descent", "total variation"
CLASSICAL = (GRADIENT_DESCENT, TOTAL_VARIATION)

_SEED = re.compile(r"(.+)-seed(\d+)")
Walker = SolverMethod[Panel]
"""A solver that is measured step by step."""

_Named = TypeVar("_Named", bound=Walker | Walks)


def learned(setup: Setup) -> list[Walker]:
    """Machines: the one in the package, and the requested ones.

    A file NAME-seed0.safetensors is a seed of NAME.

    Raises
    ------
    ValueError
        If one is for another task.
    """
    return [_machine(name) for name in machine_names(RandomProjectionsTask.table_name, setup)]


def by_name(walkers: Iterable[_Named]) -> dict[str, list[_Named]]:
    """Group seeds by name, classical solvers first.

    Raises
    ------
    ValueError
        If two of one name have the same seed, or one of them has none.
    """
    found: dict[str, list[_Named]] = {}
    for walker in sorted(walkers, key=lambda w: (w.name not in CLASSICAL, w.name, w.seed or 0)):
        seeds = found.setdefault(walker.name, [])
        if any(None in (walker.seed, other.seed) or walker.seed == other.seed for other in seeds):
            raise ValueError(
                f"two methods are called {walker.name}: give their files names of their own, "
                "and seeds of one variant NAME-seed0.safetensors, NAME-seed1.safetensors, ..."
            )
        seeds.append(walker)
    return found


def steps_of(walker: Walker, panel: Panel) -> int:
    """Number of steps measured; for a classical solver, the number it is tuned for."""
    return STEPS if walker.learned else walker.solver(panel).steps


def classical() -> list[Walker]:
    """Gradient descent and total variation with the settings of each panel."""
    return [
        _classical(GRADIENT_DESCENT, gradient_descent, "step_size"),
        _classical(TOTAL_VARIATION, total_variation, "weight"),
    ]


def _machine(name: str) -> Walker:
    model = load_grey(name)
    check_trained_for(RandomProjectionsTask, model.training_record, model=name)
    short = record.short_name(name)
    found = _SEED.fullmatch(short)
    seen = record.beyond_protocol(model.training_record)
    said = f"weights {weights.sha256(name)[:16]}{f' ({seen})' if seen else ''}, {STEPS} steps"
    settings = Settings(said, network_precision())
    return Walker(
        name=found[1] if found else short,
        solver=lambda _: model,
        settings=lambda _: settings,
        parameters=record.parameter_count(model),
        seed=int(found[2]) if found else None,
    )


def _classical(name: str, tuned: Callable[[Panel], Solver], setting: str) -> Walker:
    def settings(panel: Panel) -> Settings:
        solver = tuned(panel)
        said = f"{name}, {setting} {getattr(solver, setting):g}, {solver.steps} steps"
        return Settings(f"{said} from grey of {GREY:g}", "float32")

    return Walker(name, tuned, settings)


def settings_text(everyone: Sequence[Walks], panels: Sequence[Panel]) -> list[str]:
    """What the values of walks depend on, one line for each that differs."""
    return [
        line
        for walks in everyone
        for line in settings_lines(
            _title(walks), {panel.title: walks.settings[panel] for panel in panels}
        )
    ]


def versions_of(everyone: Sequence[Walks]) -> list[str]:
    """Which versions measured the walks: curves are kept, and drawn by later versions."""
    return [f"{_title(w)}: measured by {', '.join(dict.fromkeys(w.measured_by))}" for w in everyone]


def _title(walks: Walks) -> str:
    return walks.name if walks.seed is None else f"{walks.name}, seed {walks.seed}"
