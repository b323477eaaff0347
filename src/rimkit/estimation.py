"""Blind estimation of the noise level of an image."""

from __future__ import annotations

import torch
from torch import Tensor

_PATCH = 8
_MOST_PATCHES = 200_000
_ROWS = 512  # looked at together


def estimate_sigma(y: Tensor) -> Tensor:
    """Standard deviation of white Gaussian noise in each image, in the units of y.

    Chen, Zhu and Heng (ICCV 2015): clean patches lie near a subspace, so that the smallest
    eigenvalues of the covariance of noisy patches are all sigma^2; eigenvalues are dropped from the
    top until the mean of the rest is their median.

    Parameters
    ----------
    y
        Images (N, C, H, W) of at least 8x8 pixels, floating or whole numbers; the channels of an
        image share one sigma.

    Returns
    -------
    Tensor
        (N,), not negative; float32 for whole numbers, else in y's dtype.

    Raises
    ------
    ValueError
        If y is no batch of images of that size, or holds NaN or infinite values.
    """
    if y.ndim != 4:
        raise ValueError(f"y is (N, C, H, W), got {tuple(y.shape)}")
    height, width = y.shape[-2:]
    if min(height, width) < _PATCH:
        raise ValueError(f"images are at least {_PATCH}x{_PATCH}, got {height}x{width}")
    if not all(rows.isfinite().all() for rows in torch.split(y, _ROWS, -2)):
        raise ValueError("y holds NaN or infinite values")
    return torch.stack([_estimate(image) for image in y])


def _estimate(image: Tensor) -> Tensor:
    windows = image.unfold(1, _PATCH, 1).unfold(2, _PATCH, 1)  # a view: (C, H', W', 8, 8)
    count = windows[..., 0, 0].numel()
    chosen = torch.arange(0, count, -(-count // _MOST_PATCHES), device=image.device)
    channel, row, column = torch.unravel_index(chosen, windows.shape[:3])
    patches = windows[channel, row, column].flatten(1).T.double()
    patches = patches - patches.mean(1, keepdim=True)
    covariance = patches @ patches.T / patches.shape[1]
    eigenvalues = torch.linalg.eigvalsh(covariance)
    for count in range(eigenvalues.numel(), 0, -1):
        rest = eigenvalues[:count]
        if rest.mean() <= rest.median():
            break
    sigma: Tensor = rest.mean().clamp(min=0).sqrt()
    dtype = image.dtype if image.is_floating_point() else torch.float32
    return sigma.to(dtype)
