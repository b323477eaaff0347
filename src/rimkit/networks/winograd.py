"""3x3 convolutions with fewer products (Winograd; Lavin and Gray 2016).

An output tile of 4x4 pixels needs 36 products instead of 144, one of 2x2 pixels 16 instead of 36.
The transforms before and after the products are sums; with enough channels they cost less than is
saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEWEST = {torch.float32: 128, torch.bfloat16: 192}
"""Smallest number of both input and output channels for which it is used."""

SIDE = {torch.float32: 4, torch.bfloat16: 2}
"""Of a tile, in pixels: sums in larger ones have factors up to 8, too much for eight bits."""

_CHUNK = 1 << 22
"""Number of values held between sums and products at a time."""


class WinogradConv(nn.Conv2d):
    """3x3 convolution that keeps the size, computed in tiles on a CPU.

    In float32, results differ from those of `torch.nn.Conv2d` by a few units of rounding. In bf16,
    values between the sums are rounded, too: the error is about twice that of rounding otherwise.
    In double precision, on other devices, with few channels (`FEWEST`), and while it is compiled or
    traced, it is a `torch.nn.Conv2d`; likewise for derivatives of derivatives and for `torch.func`.

    Parameters
    ----------
    inputs, outputs
        Channels.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, value: Tensor) -> Tensor:
        """Map (N, inputs, H, W) to (N, outputs, H, W)."""
        rounded = in_bf16(value) and value.dtype != torch.float64
        dtype = torch.bfloat16 if rounded else value.dtype
        if not self._is_for(value, dtype):
            return super().forward(value)
        with torch.autocast("cpu", enabled=False):
            out = convolve(value.to(dtype), self.weight.float(), side=SIDE[dtype])
            return out if self.bias is None else out + self.bias.to(dtype)[:, None, None]

    def _is_for(self, value: Tensor, dtype: torch.dtype) -> bool:
        return (
            value.ndim == 4
            and value.numel() > 0
            and value.device.type == "cpu"
            and min(self.in_channels, self.out_channels) >= FEWEST.get(dtype, float("inf"))
            and not torch.compiler.is_compiling()
            and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        )


def convolve(value: Tensor, weight: Tensor, *, side: int) -> Tensor:
    """Compute ``conv2d(value, weight, padding=1)``, up to rounding.

    Parameters
    ----------
    value
        (N, C, H, W). Everything except the transform of the weights has its precision.
    weight
        (K, C, 3, 3).
    side
        Side of a tile in pixels: 2 or 4.
    """
    out: Tensor = _Tiled.apply(value, weight, side)  # type: ignore[no-untyped-call]
    return out


def in_bf16(value: Tensor) -> bool:
    """Whether a convolution of a tensor on the CPU runs in bf16."""
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16
    return value.dtype == torch.bfloat16


class _Tiled(torch.autograd.Function):
    """`convolve`; derivatives of derivatives, and those of `torch.func`, use `conv2d`."""

    @staticmethod
    def forward(value: Tensor, weight: Tensor, side: int) -> Tensor:
        return _convolve(value, weight, side)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        value, weight, ctx.side = inputs
        ctx.save_for_backward(value, weight)
        ctx.save_for_forward(value, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        value, weight = ctx.saved_tensors
        if torch.is_grad_enabled():
            return (*_usual_backward(gradient, value, weight, ctx.needs_input_grad[:2]), None)
        of_value = of_weight = None
        with torch.autocast("cpu", enabled=False):  # backward may run within one
            if ctx.needs_input_grad[0]:
                of_value = _convolve(gradient, weight.flip(2, 3).transpose(0, 1), ctx.side)
            if ctx.needs_input_grad[1]:
                of_weight = _correlate(value, gradient, ctx.side, dtype=weight.dtype)
        return of_value, of_weight, None

    @staticmethod
    def jvp(ctx: Any, value: Tensor | None, weight: Tensor | None, _: None) -> Tensor:
        at_value, at_weight = ctx.saved_tensors
        along = torch.zeros(())
        if value is not None:
            along = along + _usual(value, at_weight)
        return along if weight is None else along + _usual(at_value, weight)

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        value: Tensor,
        weight: Tensor,
        side: int,
    ) -> tuple[Tensor, int]:
        return torch.vmap(_usual, in_dims[:2])(value, weight), 0


