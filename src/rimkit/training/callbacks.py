"""Callbacks: weight averaging, checkpoints, the time limit, interrupts."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import Tensor

from rimkit import atomic
from rimkit.signals import ENDING, hang_up

LAST = "last.ckpt"

_ONE_REQUEST = 1.0  # seconds within which signals count as one request to stop


class AtomicCheckpointIO(TorchCheckpointIO):
    """Replaces the checkpoint atomically, since it is the only one."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write to a temporary file next to ``path``, then move it into place."""
        with atomic.replacing(Path(path)) as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # torch's close fails after a failed write
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential moving average with warm-up: the decay is at most (1 + n) / (10 + n)."""

    def average(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        if not old.is_floating_point():  # batch norm counts its batches
            return new
        n = int(count)
        return torch.lerp(old, new, 1 - min(decay, (1 + n) / (10 + n)))

    return average


class FinalCheckpoint(lightning.Callback):
    """Saves a checkpoint whenever training stops in good order, for whatever reason.

    It runs before the average replaces the weights, so that a resumed run finds both. It also
    saves before Lightning's final validation, which may take minutes. It must follow `Stop` in
    the list of callbacks.
    """

    def __init__(self, output: Path) -> None:
        self._output = output

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object
    ) -> None:
        """Save if this was the last batch."""
        if trainer.should_stop:
            trainer.save_checkpoint(self._output / LAST)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Save."""
        trainer.save_checkpoint(self._output / LAST)


class ScheduleFree(lightning.Callback):
    """Swaps in a schedule-free optimiser's own average during validation.

    Afterwards the weights are restored bit for bit; interpolating back would not do that.
    """

    def __init__(self) -> None:
        self._before: list[Tensor] = []

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Switch to the weights at which gradients are taken."""
        self._switch(trainer, "train")

    def on_validation_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Switch to the average."""
        self._before = [parameter.detach().clone() for parameter in pl_module.parameters()]
        self._switch(trainer, "eval")

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Restore the training weights."""
        self._switch(trainer, "train")
        for parameter, before in zip(pl_module.parameters(), self._before, strict=True):
            parameter.data.copy_(before)
        self._before = []

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Leave the average in place."""
        self._switch(trainer, "eval")

    def _switch(self, trainer: lightning.Trainer, mode: str) -> None:
        for optimizer in trainer.optimizers:
            getattr(optimizer, mode)()


class Stop(lightning.Callback):
    """Stops after an update: the last one, on a signal, or when time is up.

    A final validation follows, however recent the last one was. After a signal (Ctrl-C, SIGTERM or
    a closed terminal) it is skipped, and a validation already under way is aborted. A second
    signal ends everything at once, unless it arrives within the same second.

    Lightning's own timer also counts earlier runs, and its own interrupt leaves no checkpoint.

    Parameters
    ----------
    seconds
        Time limit; None: no limit.
    speaks
        Whether to report a received signal on standard error.
    """

    def __init__(self, seconds: float | None, *, speaks: bool = False) -> None:
        self._seconds = seconds
        self._speaks = speaks
        self._began = time.monotonic()
        self._interrupted = False
        self._heard = 0.0
        self._before: dict[int, Any] = {}

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start the clock."""
        self._began = time.monotonic()

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Replace Lightning's signal handlers, which exit on SIGTERM without a checkpoint."""
        if threading.current_thread() is threading.main_thread():
            for number in (*ENDING, *hang_up()):
                if signal.getsignal(number) is not None:  # else it could not be restored
                    self._before[number] = signal.signal(number, self._interrupt)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object
    ) -> None:
        """Stop if it is time."""
        late = self._seconds is not None and time.monotonic() - self._began >= self._seconds
        over = trainer.global_step >= trainer.max_steps
        self._hear(trainer)
        stop = late or over
        if trainer.world_size > 1:
            # If any rank stops, all must, or one would wait for another.
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if stop:
            trainer.should_stop = True

    def on_validation_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object
    ) -> None:
        """Abort a validation on a signal."""
        if self._hear(trainer):
            raise StopIteration  # ends Lightning's loop over the images

    def _hear(self, trainer: lightning.Trainer) -> bool:
        """Stop on a signal and skip validation: its sender does not want to wait."""
        heard = self._interrupted
        if trainer.world_size > 1:
            heard = trainer.strategy.reduce_boolean_decision(heard, all=False)
        if heard:
            trainer.should_stop = True
            trainer.limit_val_batches = 0
        return heard

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Restore the signal handlers, before Lightning restores those it had replaced."""
        self._give_back()

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Restore the signal handlers."""
        self._give_back()

    def _give_back(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._interrupted:
            # A signal sent to a process group, or through another program, may arrive twice.
            if now - self._heard > _ONE_REQUEST:
                signal.default_int_handler(number, frame)
            return
        self._interrupted, self._heard = True, now
        if self._speaks:
            with contextlib.suppress(OSError):  # unbuffered: this may interrupt a print
                os.write(2, b"\nstopping after this update; a second signal stops at once\n")
