"""Building blocks shared by several update networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rimkit.networks.winograd import FEWEST, WinogradConv, in_bf16

_BLOCK = 16


class ConvGRU(nn.Module):
    """Gated recurrent unit whose matrices are 3x3 convolutions.

    The update gate z keeps the state: h' = z h + (1 - z) candidate (Cho et al. 2014). In Chung et
    al. (2014), cited by the paper, 1 - z keeps it; the weights can represent either.

    Both gates come from one convolution; the candidate needs its own because the reset gate acts
    on the state before it is convolved.

    Parameters
    ----------
    inputs, hidden
        Channels of the input (N, inputs, H, W) and of the state (N, hidden, H, W).
    dilation
        Dilation of all kernels.
    """

    def __init__(self, inputs: int, hidden: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.gates = conv(inputs + hidden, 2 * hidden, dilation=dilation)
        self.candidate = conv(inputs + hidden, hidden, dilation=dilation)

    def forward(self, value: Tensor, state: Tensor) -> Tensor:
        """Return the next state, in the precision of ``state``."""
        h = state.to(value)  # autocast would convert it twice, along with what is joined to it
        update, reset = torch.sigmoid(self.gates(torch.cat([value, h], 1))).chunk(2, 1)
        candidate = torch.tanh(self.candidate(torch.cat([value, reset * h], 1)))
        return torch.lerp(candidate.to(state), state, update.to(state))


class ReLULayer(nn.Module):
    """Replacement for a `ConvGRU` without state: relu(conv(value))."""

    def __init__(self, inputs: int, hidden: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.conv = conv(inputs, hidden, dilation=dilation)

    def forward(self, value: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, hidden, H, W)."""
        return F.relu(self.conv(value))


class ResidualBlock(nn.Module):
    """value + conv(relu(conv(value))); before training, the identity up to a constant."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv(channels, channels)
        self.second = conv(channels, channels)
        nn.init.zeros_(self.second.weight)

    def forward(self, value: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        out: Tensor = value + self.second(F.relu(self.first(value)))
        return out


def conv(inputs: int, outputs: int, *, dilation: int = 1, stride: int = 1) -> nn.Conv2d:
    """3x3 convolution that keeps the size (divided by the stride)."""
    if min(inputs, outputs) >= min(FEWEST.values()) and dilation == stride == 1:
        return WinogradConv(inputs, outputs)
    kind = nn.Conv2d if dilation == 1 else DilatedConv
    return kind(inputs, outputs, 3, padding=dilation, dilation=dilation, stride=stride)


class DilatedConv(nn.Conv2d):
    """Convolution that in bf16 zero-pads its input channels to blocks of 16.

    On CPUs, gradients of dilated bf16 kernels contain uninitialised memory if the last block of
    input channels is not full (torch 2.13; no other kernel is affected).
    """

    def forward(self, value: Tensor) -> Tensor:
        """As in `torch.nn.Conv2d`."""
        missing = -self.in_channels % _BLOCK
        kernel = self.weight
        if missing and value.device.type == "cpu" and in_bf16(value):
            value, kernel = (F.pad(part, (0, 0, 0, 0, 0, missing)) for part in (value, kernel))
        result: Tensor = self._conv_forward(value, kernel, self.bias)
        return result


def start_at_rest(last: nn.Conv2d) -> None:
    """Set a last layer to zero: an untrained machine stays where it starts.

    At small sigma the score is steep, and steps of random size would overflow after a few steps.
    """
    nn.init.zeros_(last.weight)
    if last.bias is not None:
        nn.init.zeros_(last.bias)
