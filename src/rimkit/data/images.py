"""Clean images for training and evaluation: 8-bit arrays, grey or RGB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from rimkit.pixels import LEVELS, Bytes

SUFFIXES = frozenset({".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_EIGHT_BIT = ("1", "L", "LA", "P", "RGB", "RGBA")

# MATLAB's rgb2gray.
_LUMA = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])


def list_images(folder: Path, *, on_error: Callable[[OSError], object] | None = None) -> list[Path]:
    """All image files below a folder, sorted by path; hidden files and folders are left out.

    Parameters
    ----------
    folder
        Where to look; links to folders are not followed.
    on_error
        Called with the error if a folder cannot be listed; the folder is left out. None: it is
        raised.

    Raises
    ------
    ValueError
        If there is no such folder, or no image in it as far as it can be listed.
    OSError
        If a folder cannot be listed and ``on_error`` is None.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    missed: list[OSError] = []

    def miss(error: OSError) -> None:
        missed.append(error)
        (on_error or _raise)(error)

    found = files_below(folder, on_error=miss)
    paths = sorted(path for path in found if path.suffix.lower() in SUFFIXES and _is_file(path))
    if not paths and not missed:
        raise ValueError(f"no images below {folder} (looked for {', '.join(sorted(SUFFIXES))})")
    return paths


def files_below(
    folder: Path, *, on_error: Callable[[OSError], object] | None = None
) -> Iterator[Path]:
    """Yield all files below a folder, except hidden ones and those in hidden folders.

    ``on_error`` is called if a folder cannot be listed; links to folders are not followed.
    """
    for place, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in files if not name.startswith("."))


def _raise(error: OSError) -> None:
    raise error


def _is_file(path: Path) -> bool:
    """Whether a path is a file, or may not be looked at: reading it will then raise."""
    try:
        return path.is_file()
    except PermissionError:
        return True


def load_bytes(path: Path, *, channels: int) -> Bytes:
    """Read an image as 8-bit (channels, H, W), channels 1 (MATLAB's grey) or 3.

    Raises
    ------
    ValueError
        If the file is not an image that can be read whole, or not of 8 bits, or if another number
        of channels is requested.
    """
    if channels not in (1, 3):
        raise ValueError(f"images are read with 1 or 3 channels, not {channels}")
    try:
        with Image.open(path) as image:
            if image.mode not in _EIGHT_BIT:
                raise ValueError(
                    f"{path} has mode {image.mode}, not 8-bit grey or RGB; convert it first"
                )
            if any(";16" in str(tile) for tile in image.tile):  # Pillow would drop half of them
                raise ValueError(f"{path} is 16-bit, not 8-bit grey or RGB; convert it first")
            rgb = np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error
    return rgb2gray(rgb)[None] if channels == 1 else np.ascontiguousarray(rgb.transpose(2, 0, 1))


def rgb2gray(rgb: Bytes) -> Bytes:
    """(H, W, 3) to (H, W), rounded as MATLAB does."""
    grey: Bytes = np.floor(rgb @ _LUMA + 0.5).astype(np.uint8)
    return grey


def bytes_to_unit(images: Bytes | Sequence[Bytes]) -> Tensor:
    """8-bit arrays of one shape to floats in [0, 1], stacked if they come as a list."""
    array = np.ascontiguousarray(images) if isinstance(images, np.ndarray) else np.stack(images)
    return torch.from_numpy(array).float() / LEVELS
