"""Weights of MATLAB's bicubic kernel along one axis: which inputs each result is a sum of."""

from __future__ import annotations

import dataclasses
import functools
import math

import torch
from torch import Tensor

Range = tuple[int, int]
"""First and one behind the last."""

_REACH = 2  # of the cubic kernel, in pixels


@dataclasses.dataclass(frozen=True)
class Taps:
    """Each of m results is a sum of k of n inputs: indices and weights (m, k), in float64."""

    index: Tensor
    weight: Tensor
    inputs: int

    @functools.cached_property
    @torch.inference_mode(False)
    def transposed(self) -> Taps:
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
        return Taps(index, weight, results)

    def part(self, results: Range, inputs: Range) -> Taps:
        """Of some results, from some inputs alone: what lies beyond those reads as the last one."""
        first, end = inputs
        index = (self.index[slice(*results)] - first).clamp(0, end - first - 1)
        return Taps(index, self.weight[slice(*results)], end - first)


def apply(taps: Taps, image: Tensor, dim: int) -> Tensor:
    """Apply taps along a dimension (-2 or -1) of (..., n): one gathered image for every tap."""
    shape = (-1,) + (1,) * (-1 - dim)
    index, weight = taps.index.to(image.device), taps.weight.to(image)
    total = torch.zeros(())
    for tap in range(index.shape[1]):
        part = image.index_select(dim, index[:, tap]) * weight[:, tap].view(shape)
        total = part if tap == 0 else total + part
    return total


def smaller_size(size: int, scale: float) -> int:
    """How many pixels there are after making so many ``scale`` times fewer."""
    return ceil(size / scale)


def ceil(value: float) -> int:
    """Up to the next whole number, but for what floating point added to one: 69 / 2.3 is 30."""
    return math.ceil(value - 1e-9)


@functools.lru_cache(maxsize=256)
@torch.inference_mode(False)  # or what is kept could never be differentiated through
def smaller(size: int, scale: float) -> Taps:
    """From ``size`` pixels to as many as fit, ``scale`` times fewer."""
    return _taps(size, smaller_size(size, scale), step=scale, width=scale)


@functools.lru_cache(maxsize=256)
@torch.inference_mode(False)
def larger(size: int, result: int, scale: float) -> Taps:
    """From ``size`` pixels to ``result``, ``scale`` times closer."""
    return _taps(size, result, step=1 / scale, width=1.0)


@functools.lru_cache(maxsize=256)
@torch.inference_mode(False)
def smaller_part(size: int, scale: float, results: Range, inputs: Range) -> Taps:
    """A part of `smaller`."""
    return smaller(size, scale).part(results, inputs)


def _taps(size: int, result: int, *, step: float, width: float) -> Taps:
    """Weights of a kernel ``width`` times as wide as a cubic one, at every ``step`` pixels."""
    center = (torch.arange(result, dtype=torch.float64) + 0.5) * step - 0.5
    first = (center - _REACH * width).floor().long()
    index = first[:, None] + torch.arange(math.ceil(2 * _REACH * width) + 2)
    weight = _cubic((center[:, None] - index) / width)
    weight = weight / weight.sum(1, keepdim=True)
    used = (weight != 0).any(0)
    return Taps(index[:, used].clamp(0, size - 1), weight[:, used], size)


def _cubic(t: Tensor) -> Tensor:
    """Keys (1981), a = -0.5."""
    t = t.abs()
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return torch.where(t <= 1, near, torch.where(t <= 2, far, 0.0))
