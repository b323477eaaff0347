"""What happens around the updates: the average, checkpoints, the clock, an interrupt."""

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

_ONE_REQUEST = 1.0  # seconds in which signals are one request to end


class AtomicCheckpointIO(TorchCheckpointIO):
    """Replaces a checkpoint whole or not at all: it is the only one there is."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Write to a file beside ``path``, then put it in its place."""
        with atomic.replacing(Path(path)) as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:  # torch closes what it could not write, and that fails
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Exponential moving average that is quick at first: decay at most (1 + n) / (10 + n)."""

    def average(old: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        if not old.is_floating_point():  # batch norm counts its batches
            return new
        n = int(count)
        return torch.lerp(old, new, 1 - min(decay, (1 + n) / (10 + n)))

    return average


class FinalCheckpoint(lightning.Callback):
    """Saves where a training stopped, whatever stopped it in good order.

    It runs before the average replaces the weights, so that resuming finds both. It saves before
    Lightning looks at the held-out images for the last time, too, which may take minutes. It
    stands behind `Stop`.
    """

    def __init__(self, output: Path) -> None:
        self._output = output

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object
    ) -> None:
        """Save where this was the last batch of all."""
        if trainer.should_stop:
            trainer.save_checkpoint(self._output / LAST)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Save."""
        trainer.save_checkpoint(self._output / LAST)


class ScheduleFree(lightning.Callback):
    """Puts a schedule-free optimiser's own average in place while the weights are looked at.

    Afterwards they are what they were, to the bit, which two interpolations are not.
    """

    def __init__(self) -> None:
        self._before: list[Tensor] = []

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Train on the weights that gradients are taken at."""
        self._switch(trainer, "train")

    def on_validation_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Look at the average."""
        self._before = [parameter.detach().clone() for parameter in pl_module.parameters()]
        self._switch(trainer, "eval")

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Train again."""
        self._switch(trainer, "train")
        for parameter, before in zip(pl_module.parameters(), self._before, strict=True):
            parameter.data.copy_(before)
        self._before = []

    def on_train_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Leave the average."""
        self._switch(trainer, "eval")

    def _switch(self, trainer: lightning.Trainer, mode: str) -> None:
        for optimizer in trainer.optimizers:
            getattr(optimizer, mode)()


class Stop(lightning.Callback):
    """Stops after an update: the last one, on a signal, or after so many seconds.

    Held-out images are then looked at, however long ago that was; after a signal (Ctrl-C, a request
    to end, a terminal that is closed) they are not, and where one comes in a look, that is broken
    off. A second signal, not of the same second, ends everything at once.

    Lightning's own timer counts earlier runs, too, and its own interrupt leaves no checkpoint.

    Parameters
    ----------
    seconds
        After which it stops; None: never.
    speaks
        Whether it says to standard error that a signal was heard.
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
        """Listen instead of Lightning, which ends without a checkpoint where SIGTERM comes."""
        if threading.current_thread() is threading.main_thread():
            for number in (*ENDING, *hang_up()):
                if signal.getsignal(number) is not None:  # else it could not be given back
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
            # If any rank stops all do, or one would wait for another.
            stop = trainer.strategy.reduce_boolean_decision(stop, all=False)
        if stop:
            trainer.should_stop = True

    def on_validation_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object
    ) -> None:
        """End a look at held-out images where it stands."""
        if self._hear(trainer):
            raise StopIteration  # with which Lightning's loop over the images ends

    def _hear(self, trainer: lightning.Trainer) -> bool:
        """Stop on a signal, which nobody sends to wait for a look at held-out images."""
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
        """Give the signals back, before Lightning gives back what it had taken itself."""
        self._give_back()

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Give them back, too."""
        self._give_back()

    def _give_back(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._interrupted:
            # Who sends one to a group, or through another program, may be heard twice.
            if now - self._heard > _ONE_REQUEST:
                signal.default_int_handler(number, frame)
            return
        self._interrupted, self._heard = True, now
        if self._speaks:
            with contextlib.suppress(OSError):  # without a buffer: this may interrupt a print
                os.write(2, b"\nstopping after this update; a second signal stops at once\n")