def _usual(value: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(value, weight.to(value), padding=1)


def _usual_backward(
    gradient: Tensor, value: Tensor, weight: Tensor, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    rest = [[1, 1], [1, 1], [1, 1], False, [0, 0], 1, [*wanted, False]]
    of_value, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient, value, weight.to(value), None, *rest
    )
    return of_value, None if of_weight is None else of_weight.to(weight)


def _convolve(value: Tensor, weight: Tensor, side: int) -> Tensor:
    padded = _padded(value, side)
    kernel = _of_kernel(weight, side).to(value.dtype)
    (n, _, height, width), k = value.shape, len(weight)
    rows, columns = _counts(padded, side)
    shape = n, k, rows * side, columns * side
    out = torch.empty(shape, dtype=value.dtype, memory_format=torch.channels_last)
    pixels = _pixels(out, side)
    for images, band in _chunks(n, rows, columns, channels=max(weight.shape[:2])):
        products = torch.bmm(_of_value(_cut(padded, images, band, side), side), kernel)
        found = _on_both_sides(value.new_tensor(_BACK[side]), products)
        part = pixels[:, :, images, band]
        part.copy_(found.view(part.shape))
    return out[:, :, :height, :width].contiguous(memory_format=torch.channels_last)


def _correlate(value: Tensor, gradient: Tensor, side: int, *, dtype: torch.dtype) -> Tensor:
    """Gradient of a convolution in its weights (K, C, 3, 3), summed in their precision."""
    padded = _padded(value, side)
    (n, k, height, width), c = gradient.shape, value.shape[1]
    rows, columns = _counts(padded, side)
    pixels = _pixels(F.pad(gradient, (0, columns * side - width, 0, rows * side - height)), side)
    total = torch.zeros((side + 2) ** 2, c, k, dtype=dtype)
    for images, band in _chunks(n, rows, columns, channels=max(c, k)):
        tiles = _of_value(_cut(padded, images, band, side), side)
        back = pixels[:, :, images, band].reshape(side**2, -1)
        back = _on_both_sides(value.new_tensor(_BACK[side]).mT, back)
        total += torch.bmm(tiles.mT, back.view(len(tiles), -1, k)).to(dtype)
    return _of_kernel_adjoint(total, side)


# As in Lavin and Gray: out = A^T [(G w G^T) * (B^T d B)] A.
_BACK = {
    2: ((1.0, 1, 1, 0), (0, 1, -1, -1)),
    4: ((1.0, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
}
_KERNEL = {
    2: ((1.0, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
    4: (
        (1 / 4, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6),
        (1 / 24, -1 / 12, 1 / 6),
        (0, 0, 1),
    ),
}
_VALUE = (  # for tiles of 4x4 pixels; for 2x2 see `_differences`
    (4.0, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)


def _on_both_sides(matrix: Tensor, values: Tensor) -> Tensor:
    """M v M^T for M (s, t), with v (t * t, ...) seen as (t, t, ...): (s * s, ...).

    In bf16 as a single product, so that it is rounded only once.
    """
    rows, columns = matrix.shape
    if values.dtype == torch.bfloat16:
        return torch.kron(matrix, matrix) @ values.reshape(columns**2, -1)
    once = matrix @ values.reshape(columns, -1)
    return torch.matmul(matrix, once.view(rows, columns, -1)).view(rows**2, -1)


def _of_kernel(weight: Tensor, side: int) -> Tensor:
    """G w G^T of every 3x3 kernel: from (K, C, 3, 3) to (t * t, C, K)."""
    tiles = _on_both_sides(weight.new_tensor(_KERNEL[side]), weight.permute(2, 3, 1, 0))
    return tiles.view(-1, *weight.shape[1::-1])


def _of_kernel_adjoint(tiles: Tensor, side: int) -> Tensor:
    """Adjoint of `_of_kernel`: from (t * t, C, K) to (K, C, 3, 3)."""
    kernels = _on_both_sides(tiles.new_tensor(_KERNEL[side]).mT, tiles)
    return kernels.view(3, 3, *tiles.shape[1:]).permute(3, 2, 0, 1)


def _padded(value: Tensor, side: int) -> Tensor:
    """(N, H, W, C), padded by one pixel on every side, and more to fill the last tiles."""
    height, width = value.shape[-2:]
    return F.pad(value.permute(0, 2, 3, 1), (0, 0, 1, 1 + -width % side, 1, 1 + -height % side))


def _pixels(value: Tensor, side: int) -> Tensor:
    """View of (N, K, H, W) by tiles: (side, side, N, rows, columns, K)."""
    n, k, height, width = value.shape
    tiles = value.permute(0, 2, 3, 1).view(n, height // side, side, width // side, side, k)
    return tiles.permute(2, 4, 0, 1, 3, 5)


def _counts(padded: Tensor, side: int) -> tuple[int, int]:
    """Rows and columns of tiles."""
    return (padded.shape[1] - 2) // side, (padded.shape[2] - 2) // side


def _chunks(n: int, rows: int, columns: int, *, channels: int) -> Iterator[tuple[slice, slice]]:
    """Images and rows of tiles processed at a time: whole images if they are small."""
    most = _CHUNK // (36 * channels)
    images = max(1, most // (rows * columns))
    band = rows if images > 1 else min(rows, max(1, most // columns))
    for image in range(0, n, images):
        for row in range(0, rows, band):
            yield slice(image, min(n, image + images)), slice(row, min(rows, row + band))


def _cut(padded: Tensor, images: slice, band: slice, side: int) -> Tensor:
    return padded[images, band.start * side : band.stop * side + 2]


def _of_value(padded: Tensor, side: int) -> Tensor:
    """B^T d B of every tile with the pixels around it: from (n, h, w, C) to (t * t, tiles, C)."""
    channels = padded.shape[-1]
    if side == 2:
        return _of_value_by_sums(padded).view(16, -1, channels)
    t = side + 2
    windows = padded.unfold(1, t, side).unfold(2, t, side).permute(4, 5, 0, 1, 2, 3)
    return _on_both_sides(padded.new_tensor(_VALUE), windows).view(t * t, -1, channels)


def _of_value_by_sums(padded: Tensor) -> Tensor:
    n, height, width, c = padded.shape
    rows = padded.new_empty(4, n, height // 2 - 1, width, c)
    out = padded.new_empty(4, 4, n, height // 2 - 1, width // 2 - 1, c)
    _differences([padded[:, i : i + height - 3 : 2] for i in range(4)], rows)
    for row, along in zip(rows, out, strict=True):
        _differences([row[:, :, i : i + width - 3 : 2] for i in range(4)], along)
    return out


def _differences(d: list[Tensor], out: Tensor) -> None:
    torch.sub(d[0], d[2], out=out[0])
    torch.add(d[1], d[2], out=out[1])
    torch.sub(d[2], d[1], out=out[2])
    torch.sub(d[1], d[3], out=out[3])
