"""Run a study: measure what every choice costs, then train them all; goes on where it stopped."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import hashlib
import itertools
import json
import multiprocessing
import signal
import statistics
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from rimkit import atomic, settings
from rimkit.benchmarks.updates import time_update
from rimkit.data.images import Bytes
from rimkit.experiments.study import Choice, Study
from rimkit.training import folder
from rimkit.training.callbacks import LAST
from rimkit.training.data import load_images, split_images
from rimkit.training.run import RunOptions, default_precision, inputs_of, train
from rimkit.weights import store

_COSTS = "seconds-per-update.json"
_SECONDS, _OF = "seconds", "of"
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
    results: dict[tuple[str, int], Result] = {}
    threads = max(1, torch.get_num_threads() // jobs)
    with (
        _request_to_end_passed_on(),
        ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=torch.set_num_threads,
            initargs=(threads,),
        ) as pool,
    ):
        waiting = iter(trainings)
        running: set[Future[Result]] = set()
        while len(results) < len(trainings):
            # One at a time for every worker: what has been handed over cannot be called back.
            for choice, seed in itertools.islice(waiting, jobs - len(running)):
                cost = costs.get(choice.updates_of or choice.name)
                training = pool.submit(
                    _train, study, choice, seed=seed, cost=cost, paths=paths, output=output
                )
                running.add(training)
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for result in (training.result() for training in done):
                results[result.choice.name, result.seed] = result
                say(f"{len(results)}/{len(trainings)} {_summary(result)}")
    return [results[c.name, seed] for c in study.choices for seed in range(c.seeds)]


@contextlib.contextmanager
def _request_to_end_passed_on() -> Iterator[None]:
    """Let SIGTERM end the trainings, too, with a checkpoint: Ctrl-C reaches them by itself."""

    def end(number: int, frame: FrameType | None) -> None:
        for training in multiprocessing.active_children():
            training.terminate()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _summary(result: Result) -> str:
    figures = ", ".join(f"{name} {db:.2f}" for name, db in result.looks[-1].psnr.items())
    return f"{result.choice.name}, seed {result.seed}: {figures}"


def _costs(
    study: Study, paths: list[Path], output: Path, say: Callable[[str], None]
) -> dict[str, float]:
    """Seconds per update of the choices that get minutes, not updates, by name.

    Those in the folder are taken if they are of the same recipe and precision.
    """
    by_minutes = {c.updates_of or c.name for c in study.choices if not c.updates}
    timed = [choice for choice in study.choices if choice.name in by_minutes]
    file = output / _COSTS
    kept: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file.exists() else {}
    said = {choice.name: _timed_as(study, choice) for choice in timed}
    costs = {
        name: float(kept[name][_SECONDS])
        for name, what in said.items()
        if kept.get(name, {}).get(_OF) == what
    }
    missing = [choice for choice in timed if choice.name not in costs]
    for measuring in range(_PASSES if missing else 0):
        for choice in missing:
            seconds = _seconds_per_update(study, choice, paths)
            costs[choice.name] = min(seconds, costs.get(choice.name, seconds))
            say(f"pass {measuring + 1}, {choice.name}: {seconds:.3f} s an update")
    if missing:
        table = {name: {_SECONDS: costs[name], _OF: what} for name, what in said.items()}
        with atomic.replacing(file) as stream:
            stream.write(json.dumps(table, indent=1).encode() + b"\n")
    return costs


def _timed_as(study: Study, choice: Choice) -> str:
    """What the time of an update depends on: a checksum of recipe and precision."""
    recipe = settings.to_table(study.recipe_of(choice, updates=study.looks))
    text = json.dumps([recipe, _precision(choice)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _precision(choice: Choice) -> str:
    return default_precision("cpu") if choice.precision == "auto" else choice.precision


def _seconds_per_update(study: Study, choice: Choice, paths: list[Path]) -> float:
    recipe = study.recipe_of(choice, updates=study.looks)
    training, _ = split_images(paths, held_out_every=recipe.data.held_out_every)
    images: list[Bytes] = load_images(
        training, channels=recipe.model.network.channels, smallest=recipe.data.patch
    )
    return time_update(recipe, images, precision=_precision(choice)).total


def _train(
    study: Study,
    choice: Choice,
    *,
    seed: int,
    cost: float | None,
    paths: list[Path],
    output: Path,
) -> Result:
    """Train if that has not been done; without a cost, a choice has its number of updates."""
    place = output / f"{choice.folder}-{seed}"
    updates = choice.updates
    if cost is not None and not updates:
        updates = int(60 * (choice.minutes or study.minutes) / cost)
        updates = max(1, updates // study.looks) * study.looks
    recipe = study.recipe_of(choice, updates=updates, seed=seed)
    if (place / folder.RECIPE).exists() and folder.saved_recipe(place) != recipe:
        raise ValueError(f"{place} holds another training than this study asks for: move it away")
    if folder.ended_after(place) == updates:
        folder.check_same(place, recipe, inputs_of(recipe, paths, precision=_precision(choice)))
    else:
        train(
            recipe,
            paths,
            RunOptions(
                output=place,
                resume=(place / LAST).exists(),
                accelerator="cpu",
                precision=_precision(choice),
                progress=False,
            ),
        )
        if folder.ended_after(place) != updates:  # an interrupt ends a training in good order
            raise KeyboardInterrupt
    (place / LAST).unlink(missing_ok=True)
    looks = _read_log(place, study.columns)
    if not looks or looks[-1].update < updates:
        raise ValueError(f"the log in {place} does not go to the end of the training")
    absent = [column for column in study.columns if column not in looks[-1].logged]
    if absent:
        raise ValueError(f"the log in {place} has no {', '.join(absent)}")
    if cost is None:
        training = store.read_metadata(place / folder.WEIGHTS)["training"]
        cost = training["seconds"] / training["updates"]
    return Result(choice, seed, cost, updates, looks)


def _read_log(folder: Path, columns: Sequence[str]) -> list[Look]:
    prefix = "val/psnr_"
    looks: dict[int, dict[str, float]] = {}
    others: dict[int, dict[str, float]] = {}
    for log in sorted(folder.glob("log/*/metrics.csv")):
        lines = log.read_text().splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):  # a process was killed while it wrote
            del lines[-1]
        for row in csv.DictReader(lines):
            update = int(row["step"]) + 1
            values = {name: float(value) for name, value in row.items() if value}
            psnr = {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}
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
