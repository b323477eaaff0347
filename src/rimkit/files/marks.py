"""Files that mark missing pixels: white where pixels are missing, black where they are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rimkit.files.picture import Picture, read_picture, size_of
from rimkit.pixels import ROWS, Array, white

_MARKED = 0.125  # of white: soft edges of a brush count, JPEG artefacts in black do not


def read_missing(path: Path, picture: Picture) -> Array:
    """Read which pixels of a picture are missing: (H, W), booleans.

    In a file with alpha, pixels that are opaque and not black are marked.

    Raises
    ------
    ValueError
        If the file is not a readable image, has another size, marks all pixels, or has pixels that
        are not black but none bright enough to be marked.
    """
    height, width = picture.values.shape[:2]
    if size_of(path) not in ((height, width), (width, height), (0, 0)):  # before it is decoded
        raise ValueError(_other_size(path, size_of(path), picture))
    marks = read_picture(path)
    if marks.values.shape[:2] != (height, width):
        raise ValueError(_other_size(path, marks.values.shape[:2], picture))
    missing, brightest = np.empty((height, width), bool), 0.0
    for top in range(0, height, ROWS):
        rows = slice(top, top + ROWS)
        level = marks.colours[rows].max(2) / white(marks.values)
        if marks.alpha is not None:
            level = level * (marks.alpha[rows, :, 0] / white(marks.values))
        if not np.isfinite(level).all():
            raise ValueError(
                f"{path}: it holds NaN or infinite values: mark missing pixels white, 1"
            )
        missing[rows], brightest = level >= _MARKED, max(brightest, float(level.max()))
    if missing.all():
        raise ValueError(f"{path}: it marks all pixels: white means missing, black means kept")
    if brightest > 0 and not missing.any():
        raise ValueError(
            f"{path}: it marks no pixels: its brightest is {brightest:.2%} of white, and a missing "
            f"one has at least {_MARKED:.1%}"
        )
    return missing


def _other_size(path: Path, size: tuple[int, ...], picture: Picture) -> str:
    (own_height, own_width), (height, width) = size, picture.values.shape[:2]
    return (
        f"{path}: it marks pixels of an image of {own_width}x{own_height}, "
        f"but this one is {width}x{height}"
    )
