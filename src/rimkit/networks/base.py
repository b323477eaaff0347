"""What an update network h_phi is (equations 11 and 12)."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]


class NetworkConfig(Protocol):
    """Settings of an update network: a frozen dataclass, saved whole with the weights."""

    __dataclass_fields__: Any

    @property
    def channels(self) -> int:
        """Channels of x."""
        ...

    def build(self) -> UpdateNetwork:
        """Return the network with fresh weights."""
        ...


class UpdateNetwork(nn.Module):
    """Base of all update networks: sees iterate, score and state, returns delta and state.

    ``stride``: heights and widths arrive as multiples of it; `rimkit.RIM` pads and crops.
    """

    stride: int = 1
    out: nn.Module
    """The last layer; optimisers treat it apart from the hidden ones."""

    def init_state(self, eta: Tensor) -> State:
        """Return the state before the first step, for eta (N, C, H, W): tensors (N, ...)."""
        raise NotImplementedError

    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        """Return delta (N, C, H, W) and the next state.

        ``score`` (N, C, H, W) is the gradient of the log-likelihood in eta, scaled.
        """
        raise NotImplementedError


def zeros(like: Tensor, channels: int, *, stride: int) -> Tensor:
    """A state of zeros (N, channels, H / stride, W / stride), channels last."""
    n, _, h, w = like.shape
    return torch.zeros(
        (n, channels, h // stride, w // stride), dtype=like.dtype, device=like.device
    ).to(memory_format=torch.channels_last)
