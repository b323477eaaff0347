"""Image quality: PSNR and SSIM, one value per image and never pooled over images."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from rimkit.pixels import LEVELS

SMALLEST = 11
"""Side of the window of `ssim` in pixels, and so of the smallest image that it accepts."""

HIGHEST = 10 * math.log10(12 * LEVELS**2)
"""Highest PSNR counted for a patch of an 8-bit image, in dB: its truth is known up to rounding.

Without this bound, one white patch restored without error would make every mean infinite.
"""

_WIDTH, _K1, _K2 = 1.5, 0.01, 0.03
_SLACK = 1e-3  # permitted overshoot of interpolation


def psnr(x: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, with the mean squared error over all channels.

    Parameters
    ----------
    x
        Estimate (N, C, H, W); clipped to [0, 1] first.
    truth
        (N, C, H, W) in [0, 1].

    Returns
    -------
    Tensor
        (N,), infinite where the two are equal.

    Raises
    ------
    ValueError
        If they are not floating-point tensors or not batches of images of the same shape, or truth
        does not lie in [0, 1].
    """
    _check(x, truth)
    error = (x.clamp(0, 1).double() - truth.double()).square().flatten(1).mean(1)
    return -10 * error.log10()


def ssim(x: Tensor, truth: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004).

    11x11 Gaussian window with standard deviation 1.5, K = 0.01 and 0.03, evaluated only where the
    window fits; averaged over positions and channels.

    Parameters
    ----------
    x
        Estimate (N, C, H, W), at least 11x11; clipped to [0, 1] first.
    truth
        (N, C, H, W) in [0, 1].

    Returns
    -------
    Tensor
        (N,), at most 1.

    Raises
    ------
    ValueError
        If they are not floating-point tensors, not batches of images of the same shape, or smaller
        than the window, or truth does not lie in [0, 1].
    """
    _check(x, truth)
    if min(x.shape[-2:]) < SMALLEST:
        raise ValueError(f"SSIM needs at least {SMALLEST}x{SMALLEST} pixels, got {tuple(x.shape)}")
    a, b = x.clamp(0, 1).double(), truth.double()
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a = _blur(a * a) - mean_a**2
    variance_b = _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    c1, c2 = _K1**2, _K2**2
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    )
    return similarity.flatten(1).mean(1)


def _blur(image: Tensor) -> Tensor:
    offsets = torch.arange(SMALLEST, dtype=image.dtype, device=image.device) - SMALLEST // 2
    profile = torch.exp(-offsets.square() / (2 * _WIDTH**2))
    profile = profile / profile.sum()
    planes = image.flatten(0, 1)[:, None]
    planes = F.conv2d(planes, profile.view(1, 1, -1, 1))
    blurred = F.conv2d(planes, profile.view(1, 1, 1, -1))
    return blurred.view(*image.shape[:2], *blurred.shape[2:])


def _check(x: Tensor, truth: Tensor) -> None:
    if not (isinstance(x, Tensor) and isinstance(truth, Tensor)):
        raise ValueError(
            "estimate and truth must be torch.Tensors (N, C, H, W), got "
            f"{type(x).__name__} and {type(truth).__name__}"
        )
    if x.shape != truth.shape or x.ndim != 4:
        raise ValueError(
            "estimate and truth must have the same shape (N, C, H, W), "
            f"got {tuple(x.shape)} and {tuple(truth.shape)}"
        )
    if not (x.is_floating_point() and truth.is_floating_point()):
        raise ValueError(
            f"images must be floating point, got {x.dtype} and {truth.dtype}: divide bytes by 255"
        )
    if truth.numel() and not (truth.min() >= -_SLACK and truth.max() <= 1 + _SLACK):
        raise ValueError(
            f"truth must lie in [0, 1], got {truth.min().item():g} to {truth.max().item():g}"
        )
