"""Smaller and larger images, as MATLAB's ``imresize`` makes them with its bicubic kernel."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rimkit import tree

_REACH = 2  # of the cubic kernel, in pixels


@tree.register
@dataclasses.dataclass(frozen=True)
class Downsampling:
    """A x = x made smaller: antialiased bicubic, replicated border, nothing rounded.

    Keys (1981), a = -0.5, widened by the scale. y has ceil(H / scale) rows.

    Parameters
    ----------
    scale
        How many times larger x is than y, from 1; need not be whole.
    size
        (H, W) of x, where it is not the largest whole number in scale times the size of y.

    Raises
    ------
    ValueError
        If the scale is below 1 or not finite, or the size is not positive.
    """

    scale: float
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale >= 1):
            raise ValueError(f"scale is at least 1, got {self.scale}")
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"size is (H, W), both positive, got {self.size}")

    def A(self, x: Tensor) -> Tensor:
        """Make x (N, C, H, W) smaller."""
        sizes = x.shape[-2:]
        if self.size is not None and tuple(sizes) != self.size:
            raise ValueError(f"x has size {self.size}, got shape {tuple(x.shape)}")
        for dim, size in zip((-2, -1), sizes, strict=True):
            x = _apply(_smaller(size, self.scale), x, dim)
        return x

    def A_adjoint(self, y: Tensor) -> Tensor:
        """The transpose: y (N, C, h, w) to the size of x."""
        for dim, size in zip((-2, -1), self._size_of_x(y), strict=True):
            y = _apply(_smaller(size, self.scale).transposed, y, dim)
        return y

    def initial(self, y: Tensor) -> Tensor:
        """Start at y made larger by bicubic interpolation."""
        for dim, size in zip((-2, -1), self._size_of_x(y), strict=True):
            y = _apply(_larger(y.shape[dim], size, self.scale), y, dim)
        return y

    def _size_of_x(self, y: Tensor) -> tuple[int, int]:
        height, width = self.size or tuple(int(side * self.scale + 1e-9) for side in y.shape[-2:])
        expected = _smaller_size(height, self.scale), _smaller_size(width, self.scale)
        if tuple(y.shape[-2:]) != expected:
            raise ValueError(
                f"at scale {self.scale:g} an image of {height}x{width} has a y of "
                f"{expected[0]}x{expected[1]}, got shape {tuple(y.shape)}"
            )
        return height, width


def matlab_imresize(image: npt.NDArray[np.uint8], factor: float) -> npt.NDArray[np.uint8]:
    """MATLAB's ``imresize`` on 8-bit images, bicubic and antialiased, to the bit.

    Rows first, rounded and clipped to 8 bits between the two passes and after: not a linear map.
    Borders are replicated, as in the test files of Huang et al. (2015).

    Parameters
    ----------
    image
        (H, W) or (H, W, C).
    factor
        Of the result's size, positive: 0.5 halves, 2 doubles; sizes are rounded up.

    Raises
    ------
    ValueError
        If the image is not of 8 bits or has another rank, or the factor is not positive.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(
            f"an 8-bit image (H, W) or (H, W, C) is needed, got {image.dtype} {image.shape}"
        )
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"the factor is positive and finite, got {factor}")
    for axis in (0, 1):
        size = image.shape[axis]
        taps = (
            _smaller(size, 1 / factor)
            if factor < 1
            else _larger(size, _ceil(size * factor), factor)
        )
        values = torch.from_numpy(image.astype(np.float64))
        resized = _apply(taps, values.movedim(axis, -1), -1).movedim(-1, axis)
        image = (resized + 0.5).floor().clamp(0, 255).numpy().astype(np.uint8)
    return image


@dataclasses.dataclass(frozen=True)
class _Taps:
    """Each of m results is a sum of k of n inputs: indices and weights (m, k), in float64."""

    index: Tensor
    weight: Tensor
    inputs: int

    @functools.cached_property
    @torch.inference_mode(False)
    def transposed(self) -> _Taps:
        """The same weights from the inputs' side, a result at most once for every input."""
        results = len(self.index)
        keys = self.index * results + torch.arange(results)[:, None]
        keys, places = torch.unique(keys.flatten(), return_inverse=True)  # sorted: input by input
        sums = torch.zeros(len(keys), dtype=self.weight.dtype)
        sums.index_add_(0, places, self.weight.flatten())
        row = keys // results
        begins = torch.searchsorted(row, torch.arange(self.inputs))
        column = torch.arange(len(keys)) - begins[row]
        most = int(column.max()) + 1
        index = torch.zeros(self.inputs, most, dtype=torch.long)
        weight = torch.zeros(self.inputs, most, dtype=self.weight.dtype)
        index[row, column] = keys % results
        weight[row, column] = sums
        return _Taps(index, weight, results)


def _apply(taps: _Taps, image: Tensor, dim: int) -> Tensor:
    """Apply taps along a dimension (-2 or -1) of (..., n): one gathered image for every tap."""
    shape = (-1,) + (1,) * (-1 - dim)
    index, weight = taps.index.to(image.device), taps.weight.to(image)
    total = torch.zeros(())
    for tap in range(index.shape[1]):
        part = image.index_select(dim, index[:, tap]) * weight[:, tap].view(shape)
        total = part if tap == 0 else total + part
    return total


def _smaller_size(size: int, scale: float) -> int:
    return _ceil(size / scale)


def _ceil(value: float) -> int:
    """Up to the next whole number, but for what floating point added to one: 69 / 2.3 is 30."""
    return math.ceil(value - 1e-9)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # or what is kept could never be differentiated through
def _smaller(size: int, scale: float) -> _Taps:
    """From ``size`` pixels to as many as fit, ``scale`` times fewer."""
    return _taps(size, _smaller_size(size, scale), step=scale, width=scale)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)
def _larger(size: int, result: int, scale: float) -> _Taps:
    """From ``size`` pixels to ``result``, ``scale`` times closer."""
    return _taps(size, result, step=1 / scale, width=1.0)


def _taps(size: int, result: int, *, step: float, width: float) -> _Taps:
    """Weights of a kernel ``width`` times as wide as a cubic one, at every ``step`` pixels."""
    center = (torch.arange(result, dtype=torch.float64) + 0.5) * step - 0.5
    first = (center - _REACH * width).floor().long()
    index = first[:, None] + torch.arange(math.ceil(2 * _REACH * width) + 2)
    weight = _cubic((center[:, None] - index) / width)
    weight = weight / weight.sum(1, keepdim=True)
    used = (weight != 0).any(0)
    return _Taps(index[:, used].clamp(0, size - 1), weight[:, used], size)


def _cubic(t: Tensor) -> Tensor:
    """Keys (1981), a = -0.5."""
    t = t.abs()
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return torch.where(t <= 1, near, torch.where(t <= 2, far, 0.0))
