"""How a training is run: options, the Lightning trainer, and the handling of interrupts."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
from collections.abc import Iterator
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint, WeightAveraging
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.utilities import rank_zero_only
from lightning.pytorch.utilities.exceptions import SIGTERMException

from rimkit.training.callbacks import (
    AtomicCheckpointIO,
    FinalCheckpoint,
    ScheduleFree,
    Stop,
    moving_average,
)
from rimkit.training.progress import progress_bar
from rimkit.training.recipe import Recipe

PRECISIONS = ("auto", "32-true", "bf16-mixed")
"""Precisions of the network in training; iterate, link and likelihood are always in float32."""


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How a training is run; only precision and processes change what an update computes.

    Attributes
    ----------
    output
        Folder for checkpoints, log and weights.
    resume
        Whether to continue from the last checkpoint in ``output``.
    minutes
        Time after which to stop with a checkpoint; None: train to the recipe's end.
    checkpoint_minutes
        Time between checkpoints.
    accelerator, devices, nodes, strategy
        Passed to Lightning.
    precision
        One of `PRECISIONS`: ``"auto"`` is bf16 if the processor computes in it, else float32.
    progress
        Whether to show a progress bar or, without a terminal, write a line a minute.
    """

    output: str | Path
    resume: bool = False
    minutes: float | None = None
    checkpoint_minutes: float = 5.0
    accelerator: str = "auto"
    devices: str = "1"
    nodes: int = 1
    strategy: str = "auto"
    precision: str = "auto"
    progress: bool = True

    @property
    def folder(self) -> Path:
        """``output`` as a path."""
        return Path(self.output)


def build_trainer(recipe: Recipe, options: RunOptions, *, start: int = 0) -> lightning.Trainer:
    """Return the Lightning trainer of a recipe; its log is named after the update it starts at."""
    averages: list[lightning.Callback] = []
    if recipe.optimizer.name == "schedule-free":
        averages = [ScheduleFree()]
    elif recipe.optimizer.average:
        averages = [WeightAveraging(avg_fn=moving_average(recipe.optimizer.average))]
    return lightning.Trainer(
        accelerator=options.accelerator,
        devices=options.devices,
        num_nodes=options.nodes,
        strategy=options.strategy,
        precision=options.precision,  # type: ignore[arg-type]
        plugins=[AtomicCheckpointIO()],
        max_steps=recipe.optimizer.updates,
        val_check_interval=recipe.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        # torch.func.vjp has been wrong inside inference mode.
        inference_mode=False,
        use_distributed_sampler=False,
        enable_progress_bar=options.progress,
        enable_model_summary=False,
        log_every_n_steps=min(50, recipe.optimizer.updates),
        default_root_dir=options.folder,
        # A separate log for every run: Lightning empties an existing log folder.
        logger=CSVLogger(options.folder, name="log", version=f"from-{start:07}"),
        callbacks=[
            *averages,
            ModelCheckpoint(
                dirpath=options.folder,
                filename="last",
                save_top_k=1,
                enable_version_counter=False,
                train_time_interval=datetime.timedelta(minutes=options.checkpoint_minutes),
            ),
            Stop(
                60 * options.minutes if options.minutes is not None else None,
                speaks=options.progress,
            ),
            FinalCheckpoint(options.folder),
            *([progress_bar()] if options.progress else []),
        ],
    )


def is_first() -> bool:
    """Whether this is the first process of a training, even before there is a trainer."""
    first = getattr(rank_zero_only, "rank", 0) == 0
    return first and os.environ.get("NODE_RANK", os.environ.get("GROUP_RANK", "0")) == "0"


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C and SIGTERM, which Lightning turns into exits."""
    try:
        yield
    except SystemExit as error:
        if isinstance(error, SIGTERMException) or isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
