"""Blind estimation of the noise level of an image."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rimkit.operators.checks import check_tensor

_PATCH = 8
_MOST_PATCHES = 50_000
_ROWS = 64  # processed at a time

# Chosen on training images of BSDS300 with added noise (docs/decisions.md, 48).
_FINE = 11
"""Frequencies (i, j) with i + j from here on measure the noise."""
_COARSE = 3
"""Those from here up to, but not including, ``_FINE`` measure the texture."""
_SMOOTHEST = 0.05
_FEWEST = 256
"""Patches used, those with the least texture: the share ``_SMOOTHEST``, or at least this many."""
_PILE = 1e-4
"""Smallest share of the pixels that counts as a pile at one value."""
_AWAY = 2.0
"""Least distance of the mean of a patch from where the image is clipped, in sigma."""
_FAR = 40.0
"""Distance in sigma from which clipping is negligible."""

_SPAN = 5.0
"""Largest range of values in a patch of clipped noise, in sigma."""


def estimate_sigma(y: Tensor) -> Tensor:
    """Standard deviation of white Gaussian noise in each image, in the units of y.

    Ponomarenko et al. (IGARSS 2007; Colom and Buades, IPOL 2013): the 8x8 patches with the weakest
    coarse texture are selected by their cosine transform, and the mean square of its finest
    frequencies in them is sigma^2. In white noise the frequencies are independent, so the selection
    does not bias the finest ones.

    A row or column of a patch with a single value was drawn or clipped, not measured: such patches
    are left out, and an image in which they are half or more has no noise, unless they look like
    clipped noise.

    Where values pile up at the smallest or largest value, the image is assumed to have been clipped
    there after the noise was added: patches near that end are left out, and the others are
    corrected for the part of the noise that is cut off.

    Parameters
    ----------
    y
        Images (N, C, H, W) of at least 8x8 pixels, floating point or integer; the channels of an
        image share one sigma.

    Returns
    -------
    Tensor
        (N,), non-negative; float32 for integers, else y's dtype.

    Raises
    ------
    ValueError
        If y is not a batch of images of that size, is complex, or holds NaN or infinite values.
    """
    _check(y)
    return torch.stack([_estimate(image) for image in y])


def noise_apart(y: Tensor) -> Tensor:
    """How independent the noise is between the channels of each image: 1 if independent.

    0 if all channels share the same noise, as in a grey image saved in colour; close to 0 if chroma
    was stored at a lower resolution than luma, as JPEG mostly does. At the finest frequencies of
    patches with little texture, the mean square of the difference between channels is compared with
    that of independent noise of the same strength. It describes the noise only where there is more
    noise than texture.

    Parameters
    ----------
    y
        Images (N, C, H, W) as in `estimate_sigma`, of at least two channels.

    Returns
    -------
    Tensor
        (N,), non-negative, in float64; 1 where no patch shows noise.

    Raises
    ------
    ValueError
        As in `estimate_sigma`, or if there is only one channel.
    """
    _check(y)
    if y.shape[1] < 2:
        raise ValueError(
            f"y must have at least 2 channels to compare their noise, got {tuple(y.shape)}"
        )
    return torch.stack([_apart(image) for image in y])


def _apart(image: Tensor) -> Tensor:
    patches = _patches(image, together=True)
    flat = _partly_flat(patches.flatten(0, 1)).view(patches.shape[:2]).any(1)
    patches = patches[~flat]
    if not len(patches):
        return torch.ones((), dtype=torch.float64, device=image.device)
    transform = torch.from_numpy(_cosines()).to(patches)
    found = transform @ patches @ transform.T
    texture = found[..., _is_coarse(image.device)].square().mean((1, 2))
    count = min(len(patches), max(round(_SMOOTHEST * len(patches)), _FEWEST))
    fine = found[texture.topk(count, largest=False).indices][..., _is_fine(image.device)]
    squares = fine.square()
    differing = (fine[:, 1:] - fine[:, :-1]).square().sum()
    return differing / (squares[:, 1:] + squares[:, :-1]).sum()


def _check(y: Tensor) -> None:
    check_tensor("y", y)
    if y.is_complex():
        raise ValueError(f"y must be real, got {tuple(y.shape)} of {y.dtype}")
    if y.ndim != 4 or not y.numel():
        raise ValueError(f"y must be a non-empty batch (N, C, H, W), got {tuple(y.shape)}")
    height, width = y.shape[-2:]
    if min(height, width) < _PATCH:
        raise ValueError(f"images must be at least {_PATCH}x{_PATCH}, got {height}x{width}")
    if not all(rows.isfinite().all() for rows in torch.split(y, _ROWS, -2)):
        raise ValueError("y holds NaN or infinite values")


def _estimate(image: Tensor) -> Tensor:
    dtype = image.dtype if image.is_floating_point() else torch.float32
    none = torch.zeros((), dtype=dtype, device=image.device)
    patches = _patches(image)
    patches = patches[patches.flatten(1).amax(1) > patches.flatten(1).amin(1)]
    flat = _partly_flat(patches)
    if flat.all():
        return none
    low, high = _clipped_at(image)
    mean = patches.mean((1, 2))
    room = torch.minimum(mean - low, high - mean)[~flat]
    sigma = _level(patches[~flat], (mean - low)[~flat], (high - mean)[~flat])
    drawn = flat
    if (room >= _AWAY * sigma).sum() >= _FEWEST:  # noise is seen where nothing was clipped
        most = torch.minimum(_SPAN * sigma, (patches.amax() - patches.amin()) / 2)
        span = patches.amax((1, 2)) - patches.amin((1, 2))
        drawn = flat & ((span > most) | _partly_flat(patches, besides=(low, high)))
    return none if 2 * drawn.sum() >= len(drawn) else sigma.to(dtype)


def _level(patches: Tensor, below: Tensor, above: Tensor) -> Tensor:
    """Sigma from patches, and from the distances of their means to where the image is clipped."""
    transform = torch.from_numpy(_cosines()).to(patches)
    squares = (transform @ patches @ transform.T).square()
    coarse = squares[:, _is_coarse(patches.device)].mean(1)
    fine = squares[:, _is_fine(patches.device)].mean(1)
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
        # Beyond this many sigma nothing is cut off; infinity would turn gradients into NaN.
        most = _FAR * sigma
        left = _variance_left(*(side[chosen].minimum(most) / sigma for side in (below, above)))
        sigma = (fine[chosen].sum() / left.sum()).sqrt()
        if not sigma > 0:
            break
    return sigma


def _patches(image: Tensor, *, together: bool = False) -> Tensor:
    """8x8 patches (N, 8, 8) in float64, evenly spaced over all positions and channels.

    With ``together`` (N, C, 8, 8), with all channels of each position.
    """
    windows = image.unfold(1, _PATCH, 1).unfold(2, _PATCH, 1)  # a view: (C, H', W', 8, 8)
    every = -(-math.prod(windows.shape[:3]) // _MOST_PATCHES)
    if together:
        windows = windows.permute(1, 2, 0, 3, 4)
    places = windows.shape[: 2 if together else 3]
    chosen = torch.arange(0, math.prod(places), every, device=image.device)
    return windows[torch.unravel_index(chosen, places)].double()


def _is_fine(device: torch.device) -> Tensor:
    """Which frequencies measure the noise: (8, 8), booleans."""
    return _frequency(device) >= _FINE


def _is_coarse(device: torch.device) -> Tensor:
    """Which frequencies measure the texture: (8, 8), booleans."""
    frequency = _frequency(device)
    return (frequency >= _COARSE) & (frequency < _FINE)


def _frequency(device: torch.device) -> Tensor:
    each = torch.arange(_PATCH, device=device)
    return each[:, None] + each


def _partly_flat(patches: Tensor, *, besides: tuple[float, ...] = ()) -> Tensor:
    """Which patches have a row or column of a single value that is not in ``besides``."""
    found = torch.zeros(len(patches), dtype=torch.bool, device=patches.device)
    for side in (1, 2):
        value = patches.amax(side)
        flat = value == patches.amin(side)
        for end in besides:
            flat &= value != end
        found |= flat.any(1)
    return found


@functools.cache
def _cosines() -> npt.NDArray[np.float64]:
    """Orthonormal matrix of the cosine transform (DCT-II).

    A numpy array: a cached tensor would be tied to the mode and device of its first use.
    """
    frequency = np.arange(_PATCH, dtype=np.float64)
    matrix = np.cos(math.pi / _PATCH * frequency[:, None] * (frequency + 0.5))
    matrix[0] /= math.sqrt(2)
    return matrix * math.sqrt(2 / _PATCH)


def _clipped_at(image: Tensor) -> tuple[float, float]:
    """Values at which the image is clipped: the ends where values pile up, else infinite."""
    return -_pile(image, -1.0), _pile(image, 1.0)


def _pile(image: Tensor, sign: float) -> float:
    """Largest of ``sign`` times the values if many more pixels have it than the next, else inf."""

    def parts() -> Iterator[Tensor]:
        return (sign * rows.double() for rows in torch.split(image, _ROWS, -2))

    def most_below(bound: float) -> tuple[float, int]:
        """The largest value below a bound, and how many pixels have it."""
        end = max(part.where(part < bound, -math.inf).amax().item() for part in parts())
        return end, sum(int((part == end).sum()) for part in parts())

    end, count = most_below(math.inf)
    beside, others = most_below(end)
    piled = count > max(2 * others, _PILE * image.numel()) and beside > -math.inf
    return end if piled else math.inf


def _variance_left(below: Tensor, above: Tensor) -> Tensor:
    """Variance of a standard normal variable clipped to [-below, above]."""

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
