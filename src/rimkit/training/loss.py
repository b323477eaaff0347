"""The training loss: a weighted sum over the steps (equation 13)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def trajectory_loss(estimates: Sequence[Tensor], x: Tensor, *, weights: Sequence[float]) -> Tensor:
    """Mean square error of every estimate, weighted with w_t and divided by the sum of w_t.

    The division keeps the size of the loss when the number of steps changes; equation 13 is the
    numerator.

    Parameters
    ----------
    estimates
        x_1 ... x_T, each (N, C, H, W).
    x
        The truth (N, C, H, W).
    weights
        w_1 ... w_T, positive.

    Raises
    ------
    ValueError
        If there are not as many weights as estimates, or none, or one is not positive.
    """
    if len(estimates) != len(weights) or not weights:
        raise ValueError(f"{len(estimates)} estimates need as many weights, got {len(weights)}")
    if min(weights) <= 0:
        raise ValueError(f"the weights w_t are positive, got {list(weights)}")
    errors = torch.stack([(estimate - x).square().mean() for estimate in estimates])
    w = errors.new_tensor(weights)
    return (w * errors).sum() / w.sum()
