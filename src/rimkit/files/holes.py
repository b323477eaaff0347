"""Files that mark missing pixels: white where they are, black where an image is to stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rimkit.files.picture import Picture, read_picture
from rimkit.pixels import ROWS, Array, white

_MARKED = 0.125  # of white: soft edges of a brush count, what JPEG makes of black does not


def read_missing(path: Path, picture: Picture) -> Array:
    """Read where pixels of a picture are missing: (H, W), booleans.

    A file with transparency marks what is opaque there and not black.

    Raises
    ------
    ValueError
        If the file is no image that can be read, is of another size, or marks all pixels.
    """
    marks = read_picture(path)
    height, width = picture.values.shape[:2]
    if marks.values.shape[:2] != (height, width):
        own_height, own_width = marks.values.shape[:2]
        raise ValueError(
            f"{path}: it marks pixels of an image of {own_width}x{own_height}, "
            f"this one has {width}x{height}"
        )
    missing = np.empty((height, width), bool)
    for top in range(0, height, ROWS):
        rows = slice(top, top + ROWS)
        level = marks.colours[rows].max(2) / white(marks.values)
        if marks.alpha is not None:
            level = level * (marks.alpha[rows, :, 0] / white(marks.values))
        missing[rows] = level >= _MARKED
    if missing.all():
        raise ValueError(f"{path}: it marks all pixels: white is missing, black stays")
    return missing
