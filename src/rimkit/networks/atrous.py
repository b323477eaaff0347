"""The network of the paper's footnote 5: dilated convolutions in place of strided ones."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import torch
from torch import Tensor, nn

from rimkit.networks.base import NetworkConfig, State, UpdateNetwork
from rimkit.networks.cells import ConvGRU, ReLULayer, conv, start_at_rest


@dataclasses.dataclass(frozen=True)
class AtrousConfig(NetworkConfig):
    """Settings of `AtrousNetwork`; the defaults give about 500,000 parameters."""

    table_name: ClassVar[str] = "atrous"
    width: ClassVar[str] = "hidden"

    features: int = 64
    hidden: int = 100
    dilation: int = 2

    def build(self) -> AtrousNetwork:
        """Return the network with fresh weights."""
        return AtrousNetwork(self)


class AtrousNetwork(UpdateNetwork):
    """Section 4.1 without the stride: the GRU is dilated and works at full resolution.

    The footnote gives only "a trous" and "about 500.000 parameters"; the widths are ours.
    """

    def __init__(self, config: AtrousConfig) -> None:
        super().__init__(config)
        self.state_channels = config.hidden
        self.enter = conv(config.images, config.features)
        self.enter_norm = nn.BatchNorm2d(config.features)
        cell = ConvGRU if config.recurrent else ReLULayer
        self.gru = cell(config.features, config.hidden, dilation=config.dilation)
        self.leave = conv(config.hidden, config.features)
        self.leave_norm = nn.BatchNorm2d(config.features)
        self.out = conv(config.features, config.channels)
        start_at_rest(self.out)

    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        """See `UpdateNetwork.forward`."""
        value = torch.tanh(self.enter_norm(self.enter(self.seen(eta, score))))
        hidden = self.gru(value, *state)
        value = torch.tanh(self.leave_norm(self.leave(hidden)))
        return self.out(value), (hidden,) if self.recurrent else ()
