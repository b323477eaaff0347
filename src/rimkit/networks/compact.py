"""The fast network: depth inside the step, at half resolution, around one gated state."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rimkit.networks.base import NetworkConfig, State, UpdateNetwork, zeros
from rimkit.networks.cells import ResidualBlock, conv, start_at_rest


@dataclasses.dataclass(frozen=True)
class CompactConfig(NetworkConfig):
    """Settings of `CompactNetwork`."""

    table_name: ClassVar[str] = "compact"

    features: int = 64
    blocks: int = 5
    delta_scale: float = 0.1

    def build(self) -> CompactNetwork:
        """Return the network with fresh weights."""
        return CompactNetwork(self)


class CompactNetwork(UpdateNetwork):
    """Residual blocks between pixel-unshuffle and pixel-shuffle; what they find is gated in.

    The state says for every pixel in which direction to go, and how far: it can let the iterate
    rest where it is, whatever the score says.

    ``delta_scale`` keeps the first updates of training small beside an image in [0, 1].
    """

    stride = 2

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.features = config.features
        self.delta_scale = config.delta_scale
        pixels = self.stride**2
        self.enter = conv(2 * pixels * config.channels + config.features, config.features)
        self.blocks = nn.Sequential(*(ResidualBlock(config.features) for _ in range(config.blocks)))
        self.gate = nn.Conv2d(2 * config.features, 2 * config.features, 1)
        self.out = conv(config.features, 2 * pixels * config.channels)
        start_at_rest(self.out)

    def init_state(self, eta: Tensor) -> State:
        """Return zeros (N, features, H/2, W/2)."""
        return (zeros(eta, self.features, stride=self.stride),)

    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        """See `UpdateNetwork.forward`."""
        hidden = self.next_state(eta, score, state[0])
        direction, size = self.out(hidden).chunk(2, 1)
        delta = self.delta_scale * direction * torch.sigmoid(size)
        return F.pixel_shuffle(delta, self.stride), (hidden,)

    def next_state(self, eta: Tensor, score: Tensor, hidden: Tensor) -> Tensor:
        """Gate what the blocks find into the state (N, features, H/2, W/2)."""
        pixels = F.pixel_unshuffle(torch.cat([eta - 0.5, score], 1), self.stride)
        # What the blocks find has no name here, so that it is not kept while it is gated.
        gates = self.gate(_beside(self.blocks(self.enter(torch.cat([pixels, hidden], 1))), hidden))
        update, candidate = gates.chunk(2, 1)
        return torch.lerp(
            hidden, torch.tanh(candidate).to(hidden), torch.sigmoid(update).to(hidden)
        )


def _beside(value: Tensor, hidden: Tensor) -> Tensor:
    """Join in the precision of ``value``: autocast would convert the longer one otherwise."""
    return torch.cat([value, hidden.to(value)], 1)
