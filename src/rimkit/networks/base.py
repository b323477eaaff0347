"""What an update network h_phi is (equations 11 and 12)."""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from rimkit import settings

State = tuple[Tensor, ...]


@dataclasses.dataclass(frozen=True)
class NetworkConfig(abc.ABC):
    """Base of the settings of an update network, saved whole with the weights.

    Attributes
    ----------
    table_name
        The network's name in recipes and in saved weights.
    width
        The setting that makes it wider.
    channels
        Channels of x.
    sees_estimate
        Whether eta is an input; False is the paper's gradient-descent network (Section 4.4).
    recurrent
        Whether there is a state; False is the paper's feed-forward network, a ReLU layer in place
        of the gated one.
    """

    table_name: ClassVar[str]
    width: ClassVar[str] = "features"

    channels: int = 1
    sees_estimate: bool = dataclasses.field(default=True, kw_only=True)
    recurrent: bool = dataclasses.field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        settings.check_types(self, where="network")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                least, wanted = (1, "at least 1") if isinstance(value, int) else (0, "not negative")
                if not least <= value < math.inf:
                    raise ValueError(f"network.{field.name} is {wanted} and finite, got {value}")

    @property
    def images(self) -> int:
        """Channels that come in: those of the score and, if it is seen, of eta."""
        return self.channels * (2 if self.sees_estimate else 1)

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
        """Return the state before the first step, for eta (N, C, H, W): tensors (N, ...).

        An empty tuple where the network is not recurrent.
        """

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
