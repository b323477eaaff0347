"""Optimisers, learning-rate schedules and gradient clipping."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_optimizer import Muon, ScheduleFreeAdamW
from pytorch_optimizer.optimizer.utils import zero_power_via_newton_schulz_5
from torch import Tensor

from rimkit.precision import computes_in_bfloat16
from rimkit.rim import RIM
from rimkit.training.recipe import OptimizerRecipe


def clip_gradients(model: RIM, *, largest: float) -> Tensor:
    """Scale all gradients so that their norm is at most ``largest``; return the norm before.

    At small sigma the likelihood is steep, and gradients through many steps may overflow. Such an
    update teaches nothing and would turn every weight into NaN, so its gradients are set to None,
    which leaves weights and momentum unchanged. (With zero gradients Muon would still take a full
    step.)
    """
    parameters = [p for p in model.parameters() if p.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(parameters, largest)
    if not norm.isfinite():
        model.zero_grad()
    return norm


def build_optimizer(model: RIM, settings: OptimizerRecipe) -> torch.optim.Optimizer:
    """Build AdamW, schedule-free AdamW, or Muon on the hidden kernels with AdamW on the rest.

    The last layer does not count as hidden: its few rows are not orthogonalised.
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
    """Muon that avoids bf16 on processors that only emulate it, slowly."""

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
    """Factor on the learning rates: linear warm-up, constant, linear decay to zero."""
    rising = (update + 1) / max(settings.warmup, 1)
    falling = (settings.updates - update) / max(settings.decay * settings.updates, 1)
    return max(0.0, min(1.0, rising, falling))
