"""A first guess at pixels that are missing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def fill(y: Tensor, mask: Tensor) -> Tensor:
    """Return y where it is seen, and means of seen pixels elsewhere, the nearest there are.

    The image is halved until every hole is closed, and each hole takes the finest size at which
    something is seen in it; in between is interpolated (Gortler et al. 1996, "The Lumigraph").

    Parameters
    ----------
    y
        (N, C, H, W).
    mask
        (N or 1, C or 1, H, W), 1 where a pixel is seen and 0 where it is missing. Where a channel
        of a sample is all missing it stays 0.
    """
    share = mask.to(y).expand_as(y)
    sums = y * share
    sizes = [(sums, share)]
    while max(sums.shape[-2:]) > 1 and not (share > 0).all():
        sums, share = _half(sums), _half(share)
        sizes.append((sums, share))
    x = _mean(*sizes.pop())
    for sums, share in reversed(sizes):
        between = F.interpolate(x, size=sums.shape[-2:], mode="bilinear", align_corners=False)
        x = torch.where(share > 0, _mean(sums, share), between)
    return x


def _half(image: Tensor) -> Tensor:
    """Means of 2x2 pixels, and of what is left of them at the end of an odd side."""
    return F.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)


def _mean(sums: Tensor, share: Tensor) -> Tensor:
    """Of the seen pixels; 0 where there are none, also in the gradient."""
    return sums / torch.where(share > 0, share, 1.0)
