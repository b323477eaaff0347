"""A machine for random projections, unchanged, on whole images: noise, and unseen problems."""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from rimkit import weights
from rimkit.evaluation.images import ROTH_BLACK, CleanImage, load_test_images
from rimkit.evaluation.projections import STEPS, psnr_by_step
from rimkit.evaluation.statistics import bootstrap_mean, compare, or_lowest
from rimkit.evaluation.transfer import TRANSFERS, Transfer
from rimkit.reproduction.costs import Priced, costs
from rimkit.reproduction.kept import Kept
from rimkit.reproduction.method import Settings, SolverMethod, network_precision, settings_lines
from rimkit.reproduction.models import QUIETLY, load_grey, machine_names, quietly
from rimkit.reproduction.setup import Setup, check_names
from rimkit.reproduction.transfer_cuts import draw, solved
from rimkit.reproduction.tuned import gradient_descent, total_variation
from rimkit.reproduction.walkers import (
    CLASSICAL,
    GRADIENT_DESCENT,
    TOTAL_VARIATION,
)
from rimkit.sheets import columns
from rimkit.solver import Solver
from rimkit.tasks import RandomProjectionsTask
from rimkit.trained import check_trained_for, saw_less_contrast
from rimkit.weights import record

_START = "start"
_VALUES = ("start_db", "own_db", "late_db")
_TIMED = TRANSFERS[0]
_LATE = 5  # images on which a machine continues to ``STEPS``: most of the work
_PROTOCOL = 1

_Method = SolverMethod[Transfer]


@dataclasses.dataclass(frozen=True)
class Score:
    """PSNR of an image in dB: at the start, after the method's own steps, and after ``STEPS``.

    NaN if the solver had diverged; ``late`` is also NaN if it was not run that far.
    """

    start: float
    own: float
    late: float


_ByProblem = Mapping[str, Sequence[Score]]
"""Scores of one method, by problem, image by image."""


def transfer(setup: Setup) -> str:
    """Solve every problem with every method from the same starts; write a table and cut-outs.

    Raises
    ------
    ValueError
        If there is no machine, one is for another task, or two methods have the same name.
    """
    names = machine_names(RandomProjectionsTask.table_name, setup, needed=True)
    machines = [_machine(name) for name in names]
    check_names([*CLASSICAL, *(machine.name for machine in machines)])
    methods = [
        _classical(GRADIENT_DESCENT, gradient_descent, "step_size"),
        _classical(TOTAL_VARIATION, total_variation, "weight"),
        *machines,
    ]
    images = list(load_test_images(setup.images or ROTH_BLACK))
    file = setup.output / "transfer-images.csv"
    kept = Kept(file, place=("problem", "image"), values=_VALUES, protocol=_PROTOCOL)
    scores = {method.name: _scored(method, images, kept, setup) for method in methods}
    setup.save(draw(images[0], methods), "transfer.png")
    parts = [
        f"The first {len(images)} grey test images; mean PSNR in dB after a method's own steps,",
        "all from the same start.",
        "± is the standard deviation of the mean (bootstrap over images).",
        *kept.about,
        "",
        columns(_means(scores)),
    ]
    for machine in machines:
        parts += ["", columns(_against(machine.name, scores))]
    parts += [
        "",
        "In brackets: between them lie 95 % of the resampled means. Then: images won.",
        f"What {STEPS} steps change is of the first {min(_LATE, len(images))} images.",
        "",
    ]
    for method in methods:
        parts += settings_lines(method.name, {p.title: method.settings(p) for p in TRANSFERS})
    parts += ["", costs(f"an image, {_TIMED.title}", _priced(methods, images[0]))]
    return setup.write("transfer.txt", "\n".join(parts) + "\n")


def _machine(name: str) -> _Method:
    model = load_grey(name)
    check_trained_for(RandomProjectionsTask, model.training_record, model=name)
    said = f"weights {weights.sha256(name)[:16]}, {model.steps} and {STEPS} steps"
    faint = saw_less_contrast(model.training_record)  # and is given less, as in Table 2

    def solver(problem: Transfer) -> Solver:
        return quietly(model, problem.noise) if faint else model

    def settings(problem: Transfer) -> Settings:
        besides = "" if solver(problem) is model else QUIETLY
        return Settings(said, network_precision(), besides)

    title = record.called(name, model.training_record)
    return _Method(title, solver, settings, record.parameter_count(model))


