"""Networks without one of their parts: the comparisons of Section 4.4."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, get_args

import torch

from rimkit.networks.base import NetworkConfig

Ablation = Literal["rim", "gdn", "ffn", "ffn-wide"]


def ablated(config: NetworkConfig, name: Ablation) -> NetworkConfig:
    """Return the settings of a network without one of its parts.

    Parameters
    ----------
    config
        Settings of the whole network.
    name
        ``"rim"``: the network itself. ``"gdn"``, the gradient-descent network: it does not see
        the current estimate. ``"ffn"``, the feed-forward network: a ReLU layer in place of the
        gated one, and so no state. ``"ffn-wide"``: the same, widened to about as many parameters as
        the whole network.

    Raises
    ------
    ValueError
        If the name is unknown, or the network is not whole.
    """
    if name not in get_args(Ablation):
        raise ValueError(f"a network must be one of {', '.join(get_args(Ablation))}, got {name!r}")
    if not (config.sees_estimate and config.recurrent):
        raise ValueError(f"parts can be removed only from a whole network, got {config}")
    if name == "rim":
        return config
    if name == "gdn":
        return dataclasses.replace(config, sees_estimate=False)
    without = dataclasses.replace(config, recurrent=False)
    return without if name == "ffn" else _as_large_as(config, without)


def _as_large_as(whole: NetworkConfig, part: NetworkConfig) -> NetworkConfig:
    """Widen a network to about the parameter count of another, by bisection."""
    wanted = _parameters(whole)
    low = getattr(part, part.width)
    high = 2 * low
    while _parameters(_widened(part, high)) < wanted:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if _parameters(_widened(part, middle)) < wanted:
            low = middle
        else:
            high = middle
    return min(
        (_widened(part, width) for width in (low, high)),
        key=lambda config: abs(_parameters(config) - wanted),
    )


def _widened(config: NetworkConfig, width: int) -> NetworkConfig:
    changed: dict[str, Any] = {config.width: width}
    return dataclasses.replace(config, **changed)


def _parameters(config: NetworkConfig) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in config.build().parameters())
