"""What an update network h_phi is (equations 11 and 12)."""

from __future__ import annotations

import abc
import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]


@dataclasses.dataclass(frozen=True)
class NetworkConfig(abc.ABC):
    """Base of the settings of an update network, saved whole with the weights.

    Attributes
    ----------
    table_name
        The network's name in recipes and in saved weights.
    channels
        Channels of x.
    """

    table_name: ClassVar[str]

    channels: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (value > 0 and value < float("inf")):
                raise ValueError(f"network.{field.name} is positive and finite, got {value}")

    @abc.abstractmethod
    def build(self) -> UpdateNetwork:
        """Return the network with fresh weights."""


class UpdateNetwork(nn.Module, abc.ABC):
    """Base of all update networks: sees iterate, score and state, returns delta and state.

    ``stride``: heights and widths arrive as multiples of it; `rimkit.RIM` pads and crops.
    """

    stride: int = 1
    out: nn.Module
    """The last layer; optimisers treat it apart from the hidden ones."""

    @abc.abstractmethod
    def init_state(self, eta: Tensor) -> State:
        """Return the state before the first step, for eta (N, C, H, W): tensors (N, ...)."""

    @abc.abstractmethod
    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        """Return delta (N, C, H, W) and the next state.

        ``score`` (N, C, H, W) is the gradient of the log-likelihood in eta, scaled.
        """


def zeros(like: Tensor, channels: int, *, stride: int) -> Tensor:
    """A state of zeros (N, channels, H / stride, W / stride), channels last."""
    n, _, h, w = like.shape
    return torch.zeros(
        (n, channels, h // stride, w // stride), dtype=like.dtype, device=like.device
    ).to(memory_format=torch.channels_last)
