"""Enlarge images of any size, number of channels and dtype, within a memory budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rimkit.operators import DownsamplingPart, Window
from rimkit.operators.checks import check_real
from rimkit.pixels import ROWS, Array, check_alike, check_image, to_unit, write_unit
from rimkit.precision import Precision
from rimkit.problem import Problem, SuperResolution, check_level
from rimkit.restoring.restorer import Restorer
from rimkit.rim import RIM, SMALLEST_SIDE

_LARGEST_SCALE = 4.0
_KERNEL = 4  # pixels of the small image under the cubic kernel
_SEEN = 3  # pixels of the small image beyond a cut that bicubic interpolation may look at
_FILLED = 16  # pixels of the small image to fill beyond visible ones: farther out nothing shows


def check_scale(scale: float) -> None:
    """Raise ``ValueError`` unless images can be enlarged by this factor."""
    check_real("scale", scale)
    if not 1 <= scale <= _LARGEST_SCALE:  # refuses NaN, too
        raise ValueError(f"scale is from 1 to {_LARGEST_SCALE:g}, got {scale:g}")


class Upscaler(Restorer):
    """Enlarges images of any size with a model.

    At scale 1 an image stays as it is. Colours hidden under full transparency, often black, are not
    shown to the model: visible colours are extended there, or they would get a dark fringe.

    Parameters
    ----------
    model
        Trained for super-resolution. A grey model takes the channels of a colour image one by one;
        for a colour model, a grey image is repeated three times and the results are averaged.
    scale
        Enlargement factor, from 1 to 4, not necessarily an integer.
    sigma
        Standard deviation of the noise in the small images, where white is 1.
    steps, memory, precision, self_ensemble
        As in `rimkit.restoring.restorer.Restorer`.

    Raises
    ------
    ValueError
        If the scale or sigma is invalid, or the model is in training mode.
    """

    def __init__(
        self,
        model: RIM,
        *,
        scale: float,
        sigma: float,
        steps: int | None = None,
        memory: float = 1e9,
        precision: Precision | Literal["auto"] = "float32",
        self_ensemble: bool = False,
    ) -> None:
        check_scale(scale)
        SuperResolution(scale, sigma=sigma)  # checks its arguments
        check_level(sigma)
        super().__init__(
            model,
            scale=scale,
            steps=steps,
            memory=memory,
            precision=precision,
            self_ensemble=self_ensemble,
        )
        self.sigma = sigma

    def check(self, values: Array) -> None:
        """Raise ``ValueError`` unless this is an image (H, W, C) that can be enlarged."""
        large_enough = max(_KERNEL, math.ceil(SMALLEST_SIDE / self.scale))
        check_image(values, smallest=1 if self.scale == 1 else large_enough)
        if not 1 <= values.shape[2] <= 4:
            raise ValueError(f"images have 1 to 4 channels, got {values.shape[2]}")

    def size(self, values: Array) -> tuple[int, int]:
        """(H, W) of the enlarged image, rounded down."""
        height, width = values.shape[:2]
        return math.floor(height * self.scale + 1e-9), math.floor(width * self.scale + 1e-9)

    def capacity(self, values: Array) -> int:
        """How many images like this one fit into memory at once; 0: it must be tiled."""
        pixels = math.prod(self.size(values))
        each = len(self._parts(values)) * pixels * self._bytes_per_pixel
        return int(self.memory // (self._held(values) + each))

    def upscale(
        self, images: Sequence[Array], *, on_progress: Callable[[float], object] | None = None
    ) -> list[Array]:
        """Enlarge images: together if they fit into memory, else one by one.

        Parameters
        ----------
        images
            (H, W, C), all of the same shape: uint8, uint16, or floating point with black 0 and
            white 1. With two or four channels the last one is alpha, which is enlarged by bicubic
            interpolation and clipped to [0, 1].
        on_progress
            Called from time to time with the fraction of work done, up to 1.

        Returns
        -------
        list
            The enlarged images, of the same dtype; integers are rounded and clipped.

        Raises
        ------
        ValueError
            If the images are invalid, the model sees too far to be run in tiles or diverges, or the
            memory does not suffice.
        """
        for values in images:
            self.check(values)
        check_alike(images)
        if self.scale == 1 or not images:
            return [values.copy() for values in images]
        results = [np.empty((*self.size(i), i.shape[2]), i.dtype) for i in images]
        pairs = list(zip(images, results, strict=True))
        seen = [_visible(values) for values in images]
        parts = [
            _Larger(colours[..., part], x[..., part], self)
            for colours, x in zip(seen, results, strict=True)
            for part in self._parts(colours)
        ]
        spare = self.memory - sum(self._held(values) for values in images)
        self._run(parts, memory=spare, on_progress=on_progress)
        for values, x in pairs:
            alpha = slice(_colours(values), None)
            self._interpolate(values[..., alpha], x[..., alpha])
        return results

    def _held(self, values: Array) -> int:
        """Bytes of an image, of a copy if it has alpha, and of the result."""
        height, width = self.size(values)
        copies = 1 if values.shape[2] == _colours(values) else 2
        return int(copies * values.nbytes + height * width * values.shape[2] * values.itemsize)

    def _parts(self, values: Array) -> list[slice]:
        """Groups of channels that are solved together."""
        colours = _colours(values)
        if self._channels == 1:
            return [slice(channel, channel + 1) for channel in range(colours)]
        return [slice(0, colours)]

    def _interpolate(self, values: Array, result: Array) -> None:
        """Bicubic interpolation, band by band."""
        if values.shape[2] == 0:
            return
        size = height, width = self.size(values)
        beyond = math.ceil(_SEEN * self.scale)
        for top in range(0, height, ROWS):
            end = min(height, top + ROWS)
            rows = slice(max(0, top - beyond), min(height, end + beyond))
            part = _part(self.scale, size, (rows, slice(0, width)))
            x = part.initial(to_unit(values[*part.measured])[None])[0]
            write_unit(result[top:end], x[:, top - rows.start : end - rows.start].clamp(0, 1))


class _Larger:
    """An image (h, w, C) and the array (H, W, C) that receives its estimate."""

    def __init__(self, values: Array, result: Array, upscaler: Upscaler) -> None:
        height, width, channels = result.shape
        self.shape = (upscaler.channels, height, width)
        self.sigma = upscaler.sigma
        self.row_bytes = width * (4 * upscaler.channels + 4 * channels)
        self._scale = upscaler.scale
        self._values, self._result = values, result

    def measurement(self, window: Window | None = None) -> Tensor:
        values = self._values
        if window is not None:
            values = values[*_part(self._scale, self.shape[1:], window).measured]
        return to_unit(values).expand(self.shape[0], -1, -1)

    def problem(self, sigma: Tensor, window: Window | None = None) -> Problem:
        whole = SuperResolution(self._scale, size=self.shape[1:], sigma=sigma)
        if window is None:
            return whole
        return Problem(_part(self._scale, self.shape[1:], window), whole.noise)

    def hold(self, rows: slice) -> None:
        """Do nothing: no input is overwritten."""

    def settle(self, x: Tensor, y: Tensor) -> Tensor:
        return x

    def write(self, top: int, x: Tensor) -> None:
        if self._result.shape[2] < x.shape[0]:
            x = x.mean(0, keepdim=True)
        write_unit(self._result[top : top + x.shape[1]], x)


def _colours(values: Array) -> int:
    return 1 if values.shape[2] < 3 else 3


def _visible(values: Array) -> Array:
    """Return the colours of an image, visible ones extended into fully transparent areas."""
    colours = values[..., : _colours(values)]
    if values.shape[2] == colours.shape[2]:
        return colours
    filled = colours.copy()
    height = len(values)
    for top in range(0, height, ROWS):
        end = min(height, top + ROWS)
        rows = slice(max(0, top - _FILLED), min(height, end + _FILLED))
        known = torch.from_numpy(values[rows, :, -1] > 0)[None].float()
        if 0 < known.mean() < 1:
            x = _spread(to_unit(colours[rows]), known)
            write_unit(filled[top:end], x[:, top - rows.start : end - rows.start])
    return filled


def _spread(x: Tensor, known: Tensor) -> Tensor:
    """Fill unknown pixels of x (C, H, W) with the mean of known neighbours, growing outwards.

    ``known`` (1, H, W) is 1 or 0.
    """
    for _ in range(_FILLED):
        share = F.avg_pool2d(known, 3, stride=1, padding=1)
        means = F.avg_pool2d(x * known, 3, stride=1, padding=1) / share.clamp(min=1 / 9)
        x = torch.where((known == 0) & (share > 0), means, x)
        known = (share > 0).float()
    return x


def _part(scale: float, size: tuple[int, int], window: Window) -> DownsamplingPart:
    rows, columns = ((side.start, side.stop) for side in window)
    return DownsamplingPart(scale, size, (rows, columns))
