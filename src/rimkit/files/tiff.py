"""TIFF with 8 or 16 bits or floats: any layout is read by tifffile, one layout is written here.

The writer is our own because neither Pillow (no 16-bit colour) nor tifffile (no EXIF) can write all
that a photograph comes with.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import tifffile
from PIL import Image
from PIL.ExifTags import IFD
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from tifffile import PHOTOMETRIC

from rimkit.files import tiff_bounds, tiff_tags
from rimkit.files.metadata import (
    DESCRIPTIVE,
    IPTC,
    XMP,
    Metadata,
    Values,
    as_it_was,
    entries_of,
    guarded,
    with_descriptions,
)
from rimkit.pixels import LEVELS, white

_UNSPECIFIED = 0  # ExtraSamples: anything, such as near infrared
_ASSOCIATED = 1  # colours are premultiplied by alpha
_UNASSOCIATED = 2
_KIND, _PREVIEWS = 254, (1, 3, 5, 7)  # NewSubfileType: bit 0 marks a reduced version of another
_WITHIN, _RAW = 330, 50706  # SubIFDs; DNGVersion
_STRIP_BYTES = 1 << 20
_DEFLATE = 8
_DAMAGED = (
    tifffile.TiffFileError,
    struct.error,
    IndexError,
    KeyError,
    OSError,
    RuntimeError,
    ValueError,
)


def is_tiff(path: Path) -> bool:
    """Whether a file begins like a TIFF."""
    with path.open("rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read(path: Path, *, largest: int) -> tuple[Values, Metadata, int]:
    """Read pixels (H, W) or (H, W, C) as stored, alpha last; the metadata; and the orientation.

    Palettes are converted to colours, and premultiplied colours are divided by alpha.

    Raises
    ------
    ValueError
        If the file is damaged, has more than ``largest`` pixels, or is of a kind that would lose
        something in conversion.
    """
    try:
        with tifffile.TiffFile(path) as tiff:
            page = _page(tiff, path)
            tiff_bounds.check(page, path, largest=largest)
            values = _pixels(page, path)
            kept, orientation, lost = _exif(tiff, page, path)
            lost = (*lost, *tiff_tags.left_out(page.tags.keys()))
            packet = page.tags.valueof(XMP, b"")
            metadata, orientation = with_descriptions(
                Metadata(exif=kept, icc=_profile(page), dpi=_dpi(page), lost=lost),
                orientation,
                packet if isinstance(packet, bytes) else b"",
                has_iptc=IPTC in page.tags,
            )
    except _DAMAGED as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: cannot be read as an image ({error})") from error
    return values, metadata, orientation


def size_of(path: Path) -> tuple[int, int]:
    """Return (H, W) of the image; ValueError or OSError if that cannot be read."""
    try:
        with tifffile.TiffFile(path) as tiff:
            page = _page(tiff, path)
            return int(page.imagelength), int(page.imagewidth)
    except _DAMAGED as error:
        raise ValueError(f"{path}: cannot be read as an image ({error})") from error


def write(values: Values, file: IO[bytes], metadata: Metadata) -> None:
    """Write (H, W, 1 to 4) of 8 or 16 bits or floats, with lossless compression."""
    height, width, channels = values.shape
    colours = 1 if channels < 3 else 3
    rows = max(1, _STRIP_BYTES // (width * channels * values.itemsize))
    tops = range(0, height, rows)

    directory = ImageFileDirectory_v2()
    exif = Image.Exif()
    exif.load(metadata.exif)
    for tag in DESCRIPTIVE & exif.keys():
        directory[tag] = as_it_was(exif[tag])
    for place in (IFD.Exif, IFD.GPSInfo):
        if entries := entries_of(exif, place):
            directory.tagtype[place] = 4
            directory[place] = entries
    directory[256], directory[257] = width, height
    directory[258] = (8 * values.itemsize,) * channels
    directory[259] = _DEFLATE
    directory[274] = 1  # upright
    directory[262] = int(PHOTOMETRIC.RGB if colours == 3 else PHOTOMETRIC.MINISBLACK)
    directory[277] = channels
    directory[278] = rows
    directory[317] = 2 if np.issubdtype(values.dtype, np.integer) else 1
    if channels > colours:
        directory[338] = (_UNASSOCIATED,)
    directory[339] = (1 if np.issubdtype(values.dtype, np.integer) else 3,) * channels
    if metadata.dpi:
        directory[282], directory[283], directory[296] = *metadata.dpi, 2
    if metadata.xmp:
        directory.tagtype[XMP] = 1
        directory[XMP] = metadata.xmp
    if metadata.icc:
        directory.tagtype[tiff_tags.ICC] = 7
        directory[tiff_tags.ICC] = metadata.icc
    # Directory first, then the strips: its length is known before theirs.
    begin = file.tell()
    file.write(_with_strips(directory, [0] * len(tops)))
    sizes = [file.write(_compress(values[top : top + rows])) for top in tops]
    end = file.tell()
    file.seek(begin)
    file.write(_with_strips(directory, sizes))
    file.seek(end)


def _with_strips(directory: ImageFileDirectory_v2, sizes: list[int]) -> bytes:
    """Header and directory of a file whose strips, of these sizes, follow it."""
    for tag in (273, 279):
        directory.tagtype[tag] = 4
    directory[273] = tuple(itertools.accumulate(sizes[:-1], initial=0))  # from the directory's end
    directory[279] = tuple(sizes)
    header = struct.pack("<2sHI", b"II", 42, 8)
    return header + directory.tobytes(len(header))


def _page(tiff: tifffile.TiffFile, path: Path) -> Any:
    """The main image of a file, which may also hold previews of it."""
    pages: list[Any] = list(tiff.pages)
    kinds = [page.tags.valueof(_KIND, 0) for page in pages]
    whole = [page for page, kind in zip(pages, kinds, strict=True) if kind not in _PREVIEWS]
    if len(whole) > 1:
        raise ValueError(
            f"{path}: files of several images are not supported (this one has {len(whole)})"
        )
    if not whole and any(tag in page.tags for page in pages for tag in (_WITHIN, _RAW)):
        raise ValueError(
            f"{path}: only a preview is developed, not the image (a raw file?): save it as TIFF"
        )
    return (whole or pages)[0]


def _exif(tiff: tifffile.TiffFile, page: Any, path: Path) -> tuple[bytes, int, tuple[str, ...]]:
    """As `rimkit.files.metadata.read_exif`."""
    exif = Image.Exif()
    exif.endian = tiff.byteorder
    exif.bigtiff = tiff.is_bigtiff
    with path.open("rb") as file:
        try:
            exif.load_from_fp(file, page.offset)
        except struct.error:  # Pillow cannot read a BigTIFF that is big-endian
            return b"", int(page.tags.valueof(274, 0)), ("its EXIF cannot be read",)
        return guarded(lambda: exif)


def _pixels(page: Any, path: Path) -> Values:
    """Pixels of a page, channels last."""
    kind = page.photometric
    wanted = (
        PHOTOMETRIC.MINISBLACK,
        PHOTOMETRIC.MINISWHITE,
        PHOTOMETRIC.RGB,
        PHOTOMETRIC.PALETTE,
        PHOTOMETRIC.YCBCR,
    )
    if kind not in wanted:
        name = getattr(kind, "name", kind)
        raise ValueError(f"{path}: images of mode {name} are not supported; convert to RGB")
    if _UNSPECIFIED in tuple(page.extrasamples):
        raise ValueError(f"{path}: it has a band that is neither colour nor transparency")
    if kind == PHOTOMETRIC.YCBCR and page.compression != tifffile.COMPRESSION.JPEG:
        raise ValueError(f"{path}: YCbCr is only read if it is compressed as JPEG")
    values: Values = page.asarray()
    if _looks_of_8_bits(values):  # taken as 16 bits, like larger ones, it would be nearly black
        raise ValueError(
            f"{path}: whole numbers of {values.dtype} with a maximum of {values.max()} are not "
            "supported; convert to uint8 or, if white is 65535, to uint16"
        )
    if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and values.ndim == 3:
        values = np.moveaxis(values, 0, 2)
    if values.dtype == np.bool_:
        values = values.astype(np.uint8)
    if kind == PHOTOMETRIC.PALETTE:
        colours: Values = page.colormap[:, values] >> 8
        return colours.astype(np.uint8).transpose(1, 2, 0)
    bits = page.bitspersample
    if values.dtype == np.uint8 and bits < 8:
        values = (values.astype(np.uint16) * 255 // (2**bits - 1)).astype(np.uint8)
    elif values.dtype == np.uint16 and bits < 16:
        values = (values.astype(np.uint32) * 65535 // (2**bits - 1)).astype(np.uint16)
    if kind == PHOTOMETRIC.MINISWHITE:
        colours = values if values.ndim == 2 else values[..., :1]  # alpha is not inverted
        colours[...] = white(values) - colours
    if _ASSOCIATED in tuple(page.extrasamples):
        _divide(values)
    return values


def _looks_of_8_bits(values: Values) -> bool:
    """Whether integers of a dtype that does not imply a white level have none above 255."""
    kind = values.dtype.newbyteorder("=")
    says_white = kind in (np.uint8, np.uint16) or not np.issubdtype(kind, np.integer)
    if says_white or not values.size:
        return False
    return kind == np.int8 or 0 < values.max() <= LEVELS


def _divide(values: Values) -> None:
    """Undo premultiplication by alpha, in place and strip by strip."""
    top = white(values)
    for strip in np.array_split(values, -(-values.nbytes // _STRIP_BYTES)):
        alpha = strip[..., -1:].astype(np.float64)
        factor = np.divide(top, alpha, where=alpha > 0, out=np.zeros_like(alpha))
        colours = strip[..., :-1] * factor
        if np.issubdtype(values.dtype, np.integer):
            colours = np.rint(colours.clip(0, top))
        strip[..., :-1] = colours


def _profile(page: Any) -> bytes:
    """The colour profile; only bytes count, since ``bytes(n)`` of a number n has n bytes."""
    value = page.tags.valueof(tiff_tags.ICC)
    return value if isinstance(value, bytes) else b""


def _dpi(page: Any) -> tuple[float, float] | None:
    factor = {2: 1.0, 3: 2.54}.get(int(page.tags.valueof(296, 2)))
    values = [page.tags.valueof(tag) for tag in (282, 283)]
    if factor is None or not all(isinstance(value, tuple) and value[1] for value in values):
        return None
    across, down = (factor * above / below for above, below in values)
    return across, down


def _compress(strip: Values) -> bytes:
    """Horizontal differences, little-endian, deflated (TIFF 6.0, sections 14 and appendix)."""
    if np.issubdtype(strip.dtype, np.integer):
        strip = np.concatenate([strip[:, :1], np.diff(strip, axis=1)], 1)
    return zlib.compress(strip.astype(strip.dtype.newbyteorder("<")).tobytes())
