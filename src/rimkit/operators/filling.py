"""A first guess at pixels that are missing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

HALVINGS = 3
"""How often `halved` halves."""


def fill(y: Tensor, mask: Tensor) -> Tensor:
    """Return y where it is seen, and means of seen pixels elsewhere, the nearest there are.

    The image is halved until every hole is closed, and each hole takes the finest size at which
    something is seen in it; in between is interpolated (Gortler et al. 1996, "The Lumigraph").

    Parameters
    ----------
    y
        (N, C, H, W).
    mask
        (N or 1, C or 1, H, W), 1 where a pixel is seen and 0 where it is missing; in between, the
        share of it that is seen. Where a channel of a sample is all missing it stays 0.
    """
    share = mask.to(y).expand_as(y)
    return _filled(y * share, share)


def halved(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return y and mask, as in `fill`, eight times smaller: means of what is seen, and its share.

    Of rows that begin at a multiple of eight they are those of the whole image.
    """
    share = mask.to(y).expand_as(y)
    sums = y * share
    for _ in range(HALVINGS):
        sums, share = _half(sums), _half(share)
    return _mean(sums, share), share


def fill_from(y: Tensor, mask: Tensor, coarse: Tensor) -> Tensor:
    """Fill as `fill` does, and what is not closed at an eighth of the size as ``coarse`` says.

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
    """Means of 2x2 pixels, and of what is left of them at the end of an odd side."""
    return F.avg_pool2d(image, 2, ceil_mode=True, count_include_pad=False)


def _mean(sums: Tensor, share: Tensor) -> Tensor:
    """Of the seen pixels; 0 where there are none, also in the gradient."""
    return sums / torch.where(share > 0, share, 1.0)
