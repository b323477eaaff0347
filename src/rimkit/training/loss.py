"""The training loss: a weighted sum over the steps (equation 13)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from rimkit.pixels import LEVELS

DistanceName = Literal["mse", "l1", "log-mse"]

_PERFECT = (0.1 / LEVELS) ** 2
"""The square of a tenth of a grey level: a mean square error that counts as zero."""


def mse(difference: Tensor) -> Tensor:
    """Mean square: equation 13."""
    return difference.square().mean()


def l1(difference: Tensor) -> Tensor:
    """Mean absolute value."""
    return difference.abs().mean()


def log_mse(difference: Tensor) -> Tensor:
    """Logarithm of every sample's mean square, averaged: PSNR up to a factor.

    The square of a tenth of a grey level is added, so that the logarithm of a perfect sample is
    finite.
    """
    return (difference.square().flatten(1).mean(1) + _PERFECT).log().mean()


DISTANCES: dict[DistanceName, Callable[[Tensor], Tensor]] = {
    "mse": mse,
    "l1": l1,
    "log-mse": log_mse,
}
"""Distances by name: each maps estimates minus truth, (N, C, H, W), to one number."""


def trajectory_loss(
    estimates: Sequence[Tensor],
    x: Tensor,
    *,
    weights: Sequence[float],
    distance: DistanceName = "mse",
) -> Tensor:
    """Distance of every estimate to the truth, weighted by w_t and divided by the sum of w_t.

    The division keeps the scale of the loss when the number of steps changes; equation 13 is the
    numerator.

    Parameters
    ----------
    estimates
        x_1 ... x_T, each (N, C, H, W).
    x
        The truth (N, C, H, W).
    weights
        w_1 ... w_T, positive.
    distance
        A name in `DISTANCES`; the paper uses ``"mse"``.

    Raises
    ------
    ValueError
        If the numbers of weights and estimates differ, there are none, or one is not positive.
    """
    if len(estimates) != len(weights) or not weights:
        raise ValueError(f"{len(estimates)} estimates need as many weights, got {len(weights)}")
    if min(weights) <= 0:
        raise ValueError(f"the weights w_t must be positive, got {list(weights)}")
    errors = torch.stack([DISTANCES[distance](estimate - x) for estimate in estimates])
    w = errors.new_tensor(weights)
    return (w * errors).sum() / w.sum()


def motion(path: Sequence[Tensor], x: Tensor) -> Tensor:
    """Mean square change per step, divided by the mean square error at the end: (N,).

    No gradient flows through the error: an estimate does not come to rest by getting worse.

    Parameters
    ----------
    path
        Two or more successive estimates, each (N, C, H, W).
    x
        The truth (N, C, H, W).
    """
    change = torch.stack([after - before for before, after in itertools.pairwise(path)])
    error = (path[-1] - x).detach().square().flatten(1).mean(1)
    return change.square().flatten(2).mean((0, 2)) / (error + _PERFECT)
