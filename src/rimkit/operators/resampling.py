"""Downsampling and upsampling like MATLAB's ``imresize`` with its bicubic kernel."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rimkit import tree
from rimkit.operators.base import Window
from rimkit.operators.checks import check_image, check_real, check_size
from rimkit.operators.taps import (
    Range,
    Taps,
    apply,
    ceil,
    larger,
    smaller,
    smaller_part,
    smaller_size,
)


@tree.register
@dataclasses.dataclass(frozen=True)
class Downsampling:
    """A x = x downsampled: antialiased bicubic, replicated border, no rounding.

    Kernel of Keys (1981), a = -0.5, widened by the scale. y has ceil(H / scale) rows.

    Parameters
    ----------
    scale
        How many times larger x is than y, at least 1; need not be an integer.
    size
        (H, W) of x, if it is not scale times the size of y, rounded down.

    Raises
    ------
    ValueError
        If the scale is below 1 or not finite, or the size is not two positive integers.
    """

    scale: float
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        _check_scale(self.scale)
        if self.size is not None:
            check_size(self.size)
            object.__setattr__(self, "size", tuple(self.size))

    def A(self, x: Tensor) -> Tensor:
        """Downsample x (N, C, H, W)."""
        check_image("x", x)
        height, width = x.shape[-2:]
        if self.size is not None and (height, width) != self.size:
            raise ValueError(f"x must have size {self.size}, got shape {tuple(x.shape)}")
        return _resized(x, smaller(height, self.scale), smaller(width, self.scale))

    def A_adjoint(self, y: Tensor) -> Tensor:
        """The transpose: map y (N, C, h, w) to the size of x."""
        height, width = self._size_of_x(y)
        down, across = smaller(height, self.scale), smaller(width, self.scale)
        return _resized(y, down.transposed, across.transposed)

    def initial(self, y: Tensor) -> Tensor:
        """Start at y upsampled by bicubic interpolation."""
        height, width = self._size_of_x(y)
        down, across = y.shape[-2:]
        return _resized(y, larger(down, height, self.scale), larger(across, width, self.scale))

    def crop(self, y: Tensor, window: Window) -> tuple[DownsamplingPart, Tensor]:
        """Crop y (N, C, h, w) to the pixels that lie over a window of x.

        The window need not be aligned with the scale: every pixel of y keeps its position over x,
        to a fraction of a pixel.
        """
        size = self._size_of_x(y)
        rows, columns = (
            side.indices(length)[:2] for side, length in zip(window, size, strict=True)
        )
        part = DownsamplingPart(self.scale, size, (rows, columns))
        return part, y[..., *part.measured]

    def _largest(self, small: tuple[int, ...]) -> tuple[int, int]:
        """Default size of x for a y of this size."""
        height, width = (int(side * self.scale + 1e-9) for side in small)
        return height, width

    def _size_of_x(self, y: Tensor) -> tuple[int, int]:
        height, width = self.size or self._largest(tuple(y.shape[-2:]))
        expected = smaller_size(height, self.scale), smaller_size(width, self.scale)
        if tuple(y.shape[-2:]) != expected:
            raise ValueError(
                f"at scale {self.scale:g} an image of {height}x{width} needs a y of "
                f"{expected[0]}x{expected[1]}, got shape {tuple(y.shape)}"
            )
        return height, width


@tree.register
@dataclasses.dataclass(frozen=True)
class DownsamplingPart:
    """`Downsampling` of a part of x; beyond the cuts the border pixels are replicated.

    Parameters
    ----------
    scale, size
        Of the whole image.
    window
        Rows and columns of x, each as the first and one past the last.

    Raises
    ------
    ValueError
        If the scale is below 1 or not finite, the size is not two positive integers, or the window
        is not within it.
    """

    scale: float
    size: tuple[int, int]
    window: tuple[Range, Range]

    def __post_init__(self) -> None:
        _check_scale(self.scale)
        check_size(self.size)
        sides = zip(self.window, self.size, strict=True)
        if not all(0 <= first < end <= side for (first, end), side in sides):
            raise ValueError(
                f"window must be a non-empty part of an image of {self.size}, got rows, columns "
                f"{self.window}"
            )

    @property
    def measured(self) -> Window:
        """Rows and columns of the whole y that belong to the part: their centres lie in it."""
        rows, columns = self._measured()
        return slice(*rows), slice(*columns)

    def A(self, x: Tensor) -> Tensor:
        """Downsample the part x (N, C, H, W)."""
        self._check("x", x, [end - first for first, end in self.window])
        return _resized(x, *self._smaller())

    def A_adjoint(self, y: Tensor) -> Tensor:
        """The transpose: map the part of y (N, C, h, w) to the size of the window."""
        self._check("y", y, [end - first for first, end in self._measured()])
        return _resized(y, *(taps.transposed for taps in self._smaller()))

    def initial(self, y: Tensor) -> Tensor:
        """Start at y upsampled by bicubic interpolation."""
        self._check("y", y, [end - first for first, end in self._measured()])
        down, across = (
            larger(smaller_size(size, self.scale), size, self.scale).part(window, measured)
            for size, window, measured in zip(self.size, self.window, self._measured(), strict=True)
        )
        return _resized(y, down, across)

    def _check(self, name: str, value: Tensor, sides: list[int]) -> None:
        check_image(name, value)
        if list(value.shape[-2:]) != sides:
            raise ValueError(
                f"{name} of this window must be {sides[0]}x{sides[1]}, got shape "
                f"{tuple(value.shape)}"
            )

    def _smaller(self) -> Iterator[Taps]:
        for size, window, measured in zip(self.size, self.window, self._measured(), strict=True):
            yield smaller_part(size, self.scale, measured, window)

    def _measured(self) -> list[Range]:
        return [
            (_nearest(first / self.scale), _nearest(end / self.scale))
            if end < size
            else (_nearest(first / self.scale), smaller_size(size, self.scale))
            for size, (first, end) in zip(self.size, self.window, strict=True)
        ]


def matlab_imresize(image: npt.NDArray[np.uint8], factor: float) -> npt.NDArray[np.uint8]:
    """MATLAB's ``imresize`` on 8-bit images, bicubic and antialiased, bit-exact.

    Rows first, rounded and clipped to 8 bits after each of the two passes: not a linear map.
    Borders are replicated, as in the test files of Huang et al. (2015).

    Parameters
    ----------
    image
        (H, W) or (H, W, C).
    factor
        Size factor, positive: 0.5 halves, 2 doubles; sizes are rounded up.

    Raises
    ------
    ValueError
        If the image is not 8-bit or has another rank, or the factor is not positive.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(
            f"an 8-bit image (H, W) or (H, W, C) is needed, got {image.dtype} {image.shape}"
        )
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"the factor must be positive and finite, got {factor}")
    for axis in (0, 1):
        size = image.shape[axis]
        taps = (
            smaller(size, 1 / factor) if factor < 1 else larger(size, ceil(size * factor), factor)
        )
        values = torch.from_numpy(image.astype(np.float64))
        resized = apply(taps, values.movedim(axis, -1), -1).movedim(-1, axis)
        image = (resized + 0.5).floor().clamp(0, 255).numpy().astype(np.uint8)
    return image


def _resized(image: Tensor, down: Taps, across: Taps) -> Tensor:
    """Rows first, as MATLAB does."""
    check_image("the image", image)
    return apply(across, apply(down, image, -2), -1)


def _check_scale(scale: float) -> None:
    check_real("scale", scale)
    if not (math.isfinite(scale) and scale >= 1):
        raise ValueError(f"scale must be at least 1, got {scale}")


def _nearest(value: float) -> int:
    return math.floor(value + 0.5)
