"""One image file: pixels as floats in [0, 1] inside, the file's own kind outside."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

_GREY_16 = ("I;16", "I;16B", "I;16L", "I;16N", "I")
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
                _refuse_deep_colour(opened, path)
                opened.load()
                image = ImageOps.exif_transpose(opened)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: too large to be opened safely ({error})") from error
    except _UNREADABLE as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: cannot be read as an image ({_reason(error)})") from error
    keep = {key: image.info[key] for key in ("icc_profile", "exif") if image.info.get(key)}
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
    suffix = path.suffix.lower()
    kind = Image.registered_extensions().get(suffix)
    if kind is None or kind not in Image.SAVE:
        raise ValueError(f"{path}: the ending {suffix or '(none)'} names no image format")
    options: dict[str, Any] = dict(picture.metadata)
    if kind in ("JPEG", "WEBP"):
        options["quality"] = 95
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, scratch = tempfile.mkstemp(dir=path.parent, prefix=".rimkit-", suffix=suffix)
    try:
        with os.fdopen(descriptor, "wb") as sink:
            try:
                image.save(sink, format=kind, **options)
            except (KeyError, ValueError) as error:
                raise ValueError(f"{path}: {kind} cannot hold this image ({error})") from error
            sink.flush()
            os.fsync(sink.fileno())
        Path(scratch).chmod(0o666 & ~_umask())
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _from_pillow(image: Image.Image, path: Path, metadata: dict[str, Any]) -> Picture:
    if image.mode in _GREY_16:
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise ValueError(f"{path}: 32-bit integer images are not supported")
        return Picture(torch.from_numpy(grey / 65535).float()[None], None, 65535, metadata)
    if image.mode == "F":
        return Picture(torch.from_numpy(np.array(image)).float()[None], None, 0, metadata)
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
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


def _refuse_deep_colour(image: Image.Image, path: Path) -> None:
    """Pillow cuts 16-bit colour to 8 bits without a word."""
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
