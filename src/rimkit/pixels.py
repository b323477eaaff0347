"""Pixels as stored in files and as used by solvers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]

LEVELS = 255
"""Grey levels between black and white: sigma = 25 for users is 25 / LEVELS internally."""

ROWS = 64
"""Rows processed at a time where a copy of the whole image would be too large."""

_NEIGHBOURHOOD = 7
_BRIGHTEST = 4.0  # mean of an image with white 1; highlights may be far above


def is_floating(values: Array) -> bool:
    """Whether the pixels are floating point, with black 0 and white 1."""
    return np.issubdtype(values.dtype, np.floating)


def white(values: Array) -> int:
    """Return the value of white: 1 for floating point, else the maximum of the dtype."""
    return 1 if is_floating(values) else int(np.iinfo(values.dtype).max)


def check_image(values: Array, *, smallest: int, missing: Array | None = None) -> None:
    """Raise ``ValueError`` unless (H, W, C) is 8- or 16-bit or finite floats, and large enough.

    Floats whose mean shows that white is not 1 are refused.

    ``smallest``: minimum of each side, in pixels. ``missing``: (H, W), booleans, True where floats
    may have any value; None: nowhere.
    """
    floating = is_floating(values)
    if not floating and values.dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        raise ValueError(f"an image must be uint8, uint16 or floating point, got {values.dtype}")
    height, width = values.shape[:2]
    if min(height, width) < smallest:
        raise ValueError(f"images must be at least {smallest}x{smallest}, got {height}x{width}")
    if not floating:
        return
    total, count = 0.0, 0
    for top in range(0, height, ROWS):
        rows = values[top : top + ROWS]
        seen = rows if missing is None else rows[~missing[top : top + ROWS]]
        if not np.isfinite(seen).all():
            where = "" if missing is None else " where nothing is missing"
            raise ValueError(f"the image holds NaN or infinite values{where}")
        total, count = total + float(seen.sum(dtype=np.float64)), count + seen.size
    if total > _BRIGHTEST * count:
        raise ValueError(
            f"in floating point black is 0 and white is 1, but the mean here is {total / count:g}; "
            "are these grey levels of 255? divide by 255"
        )


def check_alike(images: Sequence[Array]) -> None:
    """Raise ``ValueError`` unless all images have one shape and depth: they are solved together."""
    if len(kinds := {(values.shape, str(values.dtype)) for values in images}) > 1:
        raise ValueError(
            f"images restored together must have the same shape and depth, got {sorted(kinds)}"
        )


def to_unit(values: Array) -> Tensor:
    """Convert (H, W, C) of any kind to float32 (C, H, W) with white 1."""
    planes = np.ascontiguousarray(np.moveaxis(values, 2, 0), dtype=np.float32)
    return torch.from_numpy(planes) / white(values)


def from_unit(x: Tensor) -> Bytes:
    """Convert (C, H, W) with white 1 to 8-bit (H, W, C), clamped and rounded."""
    values = np.empty((*x.shape[1:], len(x)), np.uint8)
    write_unit(values, x)
    return values


def write_unit(values: Array, x: Tensor) -> None:
    """Write x (C, H, W) with white 1 into (H, W, C) of any kind; integers are rounded."""
    top_value = white(values)
    for top in range(0, len(values), ROWS):
        rows = x[:, top : top + ROWS]
        if top_value > 1:
            rows = (rows.clamp(0, 1) * top_value).round()
        values[top : top + ROWS] = rows.permute(1, 2, 0).numpy()


def without_noise(y: Tensor) -> Tensor:
    """Where a 7x7 neighbourhood is constant, as in burnt-out skies: noise never leaves that.

    Maps (N, C, H, W) to booleans of the same shape.
    """
    highest, lowest = (_maximum(sign * y) for sign in (1, -1))
    return highest == -lowest


def _maximum(image: Tensor) -> Tensor:
    """Maximum over a neighbourhood, cropped at the border."""
    half = _NEIGHBOURHOOD // 2
    rows = F.max_pool2d(image, (_NEIGHBOURHOOD, 1), stride=1, padding=(half, 0))
    return F.max_pool2d(rows, (1, _NEIGHBOURHOOD), stride=1, padding=(0, half))
