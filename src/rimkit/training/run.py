"""Run a training: data, trainer, checkpoints, log, and the weights at the end."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from rimkit import atomic, settings, weights
from rimkit.allocation import ready_for_updates
from rimkit.data.images import bytes_to_unit, list_images
from rimkit.data.splits import count_images, load_images, split_images
from rimkit.precision import default_precision
from rimkit.rim import RIM
from rimkit.training import folder
from rimkit.training.callbacks import LAST
from rimkit.training.data import PatchData
from rimkit.training.log import looks, rows
from rimkit.training.module import RIMTraining
from rimkit.training.optimizer import build_optimizer
from rimkit.training.quiet import quiet
from rimkit.training.recipe import Recipe
from rimkit.training.trainer import PRECISIONS, RunOptions, build_trainer, interruptible, is_first
from rimkit.training.trial import try_task
from rimkit.weights import record, store


def train(recipe: Recipe, paths: str | Path | Sequence[str | Path], options: RunOptions) -> Path:
    """Train with a recipe and return the path of the weights (EMA, safetensors).

    ``paths`` are clean images, or one folder of them. Every problem of ``recipe.task`` is drawn
    once before anything is written, so that an error in a task shows at once.

    Lightning's warnings and log are quieter meanwhile. The memory allocation of the process is
    changed permanently where that makes updates faster (`rimkit.allocation.ready_for_updates`).

    Raises
    ------
    ValueError
        If images, recipe, devices or checkpoint are unsuitable, another process is training in the
        folder, or the training diverges for good.
    """
    if isinstance(paths, str | Path):
        found = list_images(Path(paths))
    else:
        found = [Path(path) for path in paths]
    with quiet(), contextlib.ExitStack() as claims:
        return _train(recipe, found, options, claims)


def _train(
    recipe: Recipe, paths: list[Path], options: RunOptions, claims: contextlib.ExitStack
) -> Path:
    options = dataclasses.replace(options, precision=_precision(options))
    training, held_out = split_images(paths, held_out_every=recipe.data.held_out_every)
    data = _data(recipe, training, held_out)
    start = folder.saved_start(options.folder) if options.resume else _start(recipe)
    read = folder.inputs(training, held_out, precision=options.precision, start=start)
    checkpoint, update = None, 0
    if options.resume:
        read = folder.on_processes(read, folder.saved_processes(options.folder))
        _claim(options.folder, claims)
        checkpoint, update = folder.resume(options.folder, recipe, read)
    trainer = _trainer(recipe, options, start=update)
    if not options.resume:
        _claim(options.folder, claims)
        folder.check_free(options.folder)  # on every process, so none waits for one that gave up
    if trainer.is_global_zero:
        folder.begin(options.folder, recipe, folder.on_processes(read, trainer.world_size))
    ready_for_updates(recipe.unroll.segment)
    module = RIMTraining(recipe)
    if recipe.start_from and checkpoint is None:
        _take_weights(module.model, recipe.start_from)
    module.resumed_at = update
    ended = update >= recipe.optimizer.updates  # but its final validation or weights are missing
    missed = checkpoint is not None and _misses_look(recipe, options.folder, update)
    if checkpoint is not None and (ended or missed):
        _take_end(module, checkpoint)
    if missed:
        with interruptible():
            trainer.validate(module, datamodule=data, verbose=False)
    if not ended:
        with interruptible():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        update = trainer.global_step
    file = options.folder / folder.WEIGHTS
    if trainer.is_global_zero:
        seen = looks(rows(options.folder))
        said = {
            "task": settings.to_table(recipe.task),
            "recipe": record.shown(settings.to_table(recipe)),
            "precision": options.precision,
            "images": f"{len(training)} for training, {len(held_out)} held out",
            "read": count_images([*training, *held_out]),
            **({} if start is None else {"start": start}),
            "updates": update,
            "seconds": round(module.seconds, 1),
            "finished": update >= recipe.optimizer.updates and update in seen,
        }
        store.save(module.model, file, training=said)
    return file


def _claim(place: Path, claims: contextlib.ExitStack) -> None:
    """Lock a folder against other trainings; only the first process does so."""
    if is_first() and not claims.enter_context(atomic.claimed(place / LAST)):
        raise ValueError(f"another process is training in {place}")


def _data(recipe: Recipe, training: list[Path], held_out: list[Path]) -> PatchData:
    """Load the images, and try every problem of the task on them once."""
    channels, patch = recipe.model.network.channels, recipe.data.patch
    images = load_images(training, channels=channels, smallest=patch)
    watched = load_images(held_out, channels=channels, smallest=patch if recipe.on_patches else 8)
    data = PatchData(recipe, images=images, held_out=watched)
    try_task(
        recipe.task,
        batch=bytes_to_unit(images[0])[None, :, :patch, :patch],
        watched=data.val_dataloader().dataset[0],
        joined=recipe.places > 0,
    )
    return data


def _trainer(recipe: Recipe, options: RunOptions, *, start: int) -> lightning.Trainer:
    """Return a trainer on the requested devices; resuming takes as many processes as before."""
    try:
        trainer = build_trainer(recipe, options, start=start)
    except (MisconfigurationException, ImportError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"these devices cannot be used: {error}") from error
    before = folder.saved_processes(options.folder) if options.resume else trainer.world_size
    if trainer.world_size != before:
        raise ValueError(
            f"{options.folder} holds a training on {before} processes, but now there are "
            f"{trainer.world_size}: its patches and batches would differ"
        )
    return trainer


def _misses_look(recipe: Recipe, place: Path, update: int) -> bool:
    """Whether a validation was due where an earlier run ended, but did not take place."""
    due = update >= recipe.optimizer.updates or update % recipe.validate_every == 0
    return due and update not in looks(rows(place))


def inputs_of(recipe: Recipe, paths: list[Path], *, precision: str) -> dict[str, Any]:
    """The inputs of a training with a recipe, as its folder records them."""
    training, held_out = split_images(paths, held_out_every=recipe.data.held_out_every)
    return folder.inputs(training, held_out, precision=precision, start=_start(recipe))


def _start(recipe: Recipe) -> dict[str, Any] | None:
    return record.start_of(recipe.start_from) if recipe.start_from else None


def _take_weights(model: RIM, name: str) -> None:
    """Load the weights of a trained model, which may differ only in steps and score scaling."""
    trained = weights.load(name)
    own = model.config
    like_own = dataclasses.replace(
        trained.config,
        steps=own.steps,
        score_scale=own.score_scale,
        score_scaling=own.score_scaling,
    )
    if like_own != own:
        raise ValueError(f"start_from: {name} does not match the recipe's model")
    model.load_state_dict(trained.state_dict())


def _take_end(module: RIMTraining, checkpoint: Path) -> None:
    """Load the state at the end of a training: the average of the weights, if there is one."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    module.load_state_dict(saved["state_dict"])
    module.on_load_checkpoint(saved)
    if module.recipe.optimizer.name == "schedule-free":
        optimizer = build_optimizer(module.model, module.recipe.optimizer)
        optimizer.load_state_dict(saved["optimizer_states"][0])
        optimizer.eval()  # type: ignore[attr-defined]


def _precision(options: RunOptions) -> str:
    if options.precision not in PRECISIONS:  # iterate and likelihood stay in at least float32
        raise ValueError(
            f"precision must be one of {', '.join(PRECISIONS)}, got {options.precision!r}"
        )
    if options.precision != "auto":
        return options.precision
    if options.resume:
        return folder.saved_precision(options.folder)
    return default_precision(options.accelerator)
