"""Run a study: measure what every choice costs, then train them all; goes on where it stopped."""

from __future__ import annotations

import csv
import dataclasses
import json
import multiprocessing
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch

from rimkit import atomic
from rimkit.benchmarks.updates import time_update
from rimkit.data.images import Bytes
from rimkit.experiments.study import Choice, Study
from rimkit.training.callbacks import LAST
from rimkit.training.data import load_images, split_images
from rimkit.training.folder import RECIPE, saved_recipe
from rimkit.training.run import RunOptions, default_precision, train

_COSTS = "seconds-per-update.json"
_LATE = "_late"
_PASSES = 3  # over all choices, the shortest counts: a slow minute of the machine harms no choice


@dataclasses.dataclass(frozen=True)
class Look:
    """What the held-out images showed after so many updates: PSNR in dB by its name in the log.

    ``logged``: the newest values of the study's ``columns``, by their names in the log.
    """

    update: int
    psnr: dict[str, float]
    logged: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def own(self) -> dict[str, float]:
        """After the machine's own number of steps, by the name of the validation problem."""
        return {k: db for k, db in self.psnr.items() if not k.endswith(_LATE)}

    @property
    def mean(self) -> float:
        """Mean over the validation problems after the machine's own number of steps."""
        return statistics.mean(self.own.values())

    @property
    def late_mean(self) -> float:
        """The same after ``late`` times as many steps."""
        return statistics.mean(self.psnr[name + _LATE] for name in self.own)


@dataclasses.dataclass(frozen=True)
class Result:
    """One training of a study."""

    choice: Choice
    seed: int
    seconds_per_update: float
    updates: int
    looks: list[Look]

    def minutes(self, look: Look) -> float:
        """Minutes of training before a look, nothing else running."""
        return look.update * self.seconds_per_update / 60


def run_study(
    study: Study, paths: list[Path], output: Path, *, jobs: int = 1, say: Callable[[str], None]
) -> list[Result]:
    """Train every choice with every seed and return what they reached, in the study's order.

    What has finished in ``output`` is not trained again; what was interrupted goes on.

    Parameters
    ----------
    study
        What is compared.
    paths
        Clean images; the recipe says which are held out.
    output
        Folder of all trainings.
    jobs
        Trainings at a time, each with its share of the processor's cores. What an update costs is
        measured alone in any case, so that the budgets stay what they are.
    say
        Told of every training that ends.
    """
    costs = _costs(study, paths, output, say)
    trainings = [
        (choice, seed)
        for seed in range(max(choice.seeds for choice in study.choices))
        for choice in study.choices
        if seed < choice.seeds
    ]
    results = {}
    with ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(max(1, torch.get_num_threads() // jobs),),
    ) as pool:
        running = [
            pool.submit(
                _train,
                study,
                choice,
                seed=seed,
                cost=costs[choice.name],
                paths=paths,
                output=output,
            )
            for choice, seed in trainings
        ]
        try:
            for number, done in enumerate(as_completed(running), 1):
                result = done.result()
                results[result.choice.name, result.seed] = result
                say(f"{number}/{len(running)} {_summary(result)}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [results[c.name, seed] for c in study.choices for seed in range(c.seeds)]


def _summary(result: Result) -> str:
    figures = ", ".join(f"{name} {db:.2f}" for name, db in result.looks[-1].psnr.items())
    return f"{result.choice.name}, seed {result.seed}: {figures}"


def _costs(
    study: Study, paths: list[Path], output: Path, say: Callable[[str], None]
) -> dict[str, float]:
    """Seconds per update of every choice, from the folder if they have been measured."""
    file = output / _COSTS
    costs: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}
    missing = [c for c in study.choices if c.name not in costs and not c.updates_of]
    for measuring in range(_PASSES if missing else 0):
        for choice in missing:
            seconds = _seconds_per_update(study, choice, paths)
            costs[choice.name] = min(seconds, costs.get(choice.name, seconds))
            say(f"pass {measuring + 1}, {choice.name}: {seconds:.3f} s an update")
    if missing:
        with atomic.replacing(file) as stream:
            stream.write(json.dumps(costs, indent=1).encode() + b"\n")
    return {choice.name: costs[choice.updates_of or choice.name] for choice in study.choices}


def _seconds_per_update(study: Study, choice: Choice, paths: list[Path]) -> float:
    recipe = study.recipe_of(choice, updates=study.looks)
    training, _ = split_images(paths, held_out_every=recipe.data.held_out_every)
    images: list[Bytes] = load_images(
        training, channels=recipe.model.network.channels, smallest=recipe.data.patch
    )
    precision = default_precision("cpu") if choice.precision == "auto" else choice.precision
    return time_update(recipe, images, precision=precision).total


def _train(
    study: Study, choice: Choice, *, seed: int, cost: float, paths: list[Path], output: Path
) -> Result:
    folder = output / f"{choice.folder}-{seed}"
    minutes = choice.minutes or study.minutes
    updates = choice.updates or int(60 * minutes / cost)
    updates = max(1, updates // study.looks) * study.looks
    recipe = study.recipe_of(choice, updates=updates, seed=seed)
    if (folder / RECIPE).exists() and saved_recipe(folder) != recipe:
        raise ValueError(f"{folder} holds another training than this study asks for: move it away")
    if not _complete(_read_log(folder, study.columns), updates):
        train(
            recipe,
            paths,
            RunOptions(
                output=folder,
                resume=(folder / LAST).exists(),
                accelerator="cpu",
                precision=choice.precision,
                progress=False,
            ),
        )
    looks = _read_log(folder, study.columns)
    if not _complete(looks, updates):  # an interrupt ends a training in good order
        raise KeyboardInterrupt
    absent = [column for column in study.columns if column not in looks[-1].logged]
    if absent:
        raise ValueError(f"the log in {folder} has no {', '.join(absent)}")
    (folder / LAST).unlink(missing_ok=True)
    return Result(choice, seed, cost, updates, looks)


def _complete(looks: list[Look], updates: int) -> bool:
    return bool(looks) and looks[-1].update >= updates


def _read_log(folder: Path, columns: Sequence[str]) -> list[Look]:
    prefix = "val/psnr_"
    looks: dict[int, dict[str, float]] = {}
    others: dict[int, dict[str, float]] = {}
    for log in sorted(folder.glob("log/*/metrics.csv")):
        with log.open(newline="") as file:
            for row in csv.DictReader(file):
                update = int(row["step"]) + 1
                values = {name: float(value) for name, value in row.items() if value}
                psnr = {
                    n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)
                }
                if psnr:
                    looks[update] = psnr
                others.setdefault(update, {}).update((n, values[n]) for n in columns if n in values)
    newest: dict[str, float] = {}
    found = []
    for update in sorted(others):
        newest = newest | others[update]
        if update in looks:
            found.append(Look(update, looks[update], newest))
    return found