def _classical(name: str, tuned: Callable[[Transfer], Solver], setting: str) -> _Method:
    def settings(problem: Transfer) -> Settings:
        solver = tuned(problem)
        floor = problem.variance_floor
        said = f"{name}, {setting} {getattr(solver, setting):g}, {solver.steps} steps"
        return Settings(said, "float32", f", variance floor {floor:g}" if floor else "")

    return _Method(name, tuned, settings)


def _scored(method: _Method, images: Sequence[CleanImage], kept: Kept, setup: Setup) -> _ByProblem:
    """Score a method; kept scores are not measured again."""
    scores: dict[str, list[Score]] = {}
    for problem in TRANSFERS:
        # The title of a problem includes its settings.
        settings = f"{method.settings(problem)}; {problem.title}"
        kept.rename(method.name, settings)
        scores[problem.name] = []
        for number, image in enumerate(images):
            place = {"problem": problem.name, "image": image.name}
            late = method.learned and number < _LATE
            measure = functools.partial(_measured, method, problem, image, late=late)
            line = kept.score(method.name, settings, place, measure)
            scores[problem.name].append(Score(*(float(line[name]) for name in _VALUES)))
        setup.say(f"{method.name}: {problem.title}")
    return scores


def _measured(
    method: _Method, problem: Transfer, image: CleanImage, *, late: bool
) -> dict[str, str]:
    solver = method.solver(problem)
    steps = max(STEPS, solver.steps) if late else solver.steps
    measured = problem.measure(image)
    walk = psnr_by_step(solver, measured, steps=steps, precision=method.precision)[:, 0]
    values = (walk[0], walk[solver.steps], walk[STEPS] if late else math.nan)
    return {name: f"{value:.4f}" for name, value in zip(_VALUES, values, strict=True)}


def _priced(methods: Sequence[_Method], image: CleanImage) -> list[Priced]:
    """The methods on one problem, each with its own number of steps."""
    measured = _TIMED.measure(image)
    priced = []
    for method in methods:
        run = functools.partial(solved, method, _TIMED, measured)
        priced.append(Priced(method.name, method.parameters, method.solver(_TIMED).steps, run))
    return priced


def _means(scores: Mapping[str, _ByProblem]) -> list[list[str]]:
    lines = [["own steps", _START, *scores]]
    for problem in TRANSFERS:
        starts = [score.start for score in scores[TOTAL_VARIATION][problem.name]]
        cells = [_mean([score.own for score in of[problem.name]]) for of in scores.values()]
        lines.append([problem.title, f"{statistics.mean(starts):.2f}", *cells])
    return lines


def _against(name: str, scores: Mapping[str, _ByProblem]) -> list[list[str]]:
    """A machine by step, and compared with the better of the classical solvers."""
    change = f"{STEPS} steps against them"
    lines = [[name, "own steps", change, "against the best classical solver", "", "won"]]
    for problem in TRANSFERS:
        own = [score.own for score in scores[name][problem.name]]
        changes = [score.late - score.own for score in scores[name][problem.name][:_LATE]]
        theirs = {
            other: [score.own for score in scores[other][problem.name]] for other in CLASSICAL
        }
        best = max(theirs, key=lambda other: or_lowest(statistics.mean(theirs[other])))
        cells = ["diverged", "", ""]
        if not _gone(own) and not _gone(theirs[best]):
            gain = compare(own, theirs[best])
            cells = [
                f"{gain.difference:+.2f} over {best}",
                f"[{gain.low:+.2f}, {gain.high:+.2f}]",
                f"{gain.wins}/{gain.images}",
            ]
        lines.append([problem.title, _mean(own), _mean(changes, sign="+"), *cells])
    return lines


def _mean(values: Sequence[float], *, sign: str = "") -> str:
    """A mean, or the number of images on which the solver diverged."""
    if _gone(values):
        return f"diverged on {_gone(values)}"
    return f"{bootstrap_mean(values):{sign}.2f}"


def _gone(values: Sequence[float]) -> int:
    return sum(math.isnan(value) for value in values)
