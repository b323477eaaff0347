import torch
import torch.nn.functional as F
from tests.cases import normal
from torch import Tensor

from rimkit.networks.cells import ConvGRU, ResidualBlock


def plain_gru(cell: ConvGRU, x: Tensor, h: Tensor) -> Tensor:
    """The GRU of Chung et al. (2014), gate by gate, with kernels cut from the fused ones."""
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
