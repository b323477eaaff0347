import pytest
import torch
import torch.nn.functional as F
from tests.cases import normal
from torch import Tensor

from rimkit.networks.cells import ConvGRU, ResidualBlock, conv


def plain_gru(cell: ConvGRU, x: Tensor, h: Tensor) -> Tensor:
    """The GRU of Cho et al. (2014), gate by gate, with kernels cut from the fused ones."""
    n = h.shape[1]
    wz, wr = cell.gates.weight.split(n)
    bz, br = cell.gates.bias.split(n)

    def affine(weight: Tensor, bias: Tensor, inner: Tensor) -> Tensor:
        from_x = F.conv2d(x, weight[:, : x.shape[1]], padding="same", dilation=cell.gates.dilation)
        from_h = F.conv2d(
            inner, weight[:, x.shape[1] :], padding="same", dilation=cell.gates.dilation
        )
        return from_x + from_h + bias.view(1, -1, 1, 1)

    z = torch.sigmoid(affine(wz, bz, h))
    r = torch.sigmoid(affine(wr, br, h))
    candidate = torch.tanh(affine(cell.candidate.weight, cell.candidate.bias, r * h))
    return z * h + (1 - z) * candidate


def test_fused_gates_are_the_plain_gru() -> None:
    for dilation in (1, 2):
        torch.manual_seed(0)
        cell = ConvGRU(3, 5, dilation=dilation).double()
        x, h = normal(2, 3, 7, 9), normal(2, 5, 7, 9, seed=1)
        torch.testing.assert_close(cell(x, h), plain_gru(cell, x, h))


def test_residual_block_starts_as_the_identity() -> None:
    x = normal(1, 4, 6, 6, dtype=torch.float32)
    block = ResidualBlock(4)
    torch.testing.assert_close(block(x), x + block.second.bias.view(1, -1, 1, 1))


@pytest.mark.parametrize("channels", [20, 32, 100])
def test_kernels_of_dilated_convolutions_get_their_gradients_in_bf16(channels: int) -> None:
    # Whatever lies in memory must not get into them: it is filled with NaN first.
    torch.manual_seed(0)
    layer = conv(channels, 48, dilation=2).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    value = torch.randn(4, channels, 33, 32).to(memory_format=torch.channels_last)
    weight = torch.randn(4, 48, 33, 32)
    (layer(value) * weight).sum().backward()
    expected, layer.weight.grad = layer.weight.grad, None
    for _ in range(3):
        junk = [torch.full((1 << size,), torch.nan) for size in range(10, 22)]
        del junk
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(value)
        (y * weight).sum().backward()
        gradient, layer.weight.grad = layer.weight.grad, None
        torch.testing.assert_close(gradient, expected, rtol=0.02, atol=0.01 * expected.abs().max())
