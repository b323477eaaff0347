"""The network of Section 4.1 of the paper, layer by layer."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from rimkit.networks.base import NetworkConfig, State, UpdateNetwork, zeros
from rimkit.networks.cells import ConvGRU, ReLULayer, conv, start_at_rest


@dataclasses.dataclass(frozen=True)
class PaperConfig(NetworkConfig):
    """Settings of `PaperNetwork`; the defaults are the paper's."""

    table_name: ClassVar[str] = "paper"
    width: ClassVar[str] = "hidden"

    features: int = 64
    hidden: int = 256

    def build(self) -> PaperNetwork:
        """Return the network with fresh weights."""
        return PaperNetwork(self)


class PaperNetwork(UpdateNetwork):
    """Stride-2 convolution, GRU, transposed convolution, convolution; all kernels 3x3.

    Batch norm and tanh follow the first and the third layer. One set of batch-norm statistics
    serves all steps. 2,361,024 kernel weights with the defaults.
    """

    stride = 2

    def __init__(self, config: PaperConfig) -> None:
        super().__init__()
        self.hidden = config.hidden
        self.sees_estimate, self.recurrent = config.sees_estimate, config.recurrent
        self.down = conv(config.images, config.features, stride=2)
        self.down_norm = nn.BatchNorm2d(config.features)
        cell = ConvGRU if config.recurrent else ReLULayer
        self.gru = cell(config.features, config.hidden)
        self.up = nn.ConvTranspose2d(
            config.hidden, config.features, 3, stride=2, padding=1, output_padding=1
        )
        self.up_norm = nn.BatchNorm2d(config.features)
        self.out = conv(config.features, config.channels)
        start_at_rest(self.out)

    def init_state(self, eta: Tensor) -> State:
        """Return zeros (N, 256, H/2, W/2)."""
        if not self.recurrent:
            return ()
        return (zeros(eta, self.hidden, stride=self.stride),)

    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        """See `UpdateNetwork.forward`."""
        seen = torch.cat([eta, score], 1) if self.sees_estimate else score
        value = torch.tanh(self.down_norm(self.down(seen)))
        hidden = self.gru(value, *state)
        value = torch.tanh(self.up_norm(self.up(hidden)))
        return self.out(value), (hidden,) if self.recurrent else ()
