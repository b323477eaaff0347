"""One image file: its pixels as stored, and what is needed to write a file like it."""

from __future__ import annotations

import dataclasses
import struct
import warnings
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from rimkit import atomic
from rimkit.files import png, png_chunks, tiff
from rimkit.files.formats import FORMATS, format_of
from rimkit.files.losses import takes_profile, takes_xmp
from rimkit.files.metadata import DAMAGED, Metadata, Values, read_metadata, turned

_LARGEST = 178_956_970  # pixels; Pillow has the same limit
_LONGEST = {"JPEG": 65_500, "WEBP": 16_383}  # pixels; libjpeg's own limit is below the format's
_DEEP_FORMATS = ("PNG", "TIFF")
_OPAQUE = ("BMP", "JPEG")
_FINEST = {"BMP": 5e7, "JPEG": 65_535, "PNG": png_chunks.FINEST, "WEBP": 0}  # pixels per inch
_OF_EXIF = ("EXIF", "Metadata Warning", "Truncated File Read")  # in Pillow's warnings
_LONGEST_EXIF = 65_533  # bytes
# On malformed files, libraries may raise any of these.
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


@dataclasses.dataclass(frozen=True)
class Picture:
    """The pixels of a file, and its metadata.

    Attributes
    ----------
    values
        (H, W, C) of uint8, uint16 or float32 (black 0, white 1); C is 1 or 3, plus one with alpha.
        The colours are not premultiplied by alpha. The only copy: to be modified in place.
    metadata
        EXIF, XMP, texts, colour profile, gamma and resolution.
    """

    values: Values
    metadata: Metadata = Metadata()  # noqa: RUF009, frozen

    @property
    def colours(self) -> Values:
        """A view of the pixels without alpha: (H, W, 1 or 3)."""
        return self.values[..., : 1 if self.values.shape[2] < 3 else 3]

    @property
    def alpha(self) -> Values | None:
        """A view of alpha, (H, W, 1); None if there is none."""
        colours = self.colours.shape[2]
        return self.values[..., colours:] if self.values.shape[2] > colours else None

    @property
    def hidden(self) -> Values | None:
        """Where it is fully transparent, (H, W), booleans; None if there is no alpha."""
        return None if self.alpha is None else self.alpha[..., 0] == 0


def read_picture(path: Path) -> Picture:
    """Read an image file; EXIF orientation is applied.

    Raises
    ------
    ValueError
        If the file is missing, is not an image, is truncated, or is of a kind that would lose
        something in conversion (several images, CMYK).
    """
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: this file is empty")
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            # Pillow warns of large images from 89 megapixels and refuses them from 179.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            values, metadata, orientation = _read(path)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: too large to be opened safely ({error})") from error
    except _UNREADABLE as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: cannot be read as an image ({_reason(error)})") from error
    if DAMAGED not in metadata.lost and any(_is_of_exif(each) for each in said):
        metadata = dataclasses.replace(metadata, lost=(DAMAGED, *metadata.lost))
    return _picture(values, metadata, orientation, path)


def _read(path: Path) -> tuple[Values, Metadata, int]:
    """Pixels as stored in the file, the metadata, and the orientation."""
    if tiff.is_tiff(path):
        values, metadata, orientation = tiff.read(path, largest=_LARGEST)
        return _checked(values, path), metadata, orientation
    png.take_long_profiles()
    with Image.open(path) as image:
        _refuse_what_would_be_lost(image, path)
        said = png_chunks.read_metadata(path) if image.format == "PNG" else read_metadata(image)
        return _values(image, path), *said


def _is_of_exif(warning: warnings.WarningMessage) -> bool:
    return any(words in str(warning.message) for words in _OF_EXIF)


