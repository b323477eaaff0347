"""A first guess at missing pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

HALVINGS = 3
"""Number of times that `halved` halves."""


def fill(y: Tensor, mask: Tensor) -> Tensor:
    """Return y where it is seen, and means of the nearest seen pixels elsewhere.

    The image is halved until every hole is closed, and each hole is filled from the finest scale at
    which something is seen in it, with interpolation (Gortler et al. 1996, "The Lumigraph").

    Parameters
    ----------
    y
        (N, C, H, W).
    mask
        (N or 1, C or 1, H, W), 1 where a pixel is seen and 0 where it is missing; values in between
        are the share of it that is seen. A channel of a sample that is missing entirely stays 0.
    """
    share = mask.to(y).expand_as(y)
    return _filled(y * share, share)


def halved(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return y and mask of `fill` eight times smaller: means of seen pixels, and their share.

    For rows that begin at a multiple of eight they equal those of the whole image.
    """
    share = mask.to(y).expand_as(y)
    sums = y * share
    for _ in range(HALVINGS):
        sums, share = _half(sums), _half(share)
    return _mean(sums, share), share


def fill_from(y: Tensor, mask: Tensor, coarse: Tensor) -> Tensor:
    """Fill as `fill` does, but holes not closed at an eighth of the size from ``coarse``.

    ``coarse``: the filled image (N, C, ceil(H / 8), ceil(W / 8)).
    """
    share = mask.to(y).expand_as(y)
    return _filled(y * share, share, coarse=coarse, halvings=HALVINGS)


def _filled(
    sums: Tensor, share: Tensor, *, coarse: Tensor | None = None, halvings: int = -1
) -> Tensor:
    if (share > 0).all() or max(sums.shape[-2:]) == 1:
        return _mean(sums, share)
    if coarse is not None and halvings == 0:
        below = coarse
    else:
        below = _filled(_half(sums), _half(share), coarse=coarse, halvings=halvings - 1)
    between = F.interpolate(below, size=sums.shape[-2:], mode="bilinear", align_corners=False)
    return torch.where(share > 0, _mean(sums, share), between)


def _half(image: Tensor) -> Tensor:
    """Means of 2x2 pixels, or of those that remain at the end of an odd side."""
    return F.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)


def _mean(sums: Tensor, share: Tensor) -> Tensor:
    """Mean of the seen pixels; 0 where there are none, also in the gradient."""
    return sums / torch.where(share > 0, share, 1.0)
