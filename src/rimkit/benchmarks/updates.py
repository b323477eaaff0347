"""What an update in training costs, and where its time goes."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from rimkit.allocation import ready_for_updates
from rimkit.data.patches import PatchBatches
from rimkit.pixels import Bytes
from rimkit.training.module import RIMTraining
from rimkit.training.optimizer import build_optimizer, clip_gradients
from rimkit.training.recipe import Recipe

_WARM_UP = 1


@dataclasses.dataclass(frozen=True)
class UpdateTime:
    """Seconds of one update: drawing patches, simulation and forward, backward, the rest."""

    patches: float
    forward: float
    backward: float
    optimizer: float

    @property
    def total(self) -> float:
        """Sum of all parts."""
        return self.patches + self.forward + self.backward + self.optimizer


def time_update(
    recipe: Recipe, images: Sequence[Bytes], *, precision: str, repeats: int = 3
) -> UpdateTime:
    """Seconds of an update of a recipe, on this processor; nothing else should be running.

    An update's time is linear in its steps, so this is the mean over some updates with the fewest
    and some with the most steps. Each is run three times: the first keeps samples of its kind, from
    which the other two go on, as all do later. The shorter of these two counts, since other load on
    the computer only adds time.

    Parameters
    ----------
    recipe
        What is trained.
    images
        8-bit (C, H, W), none smaller than a patch.
    precision
        ``"bf16-mixed"`` or ``"32-true"``.
    repeats
        Updates timed at each end, after untimed ones; of several kinds if the task has them.
    """
    ready_for_updates(recipe.unroll.segment)
    ends: list[UpdateTime] = []
    for steps in sorted(set(recipe.unroll.steps)):
        fixed = dataclasses.replace(recipe.unroll, steps=(steps, steps))
        updates = _updates(dataclasses.replace(recipe, unroll=fixed), images, precision)
        ends += itertools.islice(updates, _WARM_UP, _WARM_UP + repeats)
    means = (statistics.mean(parts) for parts in zip(*map(dataclasses.astuple, ends), strict=True))
    return UpdateTime(*means)


def _updates(recipe: Recipe, images: Sequence[Bytes], precision: str) -> Iterator[UpdateTime]:
    """Run the updates of a training with learning rates of zero, each three times."""
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
        began = time.perf_counter()
        batch = next(batches)
        patches = time.perf_counter() - began
        rest = [_motions(module, optimizer, batch, precision) for _ in range(3)]
        yield UpdateTime(patches, *min(rest[1:], key=sum))


def _motions(
    module: RIMTraining, optimizer: torch.optim.Optimizer, batch: tuple[int, Tensor], precision: str
) -> tuple[float, float, float]:
    """Seconds of forward pass, backward pass and the rest."""
    began = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
        loss = module.training_step(batch, 0)
    forward = time.perf_counter()
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    backward = time.perf_counter()
    clip_gradients(module.model, largest=module.recipe.optimizer.clip)
    optimizer.step()
    return forward - began, backward - forward, time.perf_counter() - backward