def size_of(path: Path) -> tuple[int, int]:
    """(H, W) from the header, without orientation; (0, 0) if unreadable. Fast: reads no pixels."""
    try:
        if tiff.is_tiff(path):
            return tiff.size_of(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `read_picture` reports them
            with Image.open(path) as image:
                return image.height, image.width
    except (*_UNREADABLE, Image.DecompressionBombError):
        return 0, 0


def write_picture(picture: Picture, path: Path, *, like: Path | None = None) -> None:
    """Write an image file whole or not at all: a failure leaves what was at ``path`` before.

    A new file gives no read permission that ``like`` does not give.

    Raises
    ------
    ValueError
        If the ending of ``path`` names no format, or one that cannot hold the picture.
    OSError
        If the folder cannot be written or the disk is full.
    """
    kind = check_format(picture, path)
    values = picture.values
    with atomic.replacing(path, like=like) as file:
        if kind == "PNG" and values.dtype == np.uint16:
            png.write(values, file, picture.metadata)
        elif kind == "TIFF":
            tiff.write(values, file, picture.metadata)
        else:
            _write_with_pillow(values, file, kind, picture.metadata)


def check_format(picture: Picture, path: Path, *, size: tuple[int, int] | None = None) -> str:
    """Return Pillow's name of the format for ``path``, if it can hold the picture.

    ``size``: (H, W) that the picture will have; its present size if None.

    Raises
    ------
    ValueError
        If it cannot, or the ending names no format.
    """
    kind = format_of(path)
    height, width = size or picture.values.shape[:2]
    if height * width > _LARGEST:
        raise ValueError(
            f"{path}: an image of {width}x{height} would have more than {_LARGEST:,} pixels, and "
            "could not be opened again"
        )
    if max(height, width) > _LONGEST.get(kind, _LARGEST):
        raise ValueError(
            f"{path}: a side of {kind} has at most {_LONGEST[kind]:,} pixels, but this image would "
            f"be {width}x{height}: use .png or .tif"
        )
    if picture.values.dtype != np.uint8 and kind not in _DEEP_FORMATS:
        raise ValueError(f"{path}: {kind} holds 8 bits, but this image has more: use .png or .tif")
    if picture.values.dtype == np.float32 and kind != "TIFF":
        raise ValueError(f"{path}: {kind} cannot hold floats: use .tif")
    if picture.alpha is not None and kind in _OPAQUE:
        raise ValueError(f"{path}: {kind} cannot hold transparency: use .png, .tif or .webp")
    if kind == "JPEG" and len(picture.metadata.exif) > _LONGEST_EXIF:
        raise ValueError(f"{path}: its EXIF is too long for JPEG: use .png, or --strip-metadata")
    return kind


def _values(image: Image.Image, path: Path) -> Values:
    """Pixels (H, W) or (H, W, C) as stored in the file: uint8, uint16 or float32."""
    if image.format == "PNG":
        if png.is_for_libpng(path):
            return png.read(path)
        png.forget_texts(image, path)
    if "transparency" in image.info:
        image = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise ValueError(f"{path}: images of mode {image.mode} are not supported; convert to RGB")
    return np.asarray(image)


def _checked(values: Values, path: Path) -> Values:
    """Return values as uint8, uint16 or float32; refuse what cannot be one of these."""
    if values.size == 0:
        raise ValueError(f"{path}: this image has no pixels")
    if values.dtype == np.uint8:
        return values
    if np.issubdtype(values.dtype, np.floating):
        values = values.astype(np.float32, copy=False)
        if np.isfinite(values).all() and not -1 <= values.min() <= values.max() <= 2:
            raise ValueError(
                f"{path}: in float images black is 0 and white is 1, but this one ranges from "
                f"{values.min():g} to {values.max():g}; divide it by its white level"
            )
        return values
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"{path}: images of {values.dtype} are not supported")
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(
            f"{path}: whole numbers must lie between 0 and 65535, but these range from "
            f"{values.min()} to {values.max()}"
        )
    return values.astype(np.uint16, copy=False)


def _picture(values: Values, metadata: Metadata, orientation: int, path: Path) -> Picture:
    if orientation != 1:
        values, metadata = turned(values, metadata, orientation)
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[2] > 4:
        raise ValueError(f"{path}: images of {values.shape[2]} channels are not supported")
    values = np.ascontiguousarray(values)
    # Arrays from Pillow are read-only.
    return Picture(values if values.flags.writeable else values.copy(), metadata)


def _write_with_pillow(values: Values, file: IO[bytes], kind: str, metadata: Metadata) -> None:
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    options: dict[str, Any] = {
        name: value
        for name, value in (
            ("exif", metadata.exif),
            ("comment", metadata.comment if kind == "JPEG" else b""),
            ("xmp", metadata.xmp if takes_xmp(kind, metadata.xmp) and kind != "PNG" else b""),
            ("icc_profile", metadata.icc if takes_profile(kind, metadata.icc) else b""),
            ("dpi", metadata.dpi if max(metadata.dpi or (0,)) <= _FINEST[kind] else None),
        )
        if value
    }
    if kind == "JPEG":
        options |= {"quality": 95, "subsampling": 0}
    elif kind == "WEBP":
        options |= {"lossless": True, "exact": True}
    elif kind == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        for name, content in png_chunks.others(metadata):
            options["pnginfo"].add(name, content)
    image.save(file, format=kind, **options)


def _refuse_what_would_be_lost(image: Image.Image, path: Path) -> None:
    """Refuse files that would lose something: other formats, several frames."""
    if image.format not in (*FORMATS, "MPO") or image.format == "TIFF":  # no valid one: `is_tiff`
        raise ValueError(f"{path}: {image.format} files are not supported; convert to PNG or TIFF")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        raise ValueError(
            f"{path}: files of several images are not supported (this one has {frames})"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no known image format"
    return str(error) or type(error).__name__
