"""What an update of a training costs, and where its time goes."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from rimkit.data.images import Bytes
from rimkit.data.patches import PatchBatches
from rimkit.footprint import ready_for_updates
from rimkit.training.module import RIMTraining, build_optimizer, clip_gradients
from rimkit.training.recipe import Recipe

_WARM_UP = 2


@dataclasses.dataclass(frozen=True)
class UpdateTime:
    """Seconds of one update: drawing patches, measuring and running forward, backward, the rest."""

    patches: float
    forward: float
    backward: float
    optimizer: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.patches + self.forward + self.backward + self.optimizer


def time_update(
    recipe: Recipe, images: Sequence[Bytes], *, precision: str, repeats: int = 5
) -> UpdateTime:
    """Seconds of an update of a recipe, on this processor, with nothing else running.

    An update's time is linear in its steps, so it is the mean of one with the fewest and one with
    the most steps, each the shortest of ``repeats``: what else a machine does only adds to it.

    Parameters
    ----------
    recipe
        What is trained.
    images
        8-bit (C, H, W), none smaller than a patch.
    precision
        ``"bf16-mixed"`` or ``"32-true"``.
    repeats
        Updates timed at each end, after some that are not.
    """
    ready_for_updates(recipe.unroll.segment)
    ends = []
    for steps in sorted(set(recipe.unroll.steps)):
        fixed = dataclasses.replace(recipe.unroll, steps=(steps, steps))
        updates = _updates(dataclasses.replace(recipe, unroll=fixed), images, precision)
        times = [next(updates) for _ in range(_WARM_UP + repeats)][_WARM_UP:]
        ends.append(min(times, key=lambda update: update.total))
    means = (statistics.mean(parts) for parts in zip(*map(dataclasses.astuple, ends), strict=True))
    return UpdateTime(*means)


def _updates(recipe: Recipe, images: Sequence[Bytes], precision: str) -> Iterator[UpdateTime]:
    """Go through the motions of a training, with rates of zero."""
    module = RIMTraining(recipe)
    module.log = lambda *_, **__: None  # type: ignore[method-assign]
    optimizer = build_optimizer(module.model, recipe.optimizer)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    batches: Iterator[tuple[int, Tensor]] = iter(
        PatchBatches(
            images,
            patch=recipe.data.patch,
            size=recipe.data.batch - recipe.places,
            seed=recipe.seed,
        )
    )
    while True:
        clock = [time.perf_counter()]
        batch = next(batches)
        clock.append(time.perf_counter())
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = module.training_step(batch, 0)
        clock.append(time.perf_counter())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        clock.append(time.perf_counter())
        clip_gradients(module.model, largest=recipe.optimizer.clip)
        optimizer.step()
        clock.append(time.perf_counter())
        yield UpdateTime(*(end - start for start, end in itertools.pairwise(clock)))
