"""Blind estimation of the noise level of an image."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_PATCH = 8
_MOST_PATCHES = 50_000
_ROWS = 64  # looked at together

# Chosen on training images of BSDS300 with added noise (docs/decisions.md, 48).
_FINE = 11
"""Frequencies (i, j) with i + j from here on say how strong the noise is."""
_COARSE = 3
"""Those from here to there say how much texture there is."""
_SMOOTHEST = 0.05
_FEWEST = 256
"""How many patches count: this share of all, of those with the least texture, or this many."""
_PILE = 1e-4
"""Share of the pixels that makes a pile, at least."""
_AWAY = 2.0
"""How many sigma the mean of a patch lies from where the image is clipped."""
_FAR = 40.0
"""How many sigma away clipping is as good as none."""


def estimate_sigma(y: Tensor) -> Tensor:
    """Standard deviation of white Gaussian noise in each image, in the units of y.

    Ponomarenko et al. (IGARSS 2007; Colom and Buades, IPOL 2013): of 8x8 patches, those with the
    weakest coarse texture are chosen by their cosine transform, and the mean square of its finest
    frequencies there is sigma^2. In white noise frequencies are independent: that the choice falls
    on some patches says nothing of their finest frequencies.

    Rows and columns of a patch that hold one value were drawn, or clipped, but not measured: such
    patches do not count, and an image of which they are the half has no noise.

    Where values pile up at the smallest or the largest one the image is taken as clipped there
    after the noise was added: patches near that end do not count, and of the others it is known how
    much of the noise is cut off.

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
    if y.ndim != 4 or not y.numel():
        raise ValueError(f"y is (N, C, H, W), none of them 0, got {tuple(y.shape)}")
    height, width = y.shape[-2:]
    if min(height, width) < _PATCH:
        raise ValueError(f"images are at least {_PATCH}x{_PATCH}, got {height}x{width}")
    if not all(rows.isfinite().all() for rows in torch.split(y, _ROWS, -2)):
        raise ValueError("y holds NaN or infinite values")
    return torch.stack([_estimate(image) for image in y])


def _estimate(image: Tensor) -> Tensor:
    dtype = image.dtype if image.is_floating_point() else torch.float32
    patches = _patches(image)
    patches = patches[patches.flatten(1).amax(1) > patches.flatten(1).amin(1)]
    flat = _partly_flat(patches)
    if 2 * flat.sum() >= len(flat):  # drawn, as text is
        return torch.zeros((), dtype=dtype, device=image.device)
    patches = patches[~flat]
    transform = torch.from_numpy(_cosines()).to(patches)
    squares = (transform @ patches @ transform.T).square()
    frequency = torch.arange(_PATCH, device=image.device)
    frequency = frequency[:, None] + frequency
    coarse = squares[:, (frequency >= _COARSE) & (frequency < _FINE)].mean(1)
    fine = squares[:, frequency >= _FINE].mean(1)
    # From the mean of each patch to where the image is clipped, below and above.
    low, high = _clipped_at(image)
    mean = patches.mean((1, 2))
    return _level(coarse, fine, mean - low, high - mean).to(dtype)


def _level(coarse: Tensor, fine: Tensor, below: Tensor, above: Tensor) -> Tensor:
    """Sigma, from the texture and the fine squares of patches, and how far they may go."""
    count = min(len(fine), max(round(_SMOOTHEST * len(fine)), _FEWEST))
    room = torch.minimum(below, above)
    middle = room.topk(max(count, len(room) // 10)).indices
    sigma = fine[middle].mean().sqrt()
    for _ in range(8):
        away = room >= _AWAY * sigma
        if away.sum() < count:
            away[room.topk(count).indices] = True
        places = away.nonzero()[:, 0]
        chosen = places[coarse[places].topk(count, largest=False).indices]
        # Beyond so many sigma nothing is cut off; infinity would turn gradients into NaN.
        most = _FAR * sigma
        left = _variance_left(*(side[chosen].minimum(most) / sigma for side in (below, above)))
        sigma = (fine[chosen].sum() / left.sum()).sqrt()
        if not sigma > 0:
            break
    return sigma


def _patches(image: Tensor) -> Tensor:
    """8x8 patches (N, 8, 8) in float64, evenly from all places and channels."""
    windows = image.unfold(1, _PATCH, 1).unfold(2, _PATCH, 1)  # a view: (C, H', W', 8, 8)
    count = math.prod(windows.shape[:3])
    chosen = torch.arange(0, count, -(-count // _MOST_PATCHES), device=image.device)
    return windows[torch.unravel_index(chosen, windows.shape[:3])].double()


def _partly_flat(patches: Tensor) -> Tensor:
    """Which patches hold a row or a column of one value."""
    flat = [(patches.amax(side) == patches.amin(side)).any(1) for side in (1, 2)]
    return flat[0] | flat[1]


@functools.cache
def _cosines() -> npt.NDArray[np.float64]:
    """Orthonormal matrix of the cosine transform (DCT-II).

    Of numpy: what is kept must not be a tensor of the mode, or of the device, it was first used in.
    """
    frequency = np.arange(_PATCH, dtype=np.float64)
    matrix = np.cos(math.pi / _PATCH * frequency[:, None] * (frequency + 0.5))
    matrix[0] /= math.sqrt(2)
    return matrix * math.sqrt(2 / _PATCH)


def _clipped_at(image: Tensor) -> tuple[float, float]:
    """Values at which the image is clipped: where they pile up at an end, else infinite."""
    return -_pile(image, -1.0), _pile(image, 1.0)


def _pile(image: Tensor, sign: float) -> float:
    """The largest of ``sign`` times the values, if many more have it than the next one."""

    def parts() -> Iterator[Tensor]:
        return (sign * rows.double() for rows in torch.split(image, _ROWS, -2))

    def most_below(bound: float) -> tuple[float, int]:
        """The largest value below a bound, and how many have it."""
        end = max(part.where(part < bound, -math.inf).amax().item() for part in parts())
        return end, sum(int((part == end).sum()) for part in parts())

    end, count = most_below(math.inf)
    beside, others = most_below(end)
    piled = count > max(2 * others, _PILE * image.numel()) and beside > -math.inf
    return end if piled else math.inf


def _variance_left(below: Tensor, above: Tensor) -> Tensor:
    """Variance of a standard normal variable that is clipped to [-below, above]."""

    def density(value: Tensor) -> Tensor:
        return torch.exp(-value.square() / 2) / math.sqrt(2 * math.pi)

    out_low, out_high = torch.special.ndtr(-below), torch.special.ndtr(-above)
    mean = density(below) - density(above) - below * out_low + above * out_high
    square = (
        below.square() * out_low
        + above.square() * out_high
        + (1 - out_low - out_high)
        - below * density(below)
        - above * density(above)
    )
    variance: Tensor = (square - mean.square()).clamp(min=1e-3)
    return variance
