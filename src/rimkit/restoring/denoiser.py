"""Denoise images of any size, number of channels and dtype, within a memory budget."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rimkit.estimation import estimate_sigma, noise_apart
from rimkit.operators import Window
from rimkit.pixels import (
    LEVELS,
    Array,
    check_alike,
    check_image,
    is_floating,
    white,
    without_noise,
)
from rimkit.precision import Precision
from rimkit.problem import Denoising, Problem, check_level
from rimkit.restoring.inplace import InPlace, views
from rimkit.restoring.restorer import Restorer
from rimkit.rim import RIM, SMALLEST_SIDE
from rimkit.trained import knows_levels, least_sigma

Sigma = float | Literal["auto"]


@dataclasses.dataclass(frozen=True)
class Noisy:
    """An image that is denoised in place.

    Attributes
    ----------
    values
        (H, W, C): uint8, uint16, or floating point with black 0 and white 1. May be a view.
    sigma
        Noise standard deviation where white is 1. At 0, and below what a model can remove, the
        image stays as it is.

    Raises
    ------
    ValueError
        If sigma is negative, not finite, or in other units.
    """

    values: Array
    sigma: float

    def __post_init__(self) -> None:
        check_level(self.sigma)


def known_levels(model: RIM, values: Array) -> int | None:
    """Grey levels between black and white of integer images, if the model learned to use them.

    Values in files are clipped and rounded. A model that was trained with a likelihood that
    accounts for this is given it (``levels`` of `rimkit.Denoising`). None for other models and for
    floating point.
    """
    knows = knows_levels(model.training_record) and not is_floating(values)
    return white(values) if knows else None


_SHOWS = 3 / LEVELS
"""From this level on, noise tells more about what channels share than texture does."""
_APART = 0.25
"""Channels whose noise differs by less than this share it (``benchmarks/shared_noise.py``)."""


def shares_noise(values: Array, sigma: float) -> bool:
    """Whether the channels of an image (H, W, C) share most of their noise.

    They do if a grey image was saved in colour, or if chroma was stored at a lower resolution than
    luma, as JPEG mostly does. A colour model mistakes such noise for part of the image; a grey
    model removes it from each channel. At low noise this cannot be told: False.

    Parameters
    ----------
    values
        uint8, uint16, or floating point with black 0 and white 1.
    sigma
        Noise standard deviation, where white is 1.
    """
    if values.shape[2] == 1 or sigma < _SHOWS:
        return False
    return float(noise_apart(_batch(values))) < _APART


def noise_level(values: Array, sigma: Sigma = "auto") -> float:
    """Check an image (H, W, C), and return sigma or its estimate.

    Raises
    ------
    ValueError
        If the image cannot be denoised, or sigma is invalid.
    """
    check_image(values, smallest=SMALLEST_SIDE)
    level = float(estimate_sigma(_batch(values))) / white(values) if sigma == "auto" else sigma
    check_level(level)
    return level


def _batch(values: Array) -> Tensor:
    """Convert (H, W, C) to (1, C, H, W) without scaling."""
    kind = np.dtype(np.float32) if is_floating(values) else values.dtype.newbyteorder("=")
    return torch.from_numpy(values.astype(kind, copy=False)).permute(2, 0, 1)[None]


class Denoiser(Restorer):
    """Denoises images of any size with a model.

    Models that learned to do so treat integers as clipped and rounded (`known_levels`). A pixel
    that equals all others in its 7x7 neighbourhood stays as it is, since it shows no noise. So does
    an image whose sigma is below `least_sigma`.

    Parameters
    ----------
    model
        Trained for denoising. A grey model takes the channels of a colour image one by one.
    steps
        Number of steps; the model's own if None.
    memory
        Bytes that the images and all computation may take, on top of what the process holds once a
        model has run in it. An attribute that may be changed.
    precision
        Precision of the network; ``"auto"``: bfloat16 if the CPU multiplies in it natively, else
        float32.
    self_ensemble
        Whether the model is run in eight orientations (`rimkit.SelfEnsemble`).

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
        precision: Precision | Literal["auto"] = "float32",
        self_ensemble: bool = False,
    ) -> None:
        super().__init__(
            model, steps=steps, memory=memory, precision=precision, self_ensemble=self_ensemble
        )

    @property
    def least_sigma(self) -> float:
        """The least sigma at which the model helps, where white is 1: `trained.least_sigma`."""
        return least_sigma(self.model.training_record)

    def capacity(self, values: Array) -> int:
        """How many images like this one fit into memory at once; 0: it must be tiled."""
        pixels = math.prod(values.shape[:2])
        parts = len(self._parts(values))
        return int(self.memory // (values.nbytes + parts * pixels * self._bytes_per_pixel))

    def together(self, values: Array, *, memory: float | None = None) -> int:
        """How many images of this size, or channels of one, are solved at once.

        Parameters
        ----------
        values
            (H, W, C) with the channels of the model.
        memory
            Bytes available; if None, all of ``self.memory`` except what the values take.
        """
        memory = self.memory - values.nbytes if memory is None else memory
        return int(memory // (math.prod(values.shape[:2]) * self._bytes_per_pixel))

    def denoise(
        self, images: Sequence[Noisy], *, on_progress: Callable[[float], object] | None = None
    ) -> None:
        """Denoise images in place: together if they fit into memory, else one by one.

        Parameters
        ----------
        images
            All of the same shape and depth.
        on_progress
            Called from time to time with the fraction of work done, up to 1.

        Raises
        ------
        ValueError
            If an image cannot be denoised, the images differ in shape or depth, the model cannot
            take them, sees too far to be run in tiles or diverges, or the memory does not suffice.
        """
        for image in images:
            check_image(image.values, smallest=SMALLEST_SIDE)
        least = self.least_sigma
        images = [image for image in images if image.sigma > 0 and image.sigma >= least]
        parts = [
            _Part(part, i.sigma, known_levels(self.model, part))
            for i in images
            for part in self._parts(i.values)
        ]
        if not parts:
            return
        check_alike([image.values for image in images])
        spare = self.memory - sum(image.values.nbytes for image in images)
        self._run(parts, memory=spare, on_progress=on_progress)

    def _parts(self, values: Array) -> list[Array]:
        return views(values, self.channels)


class _Part(InPlace):
    """An image, or one channel of it, overwritten by its estimate."""

    def __init__(self, values: Array, sigma: float, levels: int | None) -> None:
        super().__init__(values, sigma)
        self._levels = levels

    def problem(self, sigma: Tensor, window: Window | None = None) -> Problem:
        return Denoising(sigma, levels=self._levels)

    def settle(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.where(without_noise(y), y, x)
