"""Weights of MATLAB's bicubic kernel along one axis, and the inputs that each result sums."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Range = tuple[int, int]
"""First and one past the last."""

_REACH = 2  # radius of the cubic kernel, in pixels


@dataclasses.dataclass(frozen=True)
class Taps:
    """Each of m results is a weighted sum of k of n inputs: indices and float64 weights (m, k).

    Numpy arrays, since they are cached: a tensor would be tied to the mode it was first created in,
    such as an export, and would break later users.
    """

    index: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]
    inputs: int

    @functools.cached_property
    def transposed(self) -> Taps:
        """The same weights from the inputs' side, with each result at most once per input."""
        results = len(self.index)
        keys = self.index * results + np.arange(results)[:, None]
        keys, places = np.unique(keys.ravel(), return_inverse=True)  # sorted: input by input
        sums = np.bincount(places.ravel(), self.weight.ravel(), len(keys))
        row = keys // results
        begins = np.searchsorted(row, np.arange(self.inputs))
        column = np.arange(len(keys)) - begins[row]
        most = int(column.max()) + 1
        index = np.zeros((self.inputs, most), dtype=np.int64)
        weight = np.zeros((self.inputs, most))
        index[row, column] = keys % results
        weight[row, column] = sums
        return Taps(index, weight, results)

    def part(self, results: Range, inputs: Range) -> Taps:
        """Taps of some results from some inputs only; inputs beyond those repeat the outermost."""
        first, end = inputs
        index = (self.index[slice(*results)] - first).clip(0, end - first - 1)
        return Taps(index, self.weight[slice(*results)], end - first)


def apply(taps: Taps, image: Tensor, dim: int) -> Tensor:
    """Apply taps along a dimension (-2 or -1) of (..., n): one gathered image per tap."""
    shape = (-1,) + (1,) * (-1 - dim)
    index = torch.from_numpy(taps.index).to(image.device)
    weight = torch.from_numpy(taps.weight).to(image)
    total = torch.zeros(())
    for tap in range(index.shape[1]):
        part = image.index_select(dim, index[:, tap]) * weight[:, tap].view(shape)
        total = part if tap == 0 else total + part
    return total


def smaller_size(size: int, scale: float) -> int:
    """Number of pixels after downsampling ``size`` pixels by ``scale``."""
    return ceil(size / scale)


def ceil(value: float) -> int:
    """Round up to an integer, tolerating floating-point error: 69 / 2.3 is 30."""
    return math.ceil(value - 1e-9)


@functools.lru_cache(maxsize=256)
def smaller(size: int, scale: float) -> Taps:
    """Taps that downsample ``size`` pixels by ``scale``."""
    return _taps(size, smaller_size(size, scale), step=scale, width=scale)


@functools.lru_cache(maxsize=256)
def larger(size: int, result: int, scale: float) -> Taps:
    """Taps that upsample ``size`` pixels by ``scale`` to ``result``."""
    return _taps(size, result, step=1 / scale, width=1.0)


@functools.lru_cache(maxsize=256)
def smaller_part(size: int, scale: float, results: Range, inputs: Range) -> Taps:
    """A part of `smaller`."""
    return smaller(size, scale).part(results, inputs)


def _taps(size: int, result: int, *, step: float, width: float) -> Taps:
    """Taps of the cubic kernel, widened by ``width``, at every ``step`` pixels."""
    center = (np.arange(result, dtype=np.float64) + 0.5) * step - 0.5
    first = np.floor(center - _REACH * width).astype(np.int64)
    index = first[:, None] + np.arange(math.ceil(2 * _REACH * width) + 2)
    weight = _cubic((center[:, None] - index) / width)
    weight = weight / weight.sum(1, keepdims=True)
    used = (weight != 0).any(0)
    return Taps(index[:, used].clip(0, size - 1), weight[:, used], size)


def _cubic(t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Keys (1981), a = -0.5."""
    t = np.abs(t)
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, near, np.where(t <= 2, far, 0.0))
