"""The super-resolution protocol (Huang et al. 2015): inputs, and scores on luma.

Inputs are the cropped test images, downscaled as by MATLAB's ``imresize`` and bitwise equal to the
published ones, so no files but BSDS300 itself are needed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from rimkit.data import bsds300
from rimkit.data.images import load_bytes
from rimkit.evaluation.quality import Quality
from rimkit.metrics import psnr, ssim
from rimkit.operators import matlab_imresize
from rimkit.pixels import LEVELS, Bytes, to_unit
from rimkit.problem import Problem, SuperResolution

# MATLAB's rgb2ycbcr, for colours of 255 levels.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_BLACK = 16


@dataclasses.dataclass(frozen=True)
class Pair:
    """A test image and its downscaled version.

    Attributes
    ----------
    image
        Its name.
    scale
        Downscaling factor.
    truth
        8-bit (H, W, 3), cropped at the right and the bottom to what the small image covers.
    small
        8-bit (h, w, 3).
    """

    image: str
    scale: float
    truth: Bytes
    small: Bytes

    @property
    def y(self) -> Tensor:
        """The small image (1, 3, h, w) in [0, 1]."""
        return to_unit(self.small)[None]

    def problem(self, sigma: float) -> Problem:
        """The problem by which it was made; sigma (white is 1) stands for its rounding."""
        height, width = self.truth.shape[:2]
        return SuperResolution(self.scale, size=(height, width), sigma=sigma)


def make_pair(image: str, whole: Bytes, scale: float) -> Pair:
    """Crop an image (H, W, 3) and downscale it."""
    height, width = (
        math.floor(math.floor(side / scale + 1e-9) * scale + 1e-9) for side in whole.shape[:2]
    )
    truth = np.ascontiguousarray(whole[:height, :width])
    return Pair(image, scale, truth, matlab_imresize(truth, 1 / scale))


def load_pairs(scale: float, count: int = 100) -> Iterator[Pair]:
    """Yield the first ``count`` test images of BSDS300 with their downscaled versions."""
    for path in bsds300.image_paths("test")[:count]:
        yield make_pair(path.stem, load_bytes(path, channels=3).transpose(1, 2, 0), scale)


def bicubic(pair: Pair) -> Bytes:
    """Upscale the small image as for the published row, with MATLAB's ``imresize``.

    At a scale that is not an integer, the result may be a row or a column larger than the truth;
    it is cropped there.
    """
    height, width = pair.truth.shape[:2]
    return matlab_imresize(pair.small, pair.scale)[:height, :width]


def luma(image: Bytes) -> Bytes:
    """Convert 8-bit (H, W, 3) to Y (H, W), rounded as MATLAB's ``rgb2ycbcr`` does: 16 to 235."""
    rounded: Bytes = np.floor(image @ _LUMA + _BLACK + 0.5).astype(np.uint8)
    return rounded


def score_luma(estimate: Bytes, pair: Pair) -> Quality:
    """Score luma, after shaving as many pixels as the scale from every border.

    Parameters
    ----------
    estimate
        8-bit (H, W, 3), of the same size as the truth.
    pair
        What it is an estimate of.

    Raises
    ------
    ValueError
        If the estimate has a different size.
    """
    if estimate.shape != pair.truth.shape:
        raise ValueError(f"the truth is {pair.truth.shape}, the estimate {estimate.shape}")
    shave = math.ceil(pair.scale)
    x, truth = (
        torch.from_numpy(luma(image)[shave:-shave, shave:-shave] / LEVELS)[None, None]
        for image in (estimate, pair.truth)
    )
    return Quality(psnr(x, truth).item(), ssim(x, truth).item())


def difference_sigma(pair: Pair) -> float:
    """RMS difference between a small image and what the linear operator gives, in grey levels.

    This is what sigma has to stand for.
    """
    x = to_unit(pair.truth)[None].double()
    z = pair.problem(0.0).operator.A(x)
    return float((pair.y.double() - z).square().mean().sqrt() * LEVELS)
