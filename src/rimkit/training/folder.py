"""The folder of a training: its recorded inputs, and whether a run may resume in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rimkit import atomic, settings
from rimkit.tasks import TASKS
from rimkit.training.callbacks import LAST
from rimkit.training.recipe import Recipe, recipe_from_table
from rimkit.weights import store

WEIGHTS = "weights.safetensors"
RECIPE = "recipe.json"
_INPUTS = "inputs.json"
_PROCESSES = "processes"

# What may change on resuming: the length of the training, and when it validates.
_FREE = frozenset({"optimizer.updates", "optimizer.decay", "validate_every"})


def inputs(
    training: list[Path],
    held_out: list[Path],
    *,
    precision: str,
    start: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The inputs of a training: names and sizes of its images, its precision, its start.

    ``start`` is what `rimkit.weights.record.start_of` returns for the initial weights, if any.
    """
    return {
        **({} if start is None else {"start": start}),
        "precision": precision,
        "training": [[path.name, path.stat().st_size] for path in training],
        "held_out": [[path.name, path.stat().st_size] for path in held_out],
    }


def saved_recipe(folder: Path, *, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe of the training in a folder, with overrides.

    Raises
    ------
    ValueError
        If there is no training.
    """
    return recipe_from_table(_read(folder, RECIPE), overrides=overrides)


def saved_precision(folder: Path) -> str:
    """The precision of the training in a folder."""
    return str(_saved_inputs(folder)["precision"])


def saved_start(folder: Path) -> dict[str, Any] | None:
    """Record of the initial weights of the training in a folder; None if there is none."""
    start: dict[str, Any] | None = _read(folder, _INPUTS).get("start")
    return start


def saved_processes(folder: Path) -> int:
    """Number of processes of the training in a folder."""
    return int(_read(folder, _INPUTS).get(_PROCESSES, 1))


def on_processes(read: dict[str, Any], number: int) -> dict[str, Any]:
    """Add the number of processes to the inputs: a training's patches are divided among them."""
    return read if number == 1 else {**read, _PROCESSES: number}


def ended_after(folder: Path) -> int | None:
    """Number of updates after which the training in a folder finished; None if it has not.

    Raises
    ------
    ValueError
        If its weights are damaged.
    """
    if not (folder / WEIGHTS).exists():
        return None
    training = store.read_metadata(folder / WEIGHTS).get("training", {})
    return training["updates"] if training.get("finished") else None


def check_free(folder: Path) -> None:
    """Raise ``ValueError`` if a folder already holds a training or its weights."""
    if (folder / LAST).exists():
        raise ValueError(
            f"{folder} already holds a training: continue with --resume, or choose another --output"
        )
    if (folder / WEIGHTS).exists():
        raise ValueError(f"{folder} holds the weights of a training: choose another --output")


def begin(folder: Path, recipe: Recipe, read: dict[str, Any]) -> None:
    """Record the recipe and the inputs of a run.

    Raises
    ------
    ValueError
        If the task has settings that JSON cannot hold: they could not be read back.
    """
    try:
        said = json.dumps(settings.to_table(recipe), indent=1)
    except TypeError as error:
        raise ValueError(f"the recipe or its task cannot be stored as JSON: {error}") from error
    for name, text in ((RECIPE, said), (_INPUTS, json.dumps(read, indent=1))):
        with atomic.replacing(folder / name) as file:
            file.write(text.encode() + b"\n")


def resume(folder: Path, recipe: Recipe, read: dict[str, Any]) -> tuple[Path, int]:
    """Check that the training in a folder can resume; return its checkpoint and its update.

    It can also resume after its last update, if the weights or the final validation are missing.

    Raises
    ------
    ValueError
        If there is nothing to resume, if it has finished, or if recipe, images or precision differ.
    """
    checkpoint = folder / LAST
    if not checkpoint.exists():
        raise ValueError(f"nothing to resume: {checkpoint} does not exist")
    check_same(folder, recipe, read)
    update = _updates(checkpoint)
    if update >= recipe.optimizer.updates and ended_after(folder) == update:
        raise ValueError(f"the training in {folder} has finished: it took all its {update} updates")
    return checkpoint, update


def check_same(folder: Path, recipe: Recipe, read: dict[str, Any]) -> None:
    """Raise ``ValueError`` if the training in a folder differs in recipe, images or precision."""
    before = settings.flat(_completed(_read(folder, RECIPE)))
    now = settings.flat(settings.to_table(recipe))
    for key in sorted((before.keys() | now.keys()) - _FREE):
        if before.get(key) != now.get(key):
            raise ValueError(
                f"{folder} holds a different training: {key} was {before.get(key)}, "
                f"now {now.get(key)}"
            )
    for key, value in _saved_inputs(folder).items():
        if json.loads(json.dumps(read.get(key))) != value:
            raise ValueError(f"{folder} holds a different training: {key} differs, see {_INPUTS}")


def _completed(saved: dict[str, Any]) -> dict[str, Any]:
    """Complete a saved recipe: settings unknown to an earlier version get today's defaults."""
    own = {"task": saved["task"]} if saved.get("task", {}).get("name") not in TASKS else {}
    known = recipe_from_table({key: saved[key] for key in saved.keys() - own.keys()})
    return {**settings.to_table(known), **own}


def _saved_inputs(folder: Path) -> dict[str, Any]:
    table = _read(folder, _INPUTS)
    missing = {"precision", "training", "held_out"} - table.keys()
    if missing:
        raise ValueError(f"{folder / _INPUTS} has no {', '.join(sorted(missing))}")
    return table


def _read(folder: Path, name: str) -> dict[str, Any]:
    try:
        table: dict[str, Any] = json.loads((folder / name).read_text())
    except FileNotFoundError:
        raise ValueError(f"nothing to resume: {folder / name} does not exist") from None
    except ValueError as error:
        raise ValueError(f"{folder / name} is not JSON: {error}") from None
    if not isinstance(table, dict):
        raise ValueError(f"{folder / name} is not a table")
    return table


def _updates(checkpoint: Path) -> int:
    try:
        return int(torch.load(checkpoint, map_location="cpu", weights_only=True)["global_step"])
    except (OSError, MemoryError):
        raise
    except Exception as error:  # unpickling what is not a pickle may raise anything
        why = str(error).strip().partition(". ")[0].partition("\n")[0] or "it ends too early"
        raise ValueError(f"{checkpoint} is not a checkpoint of a training: {why}") from error
