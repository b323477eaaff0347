"""PNG with 16-bit colour, which Pillow would cut to 8 bits."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import imagecodecs

from rimkit.files.metadata import Metadata, Values

_GREY, _PALETTE = 0, 3  # colour types
_PRIMARIES = (b"cHRM", b"cICP")
_LONGEST = 32  # bytes of one of them

FINEST = 5e7
"""Pixels per inch that a PNG can tell, about."""


def is_for_libpng(path: Path) -> bool:
    """Whether Pillow would lose something of a PNG.

    16-bit colour, 16-bit grey with alpha, and which grey is transparent where there are not 8 bits.
    """
    with path.open("rb") as file:
        header = file.read(26)
    if len(header) < 26:
        return False
    depth, colour = header[24:]
    return depth != 8 if colour == _GREY else depth == 16 and colour != _PALETTE


def read(path: Path) -> Values:
    """Read (H, W), or (H, W, 2 to 4) with alpha last, as they are; under 8 bits spread over 8.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    try:
        values: Values = imagecodecs.png_decode(path.read_bytes())
    except imagecodecs.PngError as error:
        raise ValueError(f"{path}: cannot be read as an image ({error})") from error
    return values


def write(values: Values, file: IO[bytes], metadata: Metadata) -> None:
    """Write (H, W, 1 to 4) of 8 or 16 bits."""
    encoded = imagecodecs.png_encode(values[..., 0] if values.shape[2] == 1 else values)
    header_end = 8 + 8 + 13 + 4  # signature; length and name, content, checksum of IHDR
    file.write(encoded[:header_end])
    for kind, content in _chunks(metadata):
        file.write(struct.pack(">I", len(content)) + kind + content)
        file.write(struct.pack(">I", zlib.crc32(kind + content)))
    file.write(memoryview(encoded)[header_end:])


def primaries(path: Path) -> tuple[tuple[bytes, bytes], ...]:
    """The chunks that say which colours the numbers mean: names and contents."""
    found = []
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            if name in (b"PLTE", b"IDAT"):  # before which they stand
                break
            if name in _PRIMARIES and length <= _LONGEST:
                found.append((name, file.read(length)))
                length = 0
            file.seek(length + 4, 1)
    return tuple(found)


def gamma(value: float) -> bytes:
    """What stands in a gAMA chunk."""
    return struct.pack(">I", round(value * 100_000))


def _chunks(metadata: Metadata) -> Iterable[tuple[bytes, bytes]]:
    """The metadata as chunks (PNG, third edition, section 11.3)."""
    if metadata.icc:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)
    yield from metadata.primaries
    if metadata.gamma:
        yield b"gAMA", gamma(metadata.gamma)
    if metadata.dpi and max(metadata.dpi) <= FINEST:
        across, down = (round(dots / 0.0254) for dots in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")
