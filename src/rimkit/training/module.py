"""The Lightning module that trains a RIM by a recipe."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from pytorch_optimizer import Muon, ScheduleFreeAdamW
from pytorch_optimizer.optimizer.utils import zero_power_via_newton_schulz_5
from torch import Tensor

from rimkit import tree
from rimkit.data.patches import seeded
from rimkit.metrics import HIGHEST, psnr
from rimkit.precision import computes_in_bfloat16
from rimkit.problem import Problem
from rimkit.rim import RIM
from rimkit.solver import DivergenceError
from rimkit.tasks import Measure
from rimkit.training.log import LATE, PSNR
from rimkit.training.loss import motion, trajectory_loss
from rimkit.training.pool import Pool, Rollout
from rimkit.training.recipe import OptimizerRecipe, Recipe
from rimkit.training.trial import measured
from rimkit.training.unroll import unroll

MOTION = "train/motion"
"""Column of the log where motion has a price."""

LOGGED = ("train/loss", MOTION, "train/variance_floor", "train/gradient_norm")
"""Columns of the log besides those of the held-out images."""


_STUCK = 100
"""Updates in a row without finite gradients, after which a training ends."""


class RIMTraining(lightning.LightningModule):
    """Trains ``model`` on patches of clean images; y is simulated as it goes.

    Every random number depends on the recipe's seed, the number of the update and the rank alone:
    a training that resumes from a checkpoint goes on with the same bits, on one process. On several
    a checkpoint keeps the samples of rank 0 for all of them.

    Parameters
    ----------
    recipe
        All settings.

    Attributes
    ----------
    seconds
        Time spent in training up to the last checkpoint, that of earlier runs included.
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
        self._lost = 0  # updates in a row that taught nothing
        self._statistics: list[Tensor] = []  # of batch norm, before an update

    def on_fit_start(self) -> None:
        """Start the clock."""
        self._began = time.monotonic() - self.seconds

    def on_train_start(self) -> None:
        """Set the rates: a checkpoint has those of a training that may have become longer since."""
        update = self.trainer.global_step
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = group["initial_lr"] * rate_factor(update, self.recipe.optimizer)

    def training_step(self, batch: tuple[int, Tensor], batch_idx: int) -> Tensor:
        """Run the machine from new patches, and from some it knows, and return the loss."""
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
        """Measure clean patches x (N, C, H, W), and stand at the start."""
        problem, y = self._measure(self.recipe.task.draw, x, generator)
        steps = torch.zeros(x.shape[0], dtype=torch.long, device=x.device)
        return Rollout(x, y, problem, self.model.init(y, problem), steps)

    def _measure(
        self, measure: Measure, x: Tensor, generator: torch.Generator
    ) -> tuple[Problem, Tensor]:
        """Measure on the processor, where a generator always gives the same, and move.

        In full precision: autocast would multiply a matrix and an image in bf16.
        """
        with torch.autocast("cpu", enabled=False):
            problem, y = measured(measure, x.cpu(), generator)
        return tree.move(problem, device=self.device), y.to(self.device)

    def validation_step(self, batch: Tensor, batch_idx: int) -> None:
        """Log the PSNR after the machine's own number of steps, and ``late`` times as many.

        NaN where it has diverged by then.
        """
        own, late = self.model.steps, self.recipe.late * self.model.steps
        most = HIGHEST if self.recipe.on_patches else math.inf
        for name, measure in self.recipe.task.validation().items():
            # The same measurements for every seed of the training, or seeds could not be compared.
            problem, y = self._measure(measure, batch, seeded(0, 3, batch_idx))
            scores = dict.fromkeys((own, late), torch.tensor(torch.nan))
            try:
                for step, iterate in enumerate(self.model.iterate(y, problem, steps=late), start=1):
                    if step in scores:
                        found = psnr(iterate.x.cpu(), batch.cpu())
                        scores[step] = found.clamp(max=most).mean()
            except DivergenceError:
                pass  # which the log says by NaN; the training may get over it
            for label, step in ((name, own), (name + LATE, late)):
                score = scores[step].to(self.device)  # where ranks exchange what they found
                self.log(PSNR + label, score, prog_bar=label == name, sync_dist=True)

    def on_validation_epoch_end(self) -> None:
        """Say to the log after which update this was, counted from 0.

        Lightning's own count is one too high where a training that had ended goes on.
        """
        self.log("step", float(self.trainer.global_step - 1))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the recipe's optimiser and its schedule by the update."""
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
        """Clip, and log the norm.

        Raises
        ------
        DivergenceError
            If gradients have not been finite for a hundred updates in a row: they teach nothing.
        """
        norm = clip_gradients(self.model, largest=self.recipe.optimizer.clip)
        self.log("train/gradient_norm", norm)
        self._lost = 0 if norm.isfinite() else self._lost + 1
        if self._lost:  # what batch norm saw on the way may not be finite either
            for buffer, before in zip(self.model.buffers(), self._statistics, strict=True):
                buffer.copy_(before)
        if self._lost == _STUCK:
            raise DivergenceError(
                f"gradients are not finite since {_STUCK} updates: the training has diverged, or "
                "an image holds values that are not; a lower rate may help, or a larger least sigma"
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the samples that the next update goes on from, and the seconds so far."""
        checkpoint["pool"] = self.pool.state()
        self.seconds = time.monotonic() - self._began
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the samples again."""
        self.seconds = checkpoint["seconds"]
        self.pool.load(checkpoint["pool"])


def clip_gradients(model: RIM, *, largest: float) -> Tensor:
    """Scale all gradients so that their norm is at most ``largest``; return what it was.

    At small sigma the likelihood is steep, and gradients through many steps may overflow. Such an
    update teaches nothing and would turn every weight into NaN: its gradients are taken away, and
    weights and momentum stay. (With gradients of zero Muon would still take a whole step.)
    """
    parameters = [p for p in model.parameters() if p.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(parameters, largest)
    if not norm.isfinite():
        model.zero_grad()
    return norm


def build_optimizer(model: RIM, settings: OptimizerRecipe) -> torch.optim.Optimizer:
    """AdamW, schedule-free or not, or Muon on the hidden kernels with AdamW on all else.

    The last layer is not a hidden one: its few rows are not orthogonalised.
    """
    out = getattr(model.network, "out", None)
    if settings.name == "muon" and out is None:
        raise ValueError(
            f'optimizer.name = "muon" needs to know the last layer of a network, as its attribute '
            f'"out": {type(model.network).__name__} has none'
        )
    last = {id(parameter) for parameter in out.parameters()} if out is not None else set()
    hidden: list[Tensor] = []
    other: list[Tensor] = []
    for parameter in model.parameters():
        is_hidden = parameter.ndim == 4 and id(parameter) not in last
        (hidden if is_hidden and settings.name == "muon" else other).append(parameter)
    adamw: dict[str, Any] = {
        "betas": (0.9, 0.99),
        "eps": 1e-8,
        "weight_decay": 0.0,
        "lr": settings.adamw_rate,
    }
    if settings.name == "adamw":
        return torch.optim.AdamW(other, **adamw)
    if settings.name == "schedule-free":
        return ScheduleFreeAdamW(other, **adamw)
    groups = [
        {"params": hidden, "use_muon": True, "lr": settings.rate, "momentum": 0.95},
        {"params": other, "use_muon": False, **adamw},
    ]
    return _Muon(groups)


class _Muon(Muon):
    """Muon that does not compute in bf16 on a processor that emulates it, and slowly."""

    @staticmethod
    def _orthogonalize(group: dict[str, Any], updates: list[Tensor]) -> list[Tensor]:
        if computes_in_bfloat16() or any(update.device.type != "cpu" for update in updates):
            found: list[Tensor] = Muon._orthogonalize(group, updates)
            return found
        return [
            zero_power_via_newton_schulz_5(
                update.flatten(1),
                num_steps=group["ns_steps"],
                weights=group["ns_coeffs"],
                dtype=update.dtype,
            )
            for update in updates
        ]


def rate_factor(update: int, settings: OptimizerRecipe) -> float:
    """Factor on the learning rates: linear warm-up, constant, linear to zero."""
    rising = (update + 1) / max(settings.warmup, 1)
    falling = (settings.updates - update) / max(settings.decay * settings.updates, 1)
    return max(0.0, min(1.0, rising, falling))
