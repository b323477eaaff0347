"""Fill in missing pixels of images of any size, channel count and dtype, in limited memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rimkit.noises import GaussianNoise
from rimkit.operators import Mask, Window
from rimkit.pixels import Array, check_alike, check_image
from rimkit.precision import Precision
from rimkit.problem import Problem, check_level
from rimkit.restoring.holes import GuessedMask, Holed, mask_of
from rimkit.restoring.inplace import InPlace, views
from rimkit.restoring.restorer import Restorer
from rimkit.restoring.tiling import PROBE
from rimkit.rim import RIM, SMALLEST_SIDE
from rimkit.trained import inpainting_sigma

_SCATTERED = 0.8  # fraction missing in the problem on which the overlap of tiles is measured
_HOLE = 16  # width of the long hole in it, in pixels


class Inpainter(Restorer):
    """Fills in missing pixels of images of any size with a model.

    A missing pixel is missing in all channels. For a colour model, a grey image is repeated three
    times and the results are averaged; a grey model takes the channels of a colour image one by
    one.

    Parameters
    ----------
    model
        Trained for inpainting.
    sigma
        Noise standard deviation of the known pixels, where white is 1: they are denoised, too. None
        or 0: there is no noise, and they stay as they are.
    steps, memory, precision, self_ensemble
        As in `rimkit.restoring.restorer.Restorer`.

    Raises
    ------
    ValueError
        If sigma is invalid, or the model is in training mode.
    """

    def __init__(
        self,
        model: RIM,
        *,
        sigma: float | None = None,
        steps: int | None = None,
        memory: float = 1e9,
        precision: Precision | Literal["auto"] = "float32",
        self_ensemble: bool = False,
    ) -> None:
        if sigma is not None:
            check_level(sigma)
        super().__init__(
            model, steps=steps, memory=memory, precision=precision, self_ensemble=self_ensemble
        )
        self.keeps = not sigma
        """Whether the known pixels stay as they are."""
        self.sigma = sigma or inpainting_sigma(model.training_record)
        """Noise level that the likelihood is given, where white is 1."""

    def check(self, image: Holed) -> None:
        """Raise ``ValueError`` unless this is an image that can be filled."""
        check_image(image.values, smallest=SMALLEST_SIDE, missing=image.missing)
        self._parts(image.values)

    def capacity(self, values: Array) -> int:
        """How many images like this one fit into memory at once; 0: it must be tiled."""
        each = len(self._parts(values)) * math.prod(values.shape[:2]) * self._bytes_per_pixel
        return int(self.memory // (_held(values) + each))

    def fill(
        self, images: Sequence[Holed], *, on_progress: Callable[[float], object] | None = None
    ) -> None:
        """Fill images in place: together if they fit into memory, else one by one.

        Parameters
        ----------
        images
            All of the same shape and depth.
        on_progress
            Called from time to time with the fraction of work done, up to 1.

        Raises
        ------
        ValueError
            If an image cannot be filled, the images differ in shape or depth, the model sees too
            far to be run in tiles or diverges, or the memory does not suffice. The holes may then
            contain a first guess, or be partly filled.
        """
        for image in images:
            self.check(image)
        images = [image for image in images if image.missing.any() or not self.keeps]
        if not images:
            return
        check_alike([image.values for image in images])
        for image in images:
            image.guess()
        parts = [
            _Part(part, image.missing, self)
            for image in images
            for part in self._parts(image.values)
        ]
        spare = self.memory - sum(_held(image.values) for image in images)
        self._run(parts, memory=spare, on_progress=on_progress)

    def _parts(self, values: Array) -> list[Array]:
        return views(values, self.channels, shows_grey=True)

    def _probe(self, sigma: float) -> Problem:
        """Return a problem with scattered holes above and one long hole down the middle below."""
        generator = torch.Generator().manual_seed(0)
        mask = Mask.scattered(_SCATTERED, PROBE, generator=generator).mask
        height, width = PROBE
        mask[..., height // 2 :, :] = 1
        mask[..., height // 2 :, (width - _HOLE) // 2 : (width + _HOLE) // 2] = 0
        return Problem(Mask(mask), GaussianNoise(sigma))


class _Part(InPlace):
    """An image, or one channel of it, whose holes hold a first guess."""

    def __init__(self, values: Array, missing: Array, inpainter: Inpainter) -> None:
        super().__init__(values, inpainter.sigma, channels=inpainter.channels)
        self._missing = missing
        self._keeps = inpainter.keeps

    def measurement(self, window: Window | None = None) -> Tensor:
        whole = super().measurement(window)
        return torch.where(self._mask(window)[0] > 0, whole, 0.0)

    def problem(self, sigma: Tensor, window: Window | None = None) -> Problem:
        guess = super().measurement(window)[None]
        return Problem(GuessedMask(self._mask(window), guess), GaussianNoise(sigma))

    def settle(self, x: Tensor, y: Tensor) -> Tensor:
        return x

    def write(self, top: int, x: Tensor) -> None:
        rows = self._values[top : top + x.shape[1]]
        before = rows.copy() if self._keeps else None
        super().write(top, x)
        if before is not None:
            seen = ~self._missing[top : top + x.shape[1], :, None]
            np.copyto(rows, before, where=seen)

    def _mask(self, window: Window | None) -> Tensor:
        return mask_of(self._missing if window is None else self._missing[*window])


def _held(values: Array) -> int:
    """Bytes of an image and of the mask of its holes."""
    return int(values.nbytes + math.prod(values.shape[:2]))
