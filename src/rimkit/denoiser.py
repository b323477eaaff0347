"""Run a model on images of any size, number of channels and kind, in a given memory."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rimkit.estimation import estimate_sigma
from rimkit.footprint import bytes_per_pixel, give_back
from rimkit.pixels import ROWS, Array, to_unit, white, without_noise, write_unit
from rimkit.problem import Denoising
from rimkit.rim import RIM, SMALLEST_SIDE
from rimkit.tiling import Tile, inside, plan, reach

Sigma = float | Literal["auto"]
Precision = Literal["float32", "bfloat16"]

_LARGEST_SIGMA = 4.0
_MARGIN = 2.1  # what the allocator leaves in holes, and the convolutions take, beside the tensors


@dataclasses.dataclass(frozen=True)
class Noisy:
    """An image that is denoised in place.

    Attributes
    ----------
    values
        (H, W, C): uint8, uint16, or floating with black 0 and white 1. May be a view.
    sigma
        Noise standard deviation where white is 1. At 0 the image stays as it is.
    """

    values: Array
    sigma: float


def noise_level(values: Array, sigma: Sigma = "auto") -> float:
    """Return sigma, or its estimate, of an image (H, W, C) that can be denoised.

    Raises
    ------
    ValueError
        If the image or sigma is not what it should be.
    """
    floating = np.issubdtype(values.dtype, np.floating)
    if not floating and values.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"an image is uint8, uint16 or floating point, got {values.dtype}")
    height, width = values.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"images are at least {SMALLEST_SIDE}x{SMALLEST_SIDE}, got {height}x{width}"
        )
    rows = range(0, height, ROWS)
    if floating and not all(np.isfinite(values[top : top + ROWS]).all() for top in rows):
        raise ValueError("the image holds NaN or infinite values")
    if sigma == "auto":
        kind = np.dtype(np.float32) if floating else values.dtype
        image = torch.from_numpy(values.astype(kind, copy=False)).permute(2, 0, 1)
        level = float(estimate_sigma(image[None])) / white(values)
    else:
        Denoising(sigma)  # which checks it
        level = sigma
    if level > _LARGEST_SIGMA:
        raise ValueError(f"sigma is {level:g} where white is 1; are these grey levels of 255?")
    return level


class Denoiser:
    """A model, and how it is run on images of any size.

    A pixel that equals all pixels of its 7x7 neighbourhood stays what it is: there is no noise.

    Parameters
    ----------
    model
        Trained for denoising. A grey model takes the channels of a colour image one by one.
    steps
        Number of steps; the model's own if None.
    memory
        Bytes that the images and all that is computed may take, beside what the process holds once
        a model has run in it. An attribute: it may be changed.
    precision
        In which the network computes.

    Raises
    ------
    ValueError
        If the model is in training mode.
    """

    def __init__(
        self,
        model: RIM,
        *,
        steps: int | None = None,
        memory: float = 1e9,
        precision: Precision = "float32",
    ) -> None:
        if model.training:
            raise ValueError("the model is in training mode: call model.eval() first")
        self.model = model
        self._steps = model.steps if steps is None else steps
        self.memory = memory
        self._precision = precision
        self._channels = model.config.network.channels
        with self._computing():
            self._bytes_per_pixel = _MARGIN * bytes_per_pixel(model, channels=self._channels)

    def capacity(self, values: Array) -> int:
        """How many images like this one fit into the memory at once; 0: it must be cut."""
        pixels = math.prod(values.shape[:2])
        parts = len(self._parts(values))
        return int(self.memory // (values.nbytes + parts * pixels * self._bytes_per_pixel))

    def together(self, values: Array, *, memory: float | None = None) -> int:
        """How many images, or channels of one, that look like this are solved at once.

        Parameters
        ----------
        values
            (H, W, C) with the channels of the model.
        memory
            Bytes for it; all there are, but for the values, if None.
        """
        memory = self.memory - values.nbytes if memory is None else memory
        return int(memory // (math.prod(values.shape[:2]) * self._bytes_per_pixel))

    def denoise(
        self, images: Sequence[Noisy], *, on_progress: Callable[[float], object] | None = None
    ) -> None:
        """Denoise images in place: together if they fit into the memory, else one by one.

        Parameters
        ----------
        images
            All of one shape.
        on_progress
            Called now and then with the share of the work that is done, up to 1.

        Raises
        ------
        ValueError
            If the model is not one for these images, sees too far to be run in tiles, or diverges,
            or the memory does not suffice.
        """
        images = [image for image in images if image.sigma > 0]  # the others are what they are
        parts = [Noisy(part, i.sigma) for i in images for part in self._parts(i.values)]
        if not parts:
            return
        progress = _Progress(on_progress)
        spare = self.memory - sum(image.values.nbytes for image in images)
        pixels = math.prod(parts[0].values.shape[:2])
        together = self.together(parts[0].values, memory=spare)
        with torch.no_grad(), self._computing():
            if together > 0:
                progress.expect(len(parts) * pixels * self._steps)
                for first in range(0, len(parts), together):
                    self._denoise_whole(parts[first : first + together], progress)
                return
            levels = {part.sigma: part for part in parts}  # the channels of an image share one
            tiles = {sigma: self._plan(part, spare) for sigma, part in levels.items()}
            progress.expect(sum(_area(tiles[part.sigma]) for part in parts) * self._steps)
            give_back()  # what reading the image has left
            for part in parts:
                self._denoise_tiled(part, tiles[part.sigma], progress)
            give_back()  # for writing it

    def _parts(self, values: Array) -> list[Array]:
        """Views of an image that have the channels of the model."""
        channels = values.shape[2]
        if channels == self._channels:
            return [values]
        if self._channels == 1:
            return [values[..., channel : channel + 1] for channel in range(channels)]
        raise ValueError(f"this model takes {self._channels} channels, the image has {channels}")

    def _plan(self, part: Noisy, memory: float) -> list[Tile]:
        height, width, channels = part.values.shape
        # A tile of a by a pixels takes a^2 of these, and buffers of a rows of the image.
        row = width * channels * (4 + 2 * part.values.itemsize)
        each = self._bytes_per_pixel
        side = (math.sqrt(row**2 + 4 * each * max(memory, 0)) - row) / (2 * each)
        overlap = reach(self.model, part.sigma, channels=channels, steps=self._steps)
        try:
            return plan(height, width, pixels=int(side**2), overlap=overlap)
        except ValueError as error:
            raise ValueError(
                f"an image of {width}x{height} needs more memory than {self.memory / 1e6:.0f} MB"
            ) from error

    def _denoise_whole(self, parts: Sequence[Noisy], progress: _Progress) -> None:
        y = torch.stack([to_unit(part.values) for part in parts])
        estimates = self._solve(y, torch.tensor([part.sigma for part in parts]), progress)
        for part, x in zip(parts, estimates, strict=True):
            write_unit(part.values, x)

    def _denoise_tiled(self, part: Noisy, tiles: Sequence[Tile], progress: _Progress) -> None:
        """Go down the image in bands of tiles; what a band still needs is kept from the last."""
        values, sigma = part.values, torch.tensor(part.sigma)
        height, width, channels = values.shape
        bands = [
            list(band) for _, band in itertools.groupby(tiles, lambda tile: tile.kept[0].start)
        ]
        source = values[bands[0][0].outer[0]].copy()
        shared = torch.zeros(channels, 0, width)  # rows on which the last band has worked, too
        for band, following in itertools.zip_longest(bands, bands[1:]):
            outer, kept = band[0].outer[0], band[0].kept[0]
            sums = torch.zeros(channels, kept.stop - kept.start, width)
            sums[:, : shared.shape[1]] = shared
            for tile in band:
                rows, columns = tile.outer
                y = to_unit(source[rows.start - outer.start : rows.stop - outer.start, columns])
                x = self._solve(y[None], sigma, progress)[0]
                sums[..., tile.kept[1]] += tile.weight * x[:, *inside(tile)]
            end = height
            if following:  # its upper rows as they were: these values may have changed
                after, end = following[0].outer[0], following[0].kept[0].start
                fresh = values[outer.stop : after.stop]
                source = np.concatenate([source[after.start - outer.start :], fresh])
            done = end - kept.start
            write_unit(values[kept.start : end], sums[:, :done])
            shared = sums[:, done:].clone()  # a view would keep the whole band
            del sums

    def _solve(self, y: Tensor, sigma: Tensor, progress: _Progress) -> Tensor:
        x = y
        for iterate in self.model.iterate(y, Denoising(sigma), steps=self._steps):
            x = iterate.x
            progress.add(y.shape[0] * math.prod(y.shape[-2:]))
        return torch.where(without_noise(y), y, x)

    def _computing(self) -> contextlib.AbstractContextManager[object]:
        if self._precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast("cpu", torch.bfloat16)


class _Progress:
    """Work in pixels times steps."""

    def __init__(self, listener: Callable[[float], object] | None) -> None:
        self._listener = listener
        self._done = 0
        self._all = 1

    def expect(self, work: int) -> None:
        self._all = max(1, work)

    def add(self, work: int) -> None:
        self._done += work
        if self._listener is not None:
            self._listener(self._done / self._all)


def _area(tiles: Sequence[Tile]) -> int:
    return sum(math.prod(side.stop - side.start for side in tile.outer) for tile in tiles)
