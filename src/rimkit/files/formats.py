"""Image file formats, by Pillow's names: by the extension of a path, and by a file's contents."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

from rimkit.files import tiff

FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
"""Formats that are read and written."""


def format_of(path: Path) -> str:
    """Pillow's name of the format for the extension of ``path``.

    Raises
    ------
    ValueError
        If the extension names no format, or one that cannot be written.
    """
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in FORMATS:
        raise ValueError(
            f"{path}: the extension {path.suffix or '(none)'} is not that of a format that can be "
            f"written ({', '.join(sorted(FORMATS))})"
        )
    return kind


def format_within(path: Path) -> str | None:
    """Pillow's name of the format that an image file really has, whatever its extension."""
    if tiff.is_tiff(path):
        return "TIFF"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            return image.format
