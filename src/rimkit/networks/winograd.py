"""3x3 convolutions with 16 products where there were 36 (Winograd; Lavin and Gray 2016)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LARGEST = 32
"""Side in pixels up to which it is done, as in training: four times the input lies in between."""


class WinogradConv(nn.Conv2d):
    """3x3 convolution that keeps the size, by tiles of 2x2 pixels while it runs in bf16.

    Products of matrices and the transforms around them cost less than the convolution if there are
    channels enough. What lies between the transforms is rounded to bf16, too: results are off by
    about twice what rounding costs otherwise. In float32, for images that are large or of odd
    size, and while it is compiled or traced it is a `torch.nn.Conv2d`. By tiles there are no second
    derivatives and no `torch.func`.

    Parameters
    ----------
    inputs, outputs
        Channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, value: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        if not _is_for(value):
            return super().forward(value)
        with torch.autocast("cpu", enabled=False):
            out = convolve(value.bfloat16(), self.weight.float())
            return out if self.bias is None else out + self.bias.bfloat16()[:, None, None]


def convolve(value: Tensor, weight: Tensor) -> Tensor:
    """Return what ``conv2d(value, weight, padding=1)`` does, up to rounding.

    Parameters
    ----------
    value
        (N, C, H, W), H and W even. All is computed in its precision but for the transform of the
        weights.
    weight
        (K, C, 3, 3).
    """
    tiles = _kernel_tiles(weight).to(value.dtype)
    out: Tensor = _Tiled.apply(value, tiles)  # type: ignore[no-untyped-call]
    return out


def in_bf16(value: Tensor) -> bool:
    """Whether a convolution of a tensor on the processor runs in bf16."""
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return value.dtype == torch.bfloat16


def _is_for(value: Tensor) -> bool:
    if value.ndim != 4 or value.numel() == 0 or value.dtype == torch.float64:
        return False
    height, width = value.shape[-2:]
    return (
        value.device.type == "cpu"
        and in_bf16(value)
        and max(height, width) <= LARGEST
        and height % 2 == width % 2 == 0
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    )


class _Tiled(torch.autograd.Function):
    """From (N, C, H, W) and a kernel's tiles (16, C, K) to (N, K, H, W)."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(value, kernel)
        return _gather(torch.bmm(_scatter(value), kernel), value.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        value, kernel = ctx.saved_tensors
        tiles = _gather_adjoint(gradient)
        of_value = of_kernel = None
        if ctx.needs_input_grad[0]:
            of_value = _scatter_adjoint(torch.bmm(tiles, kernel.mT), value.shape)
        if ctx.needs_input_grad[1]:
            of_kernel = torch.bmm(_scatter(value).mT, tiles)
        return of_value, of_kernel


# As Lavin and Gray have it: out = A^T [(G w G^T) * (B^T d B)] A; here both sides at once.
_A = ((1.0, 1, 1, 0), (0, 1, -1, -1))
_G = ((1.0, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))


def _on_both_sides(matrix: tuple[tuple[float, ...], ...], like: Tensor) -> Tensor:
    factor = like.new_tensor(matrix)
    return torch.kron(factor, factor)


def _kernel_tiles(weight: Tensor) -> Tensor:
    """G w G^T of every 3x3 kernel: from (K, C, 3, 3) to (16, C, K)."""
    flat = weight.permute(2, 3, 1, 0).reshape(9, -1)
    return (_on_both_sides(_G, weight) @ flat).view(16, *weight.shape[1::-1])


def _scatter(value: Tensor) -> Tensor:
    """B^T d B of every 4x4 window d, 2 pixels apart: from (N, C, H, W) to (16, tiles, C)."""
    n, c, height, width = value.shape
    padded = F.pad(value.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    out = value.new_empty(4, 4, n, height // 2, width // 2, c)
    rows = value.new_empty(4, n, height // 2, width + 2, c)
    _differences([padded[:, i : i + height - 1 : 2] for i in range(4)], rows)
    for row, along in zip(rows, out, strict=True):
        _differences([row[:, :, i : i + width - 1 : 2] for i in range(4)], along)
    return out.view(16, -1, c)


def _differences(d: list[Tensor], out: Tensor) -> None:
    torch.sub(d[0], d[2], out=out[0])
    torch.add(d[1], d[2], out=out[1])
    torch.sub(d[2], d[1], out=out[2])
    torch.sub(d[1], d[3], out=out[3])


def _scatter_adjoint(tiles: Tensor, shape: torch.Size) -> Tensor:
    n, c, height, width = shape
    tiles = tiles.view(4, 4, n, height // 2, width // 2, c)
    rows = tiles.new_zeros(4, n, height // 2, width + 2, c)
    padded = tiles.new_zeros(n, height + 2, width + 2, c)
    for row, along in zip(rows, tiles, strict=True):
        _differences_adjoint(along, [row[:, :, i : i + width - 1 : 2] for i in range(4)])
    _differences_adjoint(rows, [padded[:, i : i + height - 1 : 2] for i in range(4)])
    return padded[:, 1:-1, 1:-1].permute(0, 3, 1, 2)


def _differences_adjoint(tiles: Tensor, d: list[Tensor]) -> None:
    d[0].add_(tiles[0])
    middle = tiles[1] - tiles[2]
    d[1].add_(middle).add_(tiles[3])
    d[2].add_(tiles[1] + tiles[2]).sub_(tiles[0])
    d[3].sub_(tiles[3])


def _gather(tiles: Tensor, shape: torch.Size) -> Tensor:
    """A^T m A of every 4x4 tile m: from (16, tiles, K) to (N, K, H, W)."""
    n, _, height, width = shape
    pixels = _on_both_sides(_A, tiles) @ tiles.view(16, -1)
    pixels = pixels.view(2, 2, n, height // 2, width // 2, -1).permute(2, 3, 0, 4, 1, 5)
    return pixels.reshape(n, height, width, -1).permute(0, 3, 1, 2)


def _gather_adjoint(gradient: Tensor) -> Tensor:
    n, k, height, width = gradient.shape
    pixels = gradient.permute(0, 2, 3, 1).reshape(n, height // 2, 2, width // 2, 2, k)
    pixels = pixels.permute(2, 4, 0, 1, 3, 5).reshape(4, -1)
    return (_on_both_sides(_A, gradient).mT @ pixels).view(16, -1, k)
