"""The Lightning module that trains a RIM from a recipe."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from rimkit import tree
from rimkit.data.patches import seeded
from rimkit.metrics import HIGHEST, psnr
from rimkit.problem import Problem
from rimkit.rim import RIM
from rimkit.solver import DivergenceError
from rimkit.tasks import Measure
from rimkit.training.log import LATE, PSNR
from rimkit.training.loss import motion, trajectory_loss
from rimkit.training.optimizer import build_optimizer, clip_gradients, rate_factor
from rimkit.training.pool import Pool, Rollout
from rimkit.training.recipe import Recipe
from rimkit.training.trial import measured
from rimkit.training.unroll import unroll

MOTION = "train/motion"
"""Log column of the motion, present if the loss penalises it."""

LOGGED = ("train/loss", MOTION, "train/variance_floor", "train/gradient_norm")
"""Log columns other than the validation scores."""


_STUCK = 100
"""Consecutive updates without finite gradients after which a training ends."""


class RIMTraining(lightning.LightningModule):
    """Trains ``model`` on patches of clean images; y is simulated on the fly.

    Every random number depends only on the recipe's seed, the number of the update and the rank,
    so a training resumed from a checkpoint continues bit for bit.

    Parameters
    ----------
    recipe
        All settings.

    Attributes
    ----------
    seconds
        Time spent training up to the last checkpoint, including earlier runs.
    resumed_at
        Number of updates taken by earlier runs.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.model = RIM(recipe.model)
        self.pool = Pool(places=recipe.places, lifetime=recipe.unroll.lifetime)
        self.seconds = 0.0
        self._began = time.monotonic()
        self._lost = 0  # consecutive updates without finite gradients
        self._statistics: list[Tensor] = []  # of batch norm, before an update
        self._seen: list[dict[str, Tensor]] = []  # validation scores, image by image
        self.resumed_at = 0

    @property
    def updates(self) -> int:
        """Number of updates taken so far; a trainer that only validates takes none itself."""
        return self.trainer.global_step or self.resumed_at

    def on_fit_start(self) -> None:
        """Start the clock."""
        self._began = time.monotonic() - self.seconds

    def on_train_start(self) -> None:
        """Set the learning rates: the training may have become longer since the checkpoint."""
        update = self.trainer.global_step
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["initial_lr"] * rate_factor(update, self.recipe.optimizer)

    def training_step(self, batch: tuple[int, Tensor], batch_idx: int) -> Tensor:
        """Run the machine on new patches and on continued samples, and return the loss."""
        update, x = batch
        seed = self.recipe.seed
        generator = seeded(seed, 1, int(update), self.global_rank)
        rollout = self.pool.join(self.begin(x, generator))
        low, high = self.recipe.unroll.steps
        # The same on every rank, so that none waits for another.
        shared = seeded(seed, 2, int(update))
        steps = int(torch.randint(low, high + 1, (), generator=shared))

        self._statistics = [buffer.clone() for buffer in self.model.buffers()]
        unrolled = unroll(
            self.model,
            rollout.iterate,
            rollout.y,
            rollout.problem,
            steps=steps,
            segment=self.recipe.unroll.segment or None,
            through_score=self.recipe.unroll.through_score,
        )
        settings = self.recipe.loss
        loss = trajectory_loss(
            unrolled.estimates,
            rollout.x,
            weights=[settings.early_weight] * (steps - 1) + [1.0],
            distance=settings.distance,
        )
        if settings.rest:
            moved = motion([rollout.iterate.x, *unrolled.estimates], rollout.x)
            rest = (moved * (rollout.steps >= settings.rest_after)).mean()
            loss = loss + settings.rest * rest
            self.log(MOTION, rest.detach())
        rollout = dataclasses.replace(rollout, iterate=unrolled.last, steps=rollout.steps + steps)
        self.pool.keep(rollout, fresh=x.shape[0], generator=generator)

        self.log("train/loss", loss.detach(), prog_bar=True)
        self.log("train/variance_floor", self.model.variance_floor.detach())
        return loss

    def begin(self, x: Tensor, generator: torch.Generator) -> Rollout:
        """Measure clean patches x (N, C, H, W), and initialise their rollout."""
        problem, y = self._measure(self.recipe.task.draw, x, generator)
        steps = torch.zeros(x.shape[0], dtype=torch.long, device=x.device)
        return Rollout(x, y, problem, self.model.init(y, problem), steps)

    def _measure(
        self, measure: Measure, x: Tensor, generator: torch.Generator
    ) -> tuple[Problem, Tensor]:
        """Measure on the CPU, where generators are reproducible, then move to the device.

        In full precision: autocast would multiply a matrix and an image in bf16.
        """
        with torch.autocast("cpu", enabled=False):
            problem, y = measured(measure, x.cpu(), generator)
        return tree.move(problem, device=self.device), y.to(self.device)

    def look(self, x: Tensor, number: int) -> dict[str, Tensor]:
        """Restore the held-out image x (1, C, H, W); return the PSNR in dB by validation problem.

        After the machine's own number of steps, and after ``late`` times as many; NaN if it has
        diverged by then.
        """
        own, late = self.model.steps, self.recipe.late * self.model.steps
        most = HIGHEST if self.recipe.on_patches else math.inf
        found: dict[str, Tensor] = {}
        for name, measure in self.recipe.task.validation().items():
            # The same measurements for every seed of the training, or seeds could not be compared.
            problem, y = self._measure(measure, x, seeded(0, 3, number))
            scores = dict.fromkeys((own, late), torch.tensor(torch.nan))
            try:
                for step, iterate in enumerate(self.model.iterate(y, problem, steps=late), start=1):
                    if step in scores:
                        scores[step] = psnr(iterate.x.cpu(), x.cpu()).clamp(max=most).mean()
            except DivergenceError:
                pass  # logged as NaN; the training may recover
            found |= {name: scores[own], name + LATE: scores[late]}
        return found

    def on_validation_epoch_start(self) -> None:
        """Clear the scores of an earlier validation."""
        self._seen = []

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Score one held-out image."""
        self._seen.append(self.look(batch, batch_idx))

    def on_validation_epoch_end(self) -> None:
        """Log the means over all held-out images, and the update, counted from 0.

        An aborted validation is not logged. Lightning's own count of updates is one too high when
        a training that had ended is resumed.
        """
        if not self._seen or len(self._seen) < self.trainer.num_val_batches[0]:
            return
        watched = self.recipe.task.validation()
        for name in self._seen[0]:
            mean = torch.stack([scores[name] for scores in self._seen]).mean()
            here = mean.to(self.device)  # where ranks exchange their scores
            self.log(PSNR + name, here, prog_bar=name in watched, sync_dist=True)
        self.log("step", float(self.updates - 1))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the recipe's optimiser and its per-update schedule."""
        settings = self.recipe.optimizer
        optimizer = build_optimizer(self.model, settings)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda update: rate_factor(update, settings)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradients, and log their norm.

        Raises
        ------
        DivergenceError
            If gradients have not been finite for a hundred consecutive updates.
        """
        norm = clip_gradients(self.model, largest=self.recipe.optimizer.clip)
        self.log("train/gradient_norm", norm)
        self._lost = 0 if norm.isfinite() else self._lost + 1
        if self._lost:  # the statistics of batch norm may not be finite either
            for buffer, before in zip(self.model.buffers(), self._statistics, strict=True):
                buffer.copy_(before)
        if self._lost == _STUCK:
            raise DivergenceError(
                f"gradients have not been finite for {_STUCK} updates: the training has diverged, "
                "or an image holds NaN or infinite values; a lower rate may help, or a larger "
                "smallest sigma"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the samples that the next update continues from, and the seconds so far."""
        checkpoint["pool"] = _of_all_ranks(self.pool.state(), self.trainer.world_size)
        self.seconds = time.monotonic() - self._began
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the samples and the seconds."""
        self.seconds = checkpoint["seconds"]
        pools = checkpoint["pool"]
        self.pool.load(pools[self.global_rank] if isinstance(pools, list) else pools)


def _of_all_ranks(pool: dict[str, list[Tensor]], ranks: int) -> list[dict[str, list[Tensor]]]:
    """Gather the pools of all ranks, in order: only the first rank writes the checkpoint."""
    if ranks == 1:
        return [pool]
    pools: list[Any] = [None] * ranks
    own = {kind: [leaf.cpu() for leaf in leaves] for kind, leaves in pool.items()}
    torch.distributed.all_gather_object(pools, own)
    return pools
