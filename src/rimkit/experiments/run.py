"""Run a study: time the updates of every choice, then train them all; resumes where it stopped."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from rimkit import atomic, extensions, settings
from rimkit.benchmarks.updates import time_update
from rimkit.data.splits import load_images, split_images
from rimkit.experiments.result import Look, Result, read_log
from rimkit.experiments.study import Choice, Study
from rimkit.pixels import Bytes
from rimkit.precision import default_precision
from rimkit.signals import ENDING, handled, hang_up
from rimkit.solver import DivergenceError
from rimkit.training import folder
from rimkit.training.callbacks import LAST
from rimkit.training.log import LATE
from rimkit.training.recipe import Recipe
from rimkit.training.run import inputs_of, train
from rimkit.training.trainer import RunOptions
from rimkit.weights import store

_COSTS = "seconds-per-update.json"
_SECONDS, _OF = "seconds", "of"
_PASSES = 3  # over all choices; the shortest time counts, so that a slow minute harms none


def run_study(
    study: Study,
    paths: list[Path],
    output: Path,
    *,
    only: Sequence[str] = (),
    costs: Mapping[str, float] | None = None,
    jobs: int = 1,
    say: Callable[[str], None],
) -> list[Result]:
    """Train every choice with every seed and return the results, in the study's order.

    Trainings that have finished in ``output`` are not repeated; interrupted ones resume.

    Parameters
    ----------
    study
        What is compared.
    paths
        Clean images; the recipe says which are held out.
    output
        Folder of all trainings.
    only
        Names of the choices to train; all if empty.
    costs
        Seconds per update by name of choice, where already known. Values in the folder take
        precedence; missing ones are measured.
    jobs
        Number of trainings at a time, each with its share of the processor's cores. Updates are
        always timed one at a time, so that the budgets stay the same.
    say
        Called with a line for every training that ends.

    Raises
    ------
    ValueError
        If the study has no choice of a given name, or the folder holds a training that is not the
        study's.
    """
    choices = study.named(only)
    costs = _costs(study, choices, paths, output, known=costs or {}, say=say)
    trainings = [
        (choice, seed)
        for seed in range(max(choice.seeds for choice in choices))
        for choice in choices
        if seed < choice.seeds
    ]
    results: dict[tuple[str, int], Result] = {}
    threads = max(1, torch.get_num_threads() // jobs)
    with (
        handled((*ENDING, *hang_up()), _end_trainings),
        ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(threads,),
        ) as pool,
    ):
        waiting = iter(trainings)
        running: set[Future[Result]] = set()
        while len(results) < len(trainings):
            # One at a time for every worker: what has been submitted cannot be recalled.
            for choice, seed in itertools.islice(waiting, jobs - len(running)):
                cost = costs.get(choice.updates_of or choice.name)
                training = pool.submit(
                    _work, study, choice, seed=seed, cost=cost, paths=paths, output=output
                )
                running.add(training)
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for result in (training.result() for training in done):
                results[result.choice.name, result.seed] = result
                say(f"{len(results)}/{len(trainings)} {_summary(result)}")
    return [results[c.name, seed] for c in choices for seed in range(c.seeds)]


def _begin(threads: int) -> None:
    """Prepare a worker process for trainings."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    extensions.load_inherited()
    torch.set_num_threads(threads)


def _end_with_parent() -> None:
    """Terminate this process once the study that started it is gone: nobody waits for it."""
    study = multiprocessing.parent_process()
    if study is not None:
        study.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _work(*arguments: Any, **options: Any) -> Result:
    """Train in a worker process, which must end with the study or it would wait forever."""
    try:
        return _train(*arguments, **options)
    finally:
        study = multiprocessing.parent_process()
        if study is not None and not study.is_alive():
            os._exit(1)


def _end_trainings(number: int, frame: FrameType | None) -> None:
    """Pass a request to stop on to the trainings, which then save a checkpoint."""
    for training in multiprocessing.active_children():
        training.terminate()
    raise KeyboardInterrupt


def _summary(result: Result) -> str:
    figures = ", ".join(f"{name} {db:.2f}" for name, db in result.looks[-1].psnr.items())
    return f"{result.choice.name}, seed {result.seed}: {figures}"


def _costs(
    study: Study,
    choices: Sequence[Choice],
    paths: list[Path],
    output: Path,
    *,
    known: Mapping[str, float],
    say: Callable[[str], None],
) -> dict[str, float]:
    """Seconds per update, by name, of the choices whose budget is in minutes, not updates.

    Values in the folder are used if they are for the same recipe and precision, then known ones.
    """
    by_minutes = {c.updates_of or c.name for c in choices if not c.updates}
    timed = [choice for choice in study.choices if choice.name in by_minutes]
    file = output / _COSTS
    kept: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file.exists() else {}
    said = {choice.name: _timed_as(study, choice) for choice in timed}
    costs = {name: known[name] for name in said if name in known} | {
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
        table = kept | {name: {_SECONDS: costs[name], _OF: what} for name, what in said.items()}
        with atomic.replacing(file) as stream:
            stream.write(json.dumps(table, indent=1).encode() + b"\n")
    return costs


def _timed_as(study: Study, choice: Choice) -> str:
    """Checksum of what the time of an update depends on: recipe and precision."""
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
    """Train, unless already done; without a cost, a choice has its own number of updates."""
    place = output / f"{choice.folder}-{seed}"
    updates = choice.updates
    if cost is not None and not updates:
        updates = int(60 * (choice.minutes or study.minutes) / cost)
        updates = max(1, updates // study.looks) * study.looks
    recipe = study.recipe_of(choice, updates=updates, seed=seed)
    if (place / folder.RECIPE).exists() and folder.saved_recipe(place) != recipe:
        raise ValueError(f"{place} holds a different training than this study's: move it away")
    if folder.ended_after(place) == updates:
        folder.check_same(place, recipe, inputs_of(recipe, paths, precision=_precision(choice)))
    else:
        try:
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
        except DivergenceError:  # the table shows it, and the study goes on
            return _diverged(study, choice, seed=seed, cost=cost, recipe=recipe, place=place)
        if folder.ended_after(place) != updates:  # an interrupted training returns normally
            raise KeyboardInterrupt
    (place / LAST).unlink(missing_ok=True)
    looks = read_log(place, study.columns)
    if not looks or looks[-1].update < updates:
        raise ValueError(f"the log in {place} does not reach the end of the training")
    absent = [column for column in study.columns if column not in looks[-1].logged]
    if absent:
        raise ValueError(f"the log in {place} has no {', '.join(absent)}")
    if cost is None:
        training = store.read_metadata(place / folder.WEIGHTS)["training"]
        cost = training["seconds"] / training["updates"]
    return Result(choice, seed, cost, updates, looks)


def _diverged(
    study: Study, choice: Choice, *, seed: int, cost: float | None, recipe: Recipe, place: Path
) -> Result:
    """The result of a training that diverged: NaN at its end."""
    updates = recipe.optimizer.updates
    problems = [name for known in recipe.task.validation() for name in (known, known + LATE)]
    end = Look(updates, dict.fromkeys(problems, math.nan), dict.fromkeys(study.columns, math.nan))
    looks = [look for look in read_log(place, study.columns) if look.update < updates]
    return Result(choice, seed, math.nan if cost is None else cost, updates, [*looks, end])
