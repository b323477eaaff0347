"""Run a training: data, trainer, checkpoints, log, and the weights at the end."""

from __future__ import annotations

import dataclasses
import datetime
import json
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from rimkit import settings
from rimkit.data import bsds300
from rimkit.data.images import list_images, load_bytes
from rimkit.training.module import RIMTraining
from rimkit.training.recipe import Recipe
from rimkit.weights import store

LAST = "last.ckpt"
WEIGHTS = "weights.safetensors"


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How a training is run: nothing here changes what an update computes but precision.

    Attributes
    ----------
    output
        Folder for checkpoints, log and weights.
    resume
        Whether to go on from the last checkpoint in ``output``.
    minutes
        Stop, with a checkpoint, after so many minutes; None: at the recipe's end.
    checkpoint_minutes
        Time between checkpoints.
    accelerator, devices, nodes, strategy
        Handed to Lightning.
    precision
        ``"auto"``: bf16 where the processor computes in it, else float32.
    progress
        Whether to draw a progress bar.
    """

    output: Path
    resume: bool = False
    minutes: float | None = None
    checkpoint_minutes: float = 5.0
    accelerator: str = "auto"
    devices: str = "1"
    nodes: int = 1
    strategy: str = "auto"
    precision: str = "auto"
    progress: bool = True


def split_images(paths: list[Path], *, held_out_every: int) -> tuple[list[Path], list[Path]]:
    """Split paths into training and held-out ones: every n-th is held out, at least one.

    Raises
    ------
    ValueError
        If there are fewer than two images.
    """
    if len(paths) < 2:
        raise ValueError(f"a training needs at least two images, one of them held out; got {paths}")
    held_out = paths[::held_out_every]
    return [path for path in paths if path not in set(held_out)], held_out


def training_paths(folder: Path | None) -> list[Path]:
    """Images below a folder; the training images of BSDS300 if there is no folder."""
    return bsds300.image_paths("train") if folder is None else list_images(folder)


def train(recipe: Recipe, paths: list[Path], options: RunOptions) -> Path:
    """Train by a recipe and return the path of the weights (EMA, safetensors).

    Raises
    ------
    ValueError
        If the images, the recipe or the checkpoint do not fit.
    """
    training, held_out = split_images(paths, held_out_every=recipe.data.held_out_every)
    channels = recipe.model.network.channels
    module = RIMTraining(
        recipe,
        images=[load_bytes(path, channels=channels) for path in training],
        held_out=[load_bytes(path, channels=channels) for path in held_out],
    )
    options.output.mkdir(parents=True, exist_ok=True)
    checkpoint = _checkpoint_to_resume(recipe, options)
    _write_inputs(recipe, training, held_out, options.output)
    before = _seconds_so_far(options.output) if options.resume else 0.0
    trainer = build_trainer(recipe, options)
    began = time.monotonic()
    trainer.fit(module, ckpt_path=checkpoint, weights_only=True)
    if not trainer.is_global_zero:
        return options.output / WEIGHTS
    seconds = before + time.monotonic() - began
    (options.output / "seconds.json").write_text(json.dumps(seconds))
    weights = options.output / WEIGHTS
    store.save(
        module.model,
        weights,
        training={
            "task": settings.to_table(recipe.task),
            "images": f"{len(training)} for training, {len(held_out)} held out",
            "updates": trainer.global_step,
            "seconds": round(seconds),
            "finished": trainer.global_step >= recipe.optimizer.updates,
        },
    )
    return weights


# What Lightning warns of and nobody need mend: batches are drawn in well under a millisecond, a run
# that resumes has a folder that is not empty, and the last is between Lightning and torch.
_NOISE = (
    ".*does not have many workers.*",
    ".*exists and is not empty.*",
    ".*LeafSpec.*deprecated.*",
)


def build_trainer(recipe: Recipe, options: RunOptions) -> lightning.Trainer:
    """Return the Lightning trainer of a recipe."""
    for message in _NOISE:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    return lightning.Trainer(
        accelerator=options.accelerator,
        devices=options.devices,
        num_nodes=options.nodes,
        strategy=options.strategy,
        precision=_precision(options.precision),  # type: ignore[arg-type]
        max_steps=recipe.optimizer.updates,
        gradient_clip_val=recipe.optimizer.clip,
        val_check_interval=recipe.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        # torch.func.vjp has been wrong inside inference mode.
        inference_mode=False,
        use_distributed_sampler=False,
        enable_progress_bar=options.progress,
        enable_model_summary=False,
        log_every_n_steps=50,
        default_root_dir=options.output,
        logger=CSVLogger(options.output, name="log", version=""),
        callbacks=[
            WeightAveraging(avg_fn=moving_average(recipe.optimizer.average)),
            ModelCheckpoint(
                dirpath=options.output,
                filename="last",
                save_top_k=1,
                enable_version_counter=False,
                train_time_interval=datetime.timedelta(minutes=options.checkpoint_minutes),
            ),
            _FinalCheckpoint(options.output),
            *([_Clock(60 * options.minutes)] if options.minutes is not None else []),
        ],
    )


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential moving average that is quick at first: decay at most (1 + n) / (10 + n)."""

    def average(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        n = int(count)
        return torch.lerp(old, new, 1 - min(decay, (1 + n) / (10 + n)))

    return average


class _Clock(lightning.Callback):
    """Stops after so many seconds of this run; Lightning's own timer counts earlier runs, too."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object
    ) -> None:
        late = time.monotonic() - self._began >= self._seconds
        # Rank 0 decides, or one rank would wait for another that has stopped.
        if trainer.strategy.broadcast(late):
            trainer.should_stop = True


class _FinalCheckpoint(lightning.Callback):
    """Saves where a training stopped, whatever stopped it in good order.

    It runs before the average replaces the weights, so that resuming finds both.
    """

    def __init__(self, output: Path) -> None:
        self._output = output

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        trainer.save_checkpoint(self._output / LAST)


def _precision(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return "bf16-mixed" if fast else "32-true"


def _checkpoint_to_resume(recipe: Recipe, options: RunOptions) -> Path | None:
    checkpoint = options.output / LAST
    if not options.resume:
        if checkpoint.exists():
            raise ValueError(
                f"{options.output} holds a training already: go on with --resume, "
                "or choose another --output"
            )
        return None
    if not checkpoint.exists():
        raise ValueError(f"nothing to resume: {checkpoint} does not exist")
    saved = json.loads((options.output / "recipe.json").read_text())
    if saved["model"] != settings.to_table(recipe.model):
        raise ValueError(f"{options.output} holds a training of another model")
    return checkpoint


def _write_inputs(recipe: Recipe, training: list[Path], held_out: list[Path], output: Path) -> None:
    """Write down what goes in: the recipe, and the names of all images read."""
    table: dict[str, Any] = settings.to_table(recipe)
    (output / "recipe.json").write_text(json.dumps(table, indent=2) + "\n")
    names = {
        "training": [path.name for path in training],
        "held_out": [path.name for path in held_out],
    }
    (output / "images.json").write_text(json.dumps(names, indent=2) + "\n")


def _seconds_so_far(output: Path) -> float:
    path = output / "seconds.json"
    return float(json.loads(path.read_text())) if path.exists() else 0.0
