"""The results of a training in a study: the validation scores in its log."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path

from rimkit.experiments.study import Choice
from rimkit.training import log
from rimkit.training.log import LATE, own


@dataclasses.dataclass(frozen=True)
class Look:
    """A validation after some number of updates: PSNR in dB by its name in the log.

    ``logged``: the latest values of the study's ``columns``, by their names in the log.
    """

    update: int
    psnr: dict[str, float]
    logged: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def own(self) -> dict[str, float]:
        """PSNR after the machine's own number of steps, by name of the validation problem."""
        return {name: self.psnr[name] for name in own(self.psnr)}

    @property
    def mean(self) -> float:
        """Mean over the validation problems after the machine's own number of steps."""
        return statistics.mean(self.own.values())

    @property
    def late_mean(self) -> float:
        """Mean over the validation problems after ``late`` times as many steps."""
        return statistics.mean(self.psnr[name + LATE] for name in self.own)


@dataclasses.dataclass(frozen=True)
class Result:
    """One training of a study."""

    choice: Choice
    seed: int
    seconds_per_update: float
    updates: int
    looks: list[Look]

    def minutes(self, look: Look) -> float:
        """Minutes of training before a look, with nothing else running."""
        return look.update * self.seconds_per_update / 60


def read_log(folder: Path, columns: Sequence[str]) -> list[Look]:
    """Read all looks of a training, including one that was interrupted and resumed.

    Parameters
    ----------
    folder
        Folder of the training.
    columns
        Further columns to read, by their names in the log.
    """
    rows = list(log.rows(folder))
    looks = log.looks(rows)
    others: dict[int, dict[str, float]] = {}
    for update, values in rows:
        others.setdefault(update, {}).update((n, values[n]) for n in columns if n in values)
    newest: dict[str, float] = {}
    found = []
    for update in sorted(others):
        newest = newest | others[update]
        if update in looks:
            found.append(Look(update, looks[update], newest))
    return found
