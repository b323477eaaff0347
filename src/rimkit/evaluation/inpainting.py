"""The inpainting protocol: which pixels are missing, what is seen of an image, and scores."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rimkit.data.patches import seeded
from rimkit.evaluation.images import CleanImage
from rimkit.evaluation.quality import Quality
from rimkit.metrics import psnr, ssim
from rimkit.noises import GaussianNoise
from rimkit.operators import Mask
from rimkit.pixels import LEVELS, Bytes, from_unit, to_unit
from rimkit.problem import Problem
from rimkit.tasks.inpainting import stroke_count

_SEED = 61

FEW, MANY = 0.5, 0.8
"""Shares of pixels missing at scattered places."""

DENSITY = 1.5
"""Strokes per thousand pixels."""

WIDTH = (1.0, 10.0)
"""Smallest and largest width of a stroke, in pixels."""

LENGTH = (0.0, 60.0)
"""Smallest and largest length of a stroke, in pixels."""

Draw = Callable[[tuple[int, int], torch.Generator], Mask]
"""Maps (H, W) to the mask of one image."""


@dataclasses.dataclass(frozen=True)
class Holes:
    """Which pixels are missing, in all channels alike, and the noise on the others.

    Attributes
    ----------
    name
        Short name, for files and settings.
    title
        Display name.
    draw
        Draws the mask.
    sigma
        Noise standard deviation in grey levels; 0: what is seen is the 8-bit image itself.
    """

    name: str
    title: str
    draw: Draw
    sigma: float = 0.0

    def measure(self, image: CleanImage) -> Seen:
        """Measure an 8-bit image (1, 3, H, W), identically for every method."""
        height, width = image.x.shape[-2:]
        generator = seeded(_SEED, image.seed, *self.name.encode())
        operator = self.draw((height, width), generator)
        noise = GaussianNoise(self.sigma / LEVELS)
        y = operator.A(noise.sample(image.x, generator=generator))
        return Seen(image.name, self, from_unit(image.x[0]), operator.mask, y)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What is seen of a test image.

    Attributes
    ----------
    image
        Its name.
    holes
        How it was made.
    truth
        8-bit (H, W, 3).
    mask
        (1, 1, H, W), 1 where a pixel is seen and 0 where it is missing.
    y
        (1, 3, H, W), with white at 1; 0 where a pixel is missing.
    """

    image: str
    holes: Holes
    truth: Bytes
    mask: Tensor
    y: Tensor

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """(H, W): where the holes are."""
        missing: npt.NDArray[np.bool_] = (self.mask[0, 0] == 0).numpy()
        return missing

    @property
    def share(self) -> float:
        """Share of missing pixels."""
        return float(self.missing.mean())

    def problem(self, sigma: float) -> Problem:
        """The problem by which y was made, with sigma in units in which white is 1."""
        return Problem(Mask(self.mask), GaussianNoise(sigma))

    def settle(self, x: Tensor) -> Bytes:
        """Round an estimate (1, 3, H, W) to 8 bits (H, W, 3).

        Without noise, the pixels that are seen are put back.
        """
        kept = x if self.holes.sigma else torch.where(self.mask > 0, self.y, x)
        return from_unit(kept[0])


def score(estimate: Bytes, seen: Seen) -> Quality:
    """Score over all pixels and channels.

    Parameters
    ----------
    estimate
        8-bit (H, W, 3), of the same size as the truth.
    seen
        What it was made from.

    Raises
    ------
    ValueError
        If the estimate has a different size.
    """
    if estimate.shape != seen.truth.shape:
        raise ValueError(f"the truth is {seen.truth.shape}, the estimate {estimate.shape}")
    x, truth = (to_unit(image)[None] for image in (estimate, seen.truth))
    return Quality(psnr(x, truth).item(), ssim(x, truth).item())


def _scattered(share: float, size: tuple[int, int], generator: torch.Generator) -> Mask:
    return Mask.scattered(share, size, generator=generator)


def _strokes(size: tuple[int, int], generator: torch.Generator) -> Mask:
    count = stroke_count(DENSITY, size)
    return Mask.strokes(count, size, width=WIDTH, length=LENGTH, generator=generator)


STROKES = Holes("strokes", "strokes", _strokes)
FOUR_FIFTHS = Holes("four-fifths", "four fifths", functools.partial(_scattered, MANY))
HOLES = (
    Holes("half", "half of the pixels", functools.partial(_scattered, FEW)),
    FOUR_FIFTHS,
    STROKES,
    Holes("half-noisy", "half, sigma 10", functools.partial(_scattered, FEW), sigma=10.0),
)
"""What is measured: shares and densities are those at which `InpaintingTask` is validated."""
