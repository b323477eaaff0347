"""One image file: pixels as floats in [0, 1] inside, the file's own kind outside."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from rimkit import atomic

_GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
_UNREADABLE = (OSError, SyntaxError, ValueError, UnidentifiedImageError)


@dataclasses.dataclass(frozen=True)
class Picture:
    """The pixels of a file, and what is needed to write a file of the same kind.

    Attributes
    ----------
    pixels
        (C, H, W), C 1 or 3, in [0, 1] (float files: as they are).
    alpha
        8-bit image of mode L, carried through unchanged; None if there is none.
    levels
        255, 65535, or 0 for floats.
    metadata
        EXIF and colour profile, as Pillow's ``save`` takes them.
    """

    pixels: Tensor
    alpha: Image.Image | None
    levels: int
    metadata: dict[str, Any]


def read_picture(path: Path) -> Picture:
    """Read an image file; EXIF orientation is applied.

    Raises
    ------
    ValueError
        If the file is missing, is no image, is cut short, or is of a kind that would lose
        something on the way (16-bit colour, CMYK).
    """
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    try:
        with warnings.catch_warnings():
            # Pillow warns of large images from 89 megapixels and refuses them from 179.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                _refuse_what_would_be_lost(opened, path)
                opened.load()
                image = ImageOps.exif_transpose(opened)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: too large to be opened safely ({error})") from error
    except _UNREADABLE as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: cannot be read as an image ({_reason(error)})") from error
    names = ("icc_profile", "exif", "dpi")
    keep = {name: image.info[name] for name in names if image.info.get(name)}
    return _from_pillow(image, path, keep)


def write_picture(picture: Picture, path: Path) -> None:
    """Write an image file whole or not at all: a failure leaves what was at ``path`` before.

    Raises
    ------
    ValueError
        If the ending of ``path`` names no format, or one that cannot hold the picture.
    OSError
        If the folder cannot be written or the disk is full.
    """
    image = _to_pillow(picture)
    kind = format_of(path)
    options: dict[str, Any] = dict(picture.metadata)
    if kind == "JPEG":
        options |= {"quality": 95, "subsampling": 0}
    elif kind == "WEBP":
        options["lossless"] = True
    with atomic.replacing(path) as file:
        try:
            image.save(file, format=kind, **options)
        except (KeyError, ValueError) as error:
            raise ValueError(f"{path}: {kind} cannot hold this image ({error})") from error


def format_of(path: Path) -> str:
    """Pillow's name of the format that the ending of ``path`` asks for.

    Raises
    ------
    ValueError
        If it asks for none, or for one that cannot be written.
    """
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind not in _FORMATS:
        raise ValueError(
            f"{path}: the ending {path.suffix or '(none)'} names no image format that can be "
            f"written ({', '.join(sorted(_FORMATS))})"
        )
    return kind


def _from_pillow(image: Image.Image, path: Path, metadata: dict[str, Any]) -> Picture:
    if image.mode in _GREY_16:
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise ValueError(f"{path}: 32-bit integer images are not supported")
        return Picture(torch.from_numpy(grey / 65535).float()[None], None, 65535, metadata)
    if image.mode == "F":
        values = np.array(image)
        if np.isfinite(values).all() and not -1 <= values.min() <= values.max() <= 2:
            raise ValueError(
                f"{path}: float images have black 0 and white 1, this reaches from "
                f"{values.min():g} to {values.max():g}; divide it by its white level"
            )
        return Picture(torch.from_numpy(values).float()[None], None, 0, metadata)
    if "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    if image.mode == "1":
        image = image.convert("L")
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ValueError(f"{path}: images of mode {image.mode} are not supported, convert to RGB")
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    values = np.asarray(image.convert("L" if image.mode in ("L", "LA") else "RGB"))
    pixels = torch.from_numpy(values.astype(np.float32) / 255)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1).contiguous()
    return Picture(pixels, alpha, 255, metadata)


def _to_pillow(picture: Picture) -> Image.Image:
    if picture.levels == 0:
        return Image.fromarray(picture.pixels[0].numpy())
    values = (picture.pixels.clamp(0, 1).double() * picture.levels).round().numpy()
    if picture.levels == 65535:
        return Image.fromarray(values[0].astype(np.uint16))
    values = values.astype(np.uint8)
    image = Image.fromarray(values[0] if len(values) == 1 else values.transpose(1, 2, 0))
    if picture.alpha is not None:
        image.putalpha(picture.alpha)
    return image


def _refuse_what_would_be_lost(image: Image.Image, path: Path) -> None:
    """Refuse what would come back as less than it was: frames, other formats, deep colour."""
    if image.format not in (*_FORMATS, "MPO"):
        raise ValueError(f"{path}: {image.format} files are not supported; convert to PNG or TIFF")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise ValueError(f"{path}: files of several images are not supported (this has {frames})")
    # Pillow cuts 16-bit colour to 8 bits without a word.
    if image.format == "PNG":
        with path.open("rb") as file:
            header = file.read(26)
        deep = header[24] == 16 and header[25] in (2, 4, 6)
    else:
        bits = getattr(image, "tag_v2", {}).get(258, ())
        deep = len(bits) > 1 and max(bits) > 8
    if deep:
        raise ValueError(
            f"{path}: 16-bit images with colour or alpha are not supported yet; "
            "convert to 8 bits, or to 16-bit grey"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no known image format"
    return str(error) or type(error).__name__
