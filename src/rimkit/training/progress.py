"""Progress of a training: a bar on a terminal, lines of text elsewhere."""

from __future__ import annotations

import datetime
import sys
import time

import lightning
from lightning.pytorch.callbacks import ProgressBar, TQDMProgressBar

from rimkit.training.log import PSNR, own


def progress_bar() -> ProgressBar:
    """Return a bar if standard output is a terminal, else `Lines`."""
    watched = sys.stdout is not None and sys.stdout.isatty()
    return TQDMProgressBar() if watched else Lines()


class Lines(ProgressBar):
    """Writes progress and validation scores to standard error, one line at a time.

    For files and pipes: a bar redrawn after every update would fill them and get in the way of
    what another program is to read.

    Parameters
    ----------
    every
        Minimum number of seconds between lines.
    """

    def __init__(self, every: float = 60.0) -> None:
        super().__init__()
        self._every = every
        self._speaks = True
        self._first = 0
        self._began = self._said = time.monotonic()

    def disable(self) -> None:
        """Stop reporting: only the first process reports."""
        self._speaks = False

    def enable(self) -> None:
        """Report again."""
        self._speaks = True

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start the clock at the update where this run begins."""
        self._began = self._said = time.monotonic()
        self._first = trainer.global_step

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object
    ) -> None:
        """Report progress, if it is time."""
        now = time.monotonic()
        if now - self._said < self._every:
            return
        self._said = now
        update, updates = trainer.global_step, trainer.max_steps
        rate = (update - self._first) / (now - self._began)
        left = datetime.timedelta(seconds=round((updates - update) / rate))
        loss = float(trainer.callback_metrics["train/loss"])
        self._say(
            f"update {update:,} of {updates:,}: {rate:.2f} a second, {left} left, loss {loss:.3g}"
        )

    def on_validation_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Report the PSNR of every problem after the machine's own number of steps."""
        if not trainer.limit_val_batches:
            return  # it was aborted
        scores = trainer.callback_metrics
        found = ", ".join(
            f"{name.removeprefix(PSNR)} {float(scores[name]):.2f}"
            for name in own([name for name in scores if name.startswith(PSNR)])
        )
        self._say(f"held-out images after {pl_module.updates:,} updates, PSNR in dB: {found}")

    def _say(self, line: str) -> None:
        if self._speaks and sys.stderr is not None:  # it may have been closed
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
