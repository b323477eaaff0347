"""The fast network: depth inside the step, at half resolution, around one gated state."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rimkit.networks.base import NetworkConfig, State, UpdateNetwork
from rimkit.networks.cells import ResidualBlock, conv, start_at_rest


@dataclasses.dataclass(frozen=True)
class CompactConfig(NetworkConfig):
    """Settings of `CompactNetwork`."""

    table_name: ClassVar[str] = "compact"

    features: int = 64
    blocks: int = 5
    delta_scale: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.delta_scale == 0:
            raise ValueError(
                "network.delta_scale must be positive, got 0: no estimate would change"
            )

    def build(self) -> CompactNetwork:
        """Return the network with fresh weights."""
        return CompactNetwork(self)


class CompactNetwork(UpdateNetwork):
    """Residual blocks between pixel-unshuffle and pixel-shuffle, gated into the state.

    The state encodes, for every pixel, the direction and the size of the update: it can leave the
    iterate where it is, whatever the score.

    ``delta_scale`` keeps the first updates of training small compared with an image in [0, 1].
    """

    stride = 2

    def __init__(self, config: CompactConfig) -> None:
        super().__init__(config)
        self.state_channels = config.features
        self.delta_scale = config.delta_scale
        pixels = self.stride**2
        remembered = config.features if config.recurrent else 0
        self.enter = conv(pixels * config.images + remembered, config.features)
        self.blocks = nn.Sequential(*(ResidualBlock(config.features) for _ in range(config.blocks)))
        # Into the state's gate and its candidate, or into the ReLU layer.
        gates = config.features + remembered
        self.gate = nn.Conv2d(gates, gates, 1)
        self.out = conv(config.features, 2 * pixels * config.channels)
        start_at_rest(self.out)

    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        """See `UpdateNetwork.forward`."""
        hidden = self.next_state(eta, score, *state) if self.recurrent else self.found(eta, score)
        direction, size = self.out(hidden).chunk(2, 1)
        delta = self.delta_scale * direction * torch.sigmoid(size)
        return F.pixel_shuffle(delta, self.stride), (hidden,) if self.recurrent else ()

    def next_state(self, eta: Tensor, score: Tensor, hidden: Tensor) -> Tensor:
        """Gate the output of the blocks into the state (N, features, H/2, W/2)."""
        # Input and output of the blocks have no name here, so they are freed before the gating.
        gates = self.gate(
            _beside(
                self.blocks(self.enter(torch.cat([self._pixels(eta, score), hidden], 1))), hidden
            )
        )
        update, candidate = gates.chunk(2, 1)
        return torch.lerp(
            hidden, torch.tanh(candidate).to(hidden), torch.sigmoid(update).to(hidden)
        )

    def found(self, eta: Tensor, score: Tensor) -> Tensor:
        """Return the output of the blocks, if there is no state: (N, features, H/2, W/2)."""
        return F.relu(self.gate(self.blocks(self.enter(self._pixels(eta, score)))))

    def _pixels(self, eta: Tensor, score: Tensor) -> Tensor:
        return F.pixel_unshuffle(self.seen(eta - 0.5, score), self.stride)


def _beside(value: Tensor, hidden: Tensor) -> Tensor:
    """Join in the precision of ``value``: autocast would convert the longer one otherwise."""
    return torch.cat([value, hidden.to(value)], 1)
