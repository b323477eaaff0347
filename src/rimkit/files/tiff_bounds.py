"""Limits on the decoded size of a TIFF, checked from its headers before a pixel is read."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tifffile import COMPRESSION

_COMPRESSIONS = (
    COMPRESSION.NONE,
    COMPRESSION.CCITTRLE,
    COMPRESSION.CCITTFAX3,
    COMPRESSION.CCITTFAX4,
    COMPRESSION.LZW,
    COMPRESSION.JPEG,
    COMPRESSION.ADOBE_DEFLATE,
    COMPRESSION.PACKBITS,
    COMPRESSION.DEFLATE,
    COMPRESSION.LZMA,
    COMPRESSION.ZSTD,
)
_CHANNELS = 4
_TILE = 1 << 20  # pixels allowed in a tile even if the image is smaller
_BLOCK = 16  # JPEG pads sides to multiples of this
_TABLES = (0xC4, 0xC8, 0xCC)  # markers in the range of frame headers that start no frame
_BARE = range(0xD0, 0xD9)  # markers without content, which belong further on
_SCAN = (0xD9, 0xDA)  # end of image, start of scan


def check(page: Any, path: Path, *, largest: int) -> None:
    """Refuse a page whose pixels would take more memory than its width and height suggest.

    Decoders of strips that are files of their own, such as PNG, allocate what those files declare.
    Of these formats only JPEG is accepted, and its frames are inspected.

    Raises
    ------
    ValueError
        If it has more than ``largest`` pixels, other than 1 to 4 channels, a depth, tiles that are
        too large, a compression that is not known to be safe, or JPEG frames larger than their
        strips.
    """
    pixels = page.imagewidth * page.imagelength
    if pixels > largest:
        raise ValueError(
            f"{path}: too large to be opened safely ({page.imagewidth}x{page.imagelength} pixels)"
        )
    if page.samplesperpixel > _CHANNELS:
        raise ValueError(f"{path}: images of {page.samplesperpixel} channels are not supported")
    if page.imagedepth != 1 or page.tiledepth > 1:
        raise ValueError(f"{path}: volumes are not supported (depth {page.imagedepth})")
    if page.compression not in _COMPRESSIONS:
        name = getattr(page.compression, "name", page.compression)
        raise ValueError(f"{path}: TIFF compressed by {name} is not supported; use deflate or LZW")
    if page.is_tiled and page.tilewidth * page.tilelength > max(pixels, _TILE):
        raise ValueError(
            f"{path}: tiles of {page.tilewidth}x{page.tilelength} are too large to be opened safely"
        )
    if page.compression == COMPRESSION.JPEG:
        _check_frames(page, path)


def _check_frames(page: Any, path: Path) -> None:
    across = page.tilewidth if page.is_tiled else page.imagewidth
    down = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    frames = [_frame(io.BytesIO(page.jpegtables).read)] if page.jpegtables else []
    with path.open("rb") as file:
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            file.seek(offset)
            frames.append(_frame(file.read) if count else (0, 0))
    for height, width in frames:
        if height >= down + _BLOCK or width >= across + _BLOCK:
            raise ValueError(
                f"{path}: too large to be opened safely (a part of {across}x{down} pixels holds "
                f"a JPEG of {width}x{height})"
            )


def _frame(read: Callable[[int], bytes]) -> tuple[int, int]:
    """(H, W) of the JPEG that begins here; (0, 0) if it has no pixels.

    Stricter than decoders, which tolerate what no encoder writes.
    """
    if read(2) != b"\xff\xd8":
        raise ValueError("a part is not a JPEG")
    while True:
        mark, kind = struct.unpack("BB", read(2))
        while kind == 0xFF:
            (kind,) = read(1)
        if mark != 0xFF or kind < 0xC0 or kind in _BARE:
            raise ValueError("a JPEG is damaged")
        if kind in _SCAN:
            return 0, 0
        (length,) = struct.unpack(">H", read(2))
        content = read(max(0, length - 2))
        if kind <= 0xCF and kind not in _TABLES:
            height, width = struct.unpack(">HH", content[1:5])
            return height, width
