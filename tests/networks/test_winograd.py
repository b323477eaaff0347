"""The tiled convolution against the usual one: exact but for rounding, gradients too."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from tests.cases import normal
from torch import Tensor, nn

from rimkit.networks import winograd
from rimkit.networks.cells import ConvGRU, conv
from rimkit.networks.winograd import LARGEST, WinogradConv


@pytest.mark.parametrize("size", [(2, 2), (6, 4), (8, 14)])
def test_it_is_the_convolution(size: tuple[int, int]) -> None:
    value, weight = normal(2, 3, *size), normal(5, 3, 3, 3, seed=1)
    expected = F.conv2d(value, weight, padding=1)
    torch.testing.assert_close(winograd.convolve(value, weight), expected)


def test_its_gradients_are_exact() -> None:
    inputs = [normal(2, 3, 4, 6).requires_grad_(), normal(4, 3, 3, 3, seed=1).requires_grad_()]
    assert torch.autograd.gradcheck(winograd.convolve, inputs)
    value, weight = inputs
    alone = torch.autograd.grad(winograd.convolve(value.detach(), weight).square().sum(), weight)
    both = torch.autograd.grad(winograd.convolve(value, weight).square().sum(), weight)
    torch.testing.assert_close(alone, both)


def layers(channels: int = 192, size: tuple[int, int] = (16, 16)) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layer = WinogradConv(channels, 208)
    value = torch.randn(4, channels, *size).to(memory_format=torch.channels_last)
    return layer.to(memory_format=torch.channels_last), value  # type: ignore[call-overload]


def gradients(run: Callable[[Tensor], Tensor], layer: nn.Module, value: Tensor) -> list[Tensor]:
    value = value.clone().requires_grad_()
    out = run(value)
    weight = normal(*out.shape, dtype=torch.float32)
    found = torch.autograd.grad((out * weight).sum(), [value, *layer.parameters()])
    return [out.detach().float(), *found]


def test_in_bf16_all_is_off_by_little_more_than_rounding() -> None:
    layer, value = layers()

    def fast(value: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            out: Tensor = layer(value)
        assert out.dtype == torch.bfloat16
        assert out.is_contiguous(memory_format=torch.channels_last)
        return out

    expected = gradients(layer, layer, value)
    found = gradients(fast, layer, value)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == torch.float32
        error = (one - other).square().mean().sqrt() / other.square().mean().sqrt()
        assert 1e-4 < error < 0.015  # bf16 has eight bits


@pytest.mark.parametrize("size", [(15, 16), (16, 15), (LARGEST + 2, 4)])
def test_what_does_not_fit_goes_the_usual_way(size: tuple[int, int]) -> None:
    layer, value = layers(size=size)
    plain = nn.Conv2d(192, 208, 3, padding=1)
    plain.load_state_dict(layer.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(value), plain(value))


def test_what_a_convolution_takes_it_takes() -> None:
    layer, value = layers()
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(value[:0]).shape == (0, 208, 16, 16)
        assert layer(value[0]).shape == (208, 16, 16)
        assert layer.double()(value.double()).dtype == torch.float64


def test_in_float32_it_is_the_usual_convolution() -> None:
    layer, value = layers()
    assert torch.equal(layer(value), F.conv2d(value, layer.weight, layer.bias, padding=1))  # type: ignore[arg-type]


def test_wide_layers_have_it() -> None:
    cell = ConvGRU(64, 256)
    assert isinstance(cell.gates, WinogradConv)
    assert isinstance(cell.candidate, WinogradConv)
    for others in (conv(64, 256), conv(256, 256, stride=2), conv(256, 256, dilation=2)):
        assert not isinstance(others, WinogradConv)
