"""The network of Section 4.1 of the paper, layer by layer."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from rimkit.networks.base import NetworkConfig, State, UpdateNetwork
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
        super().__init__(config)
        self.state_channels = config.hidden
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

    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        """See `UpdateNetwork.forward`."""
        value = torch.tanh(self.down_norm(self.down(self.seen(eta, score))))
        hidden = self.gru(value, *state)
        value = torch.tanh(self.up_norm(self.up(hidden)))
        return self.out(value), (hidden,) if self.recurrent else ()
