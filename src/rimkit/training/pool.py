"""Samples that later updates continue from, so that a machine is trained beyond its unroll."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from numbers import Number
from types import NoneType

import torch
from torch import Tensor

from rimkit import tree
from rimkit.problem import Problem
from rimkit.solver import Iterate

_MOST_KINDS = 256


@tree.register
@dataclasses.dataclass(frozen=True)
class Rollout:
    """Samples in progress: truth, measurement, problem, current iterate, steps taken (N,)."""

    x: Tensor
    y: Tensor
    problem: Problem
    iterate: Iterate
    steps: Tensor


class Pool:
    """Keeps some samples of every batch, grouped by kind: only samples of one kind form a batch.

    Parameters
    ----------
    places
        Number of samples kept of each kind; 0: none.
    lifetime
        Mean number of updates in which a kept sample takes part.
    """

    def __init__(self, *, places: int, lifetime: float) -> None:
        self._places = places
        self._lifetime = lifetime
        self._kept: dict[str, list[Tensor]] = {}

    def like(self, rollout: Rollout) -> Rollout | None:
        """Return the kept samples of a rollout's kind, if any."""
        kept = self._kept.get(tree.kind(rollout))
        if kept is None:
            return None
        leaves = iter(kept)
        return tree.map_tensors(lambda leaf: next(leaves).to(leaf.device), rollout)

    def join(self, rollout: Rollout) -> Rollout:
        """Append the kept samples of the same kind to new ones."""
        kept = self.like(rollout)
        return rollout if kept is None else tree.join([rollout, kept])

    def keep(self, rollout: Rollout, *, fresh: int, generator: torch.Generator) -> None:
        """Keep samples of a batch, detached from its graph; the first ``fresh`` of them are new.

        Every place keeps its sample, but takes one of the new samples once in ``lifetime`` updates
        on average, or at once if its sample is no longer finite.

        Raises
        ------
        ValueError
            If the problem holds anything but tensors, numbers and text: two operators could not be
            told apart. If the settings of the problem change with every batch.
        """
        if not self._places:
            return
        self._check(rollout)
        new = torch.randint(fresh, (self._places,), generator=generator)
        renewed = torch.rand(self._places, generator=generator) < 1 / self._lifetime
        if rollout.x.shape[0] > fresh:
            old = fresh + torch.arange(self._places)
            new = torch.where(renewed | ~_finite(rollout.iterate)[old], new, old)
        kept = tree.detach(tree.take(rollout, new.to(rollout.x.device)))
        self._kept[tree.kind(rollout)] = tree.tensors(kept)

    def _check(self, rollout: Rollout) -> None:
        for setting in tree.settings(rollout):
            if not isinstance(setting, (Number, str, NoneType)):
                raise ValueError(
                    "samples can be continued only if operator and noise are trees of tensors and "
                    f"numbers: register {type(setting).__name__} with rimkit.tree.register, or set "
                    "unroll.continued=0"
                )
        if len(self._kept) >= _MOST_KINDS and tree.kind(rollout) not in self._kept:
            raise ValueError(
                f"there are more than {_MOST_KINDS} kinds of problems, and samples are continued "
                "only with others of their kind: make what differs between batches a tensor (N,), "
                "or set unroll.continued=0"
            )

    def state(self) -> dict[str, list[Tensor]]:
        """All kept samples, as tensors by kind."""
        return dict(self._kept)

    def load(self, state: Mapping[str, list[Tensor]]) -> None:
        """Restore what `state` returned."""
        self._kept = dict(state)


def _finite(iterate: Iterate) -> Tensor:
    """Whether all values of a sample are finite: (N,), on the CPU."""
    samples = [leaf.detach().flatten(1).isfinite().all(1) for leaf in tree.tensors(iterate)]
    return torch.stack(samples).all(0).cpu()
