"""The tiled convolution against the usual one: exact but for rounding, gradients too."""

import functools
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from tests.cases import normal
from torch import Tensor, nn

from rimkit.networks import winograd
from rimkit.networks.cells import ConvGRU, conv
from rimkit.networks.winograd import FEWEST, WinogradConv

both_sides = pytest.mark.parametrize("side", [2, 4])


@both_sides
@pytest.mark.parametrize("size", [(2, 2), (1, 9), (6, 4), (8, 14)])
def test_it_is_the_convolution(side: int, size: tuple[int, int]) -> None:
    value, weight = normal(2, 3, *size), normal(5, 3, 3, 3, seed=1)
    expected = F.conv2d(value, weight, padding=1)
    torch.testing.assert_close(winograd.convolve(value, weight, side=side), expected)


@both_sides
def test_its_gradients_are_exact(side: int) -> None:
    run = functools.partial(winograd.convolve, side=side)
    inputs = [normal(2, 3, 4, 7).requires_grad_(), normal(4, 3, 3, 3, seed=1).requires_grad_()]
    assert torch.autograd.gradcheck(run, inputs)
    value, weight = inputs
    alone = torch.autograd.grad(run(value.detach(), weight).square().sum(), weight)
    both = torch.autograd.grad(run(value, weight).square().sum(), weight)
    torch.testing.assert_close(alone, both)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch uses it for these
@both_sides
def test_it_can_be_differentiated_as_the_usual_one(side: int) -> None:
    run = functools.partial(winograd.convolve, side=side)
    inputs = [normal(1, 2, 4, 3).requires_grad_(), normal(2, 2, 3, 3, seed=1).requires_grad_()]
    assert torch.autograd.gradgradcheck(run, inputs)
    assert torch.autograd.gradcheck(run, inputs, check_forward_ad=True, check_backward_ad=False)
    value, weight = (one.detach() for one in inputs)
    usual = functools.partial(F.conv2d, padding=1)
    for of in range(2):
        found, expected = (torch.func.jacrev(f, of)(value, weight) for f in (run, usual))
        torch.testing.assert_close(found, expected)
    weights = normal(3, 2, 2, 3, 3)
    found, expected = (torch.vmap(f, (None, 0))(value, weights) for f in (run, usual))
    torch.testing.assert_close(found, expected)


@both_sides
@pytest.mark.parametrize("chunk", [1, 36 * 5 * 8, 36 * 5 * 24])
def test_it_does_not_matter_how_much_is_done_at_a_time(
    side: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    value, weight = normal(3, 3, 11, 9), normal(5, 3, 3, 3, seed=1).requires_grad_()
    expected = F.conv2d(value, weight, padding=1)
    monkeypatch.setattr(winograd, "_CHUNK", chunk)
    found = winograd.convolve(value, weight, side=side)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(out.square().sum(), weight) for out in (found, expected)]
    torch.testing.assert_close(*gradients)


def layers(channels: int = 192, size: tuple[int, int] = (16, 16)) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layer = WinogradConv(channels, 208)
    value = torch.randn(4, channels, *size).to(memory_format=torch.channels_last)
    return layer.to(memory_format=torch.channels_last), value  # type: ignore[call-overload]


def usual(layer: nn.Module, value: Tensor) -> Tensor:
    return F.conv2d(value, layer.weight, layer.bias, padding=1)  # type: ignore[arg-type]


def gradients(run: Callable[[Tensor], Tensor], layer: nn.Module, value: Tensor) -> list[Tensor]:
    value = value.clone().requires_grad_()
    out = run(value)
    weight = normal(*out.shape).to(value.dtype)
    found = torch.autograd.grad((out * weight).sum(), [value, *layer.parameters()])
    return [out.detach().to(weight), *found]


def errors(found: list[Tensor], exact: list[Tensor]) -> list[float]:
    """Root mean square of each, over that of what is exact."""
    return [
        float((one.double() - other).square().mean().sqrt() / other.square().mean().sqrt())
        for one, other in zip(found, exact, strict=True)
    ]


@pytest.mark.parametrize("size", [(16, 16), (15, 18)])
def test_in_float32_all_is_off_by_some_units_of_rounding(size: tuple[int, int]) -> None:
    layer, value = layers(size=size)
    found = gradients(layer, layer, value)
    assert not torch.equal(layer(value), usual(layer, value))
    exact = gradients(layer, layer.double(), value.double())
    assert found[0].is_contiguous(memory_format=torch.channels_last)
    assert all(one.dtype == torch.float32 for one in found)
    assert 0 < max(errors(found, exact)) < 1e-5


@pytest.mark.parametrize("size", [(16, 16), (15, 18)])
def test_in_bf16_all_is_off_by_little_more_than_rounding(size: tuple[int, int]) -> None:
    layer, value = layers(size=size)

    def fast(value: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            out: Tensor = layer(value)
        assert out.dtype == torch.bfloat16
        assert out.is_contiguous(memory_format=torch.channels_last)
        return out

    found = gradients(fast, layer, value)
    exact = gradients(layer, layer.double(), value.double())
    assert all(one.dtype == torch.float32 for one in found)
    for error in errors(found, exact):
        assert 1e-4 < error < 0.015  # bf16 has eight bits


def test_gradients_do_not_depend_on_the_precision_around_who_asks_for_them() -> None:
    value, weight = normal(1, 8, 8, 8).float(), normal(8, 8, 3, 3, seed=1).float()
    found = []
    for inside in (False, True):
        leaf = weight.clone().requires_grad_()
        loss = winograd.convolve(value, leaf, side=4).square().sum()
        with torch.autocast("cpu", torch.bfloat16, enabled=inside):
            loss.backward()
        found.append(leaf.grad)
    assert found[0] is not None
    assert torch.equal(*found)


def test_what_a_convolution_takes_it_takes() -> None:
    layer, value = layers()
    for bf16 in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            assert layer(value[:0]).shape == (0, 208, 16, 16)
            assert layer(value[0]).shape == (208, 16, 16)
    layer.double()
    for bf16 in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            assert torch.equal(layer(value.double()), usual(layer, value.double()))


def test_few_channels_go_the_usual_way() -> None:
    layer, value = layers(channels=FEWEST[torch.float32])
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(value), usual(layer, value))
    assert not torch.equal(layer(value), usual(layer, value))
    layer, value = layers(channels=FEWEST[torch.float32] - 1)
    assert torch.equal(layer(value), usual(layer, value))


def test_wide_layers_have_it() -> None:
    cell = ConvGRU(64, 256)
    assert isinstance(cell.gates, WinogradConv)
    assert isinstance(cell.candidate, WinogradConv)
    for others in (conv(64, 256), conv(256, 256, stride=2), conv(256, 256, dilation=2)):
        assert not isinstance(others, WinogradConv)
