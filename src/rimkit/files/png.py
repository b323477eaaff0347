"""PNG with 16-bit colour, which Pillow would reduce to 8 bits."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import IO

import imagecodecs
from PIL import Image, PngImagePlugin

from rimkit.files import png_chunks
from rimkit.files.metadata import Metadata, Values

_GREY, _PALETTE = 0, 3  # colour types


def is_for_libpng(path: Path) -> bool:
    """Whether Pillow would lose something in a PNG.

    16-bit colour, 16-bit grey with alpha, or the transparent grey level of other than 8-bit images.
    """
    with path.open("rb") as file:
        header = file.read(26)
    if len(header) < 26:
        return False
    depth, colour = header[24:]
    return depth != 8 if colour == _GREY else depth == 16 and colour != _PALETTE


def read(path: Path) -> Values:
    """Read (H, W), or (H, W, 2 to 4) with alpha last, as stored; below 8 bits, scaled to 8.

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


def take_long_profiles() -> None:
    """Raise Pillow's limit of 1 MB on colour profiles in PNG, which those of printers exceed.

    Permanently: if it were reset, it would not hold for all threads that read concurrently.
    """
    PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, png_chunks.LONGEST)


def forget_texts(image: Image.Image, path: Path) -> None:
    """Keep Pillow from taking texts for its own entries of the same names when it decodes."""
    for name in ("transparency", "interlace"):
        if isinstance(image.info.get(name), str):
            del image.info[name]
    with path.open("rb") as file:
        header = file.read(29)
    if header[28:] == b"\1":
        image.info["interlace"] = 1


def write(values: Values, file: IO[bytes], metadata: Metadata) -> None:
    """Write (H, W, 1 to 4) of 8 or 16 bits."""
    encoded = imagecodecs.png_encode(values[..., 0] if values.shape[2] == 1 else values)
    header_end = 8 + 8 + 13 + 4  # signature; length and name, content, checksum of IHDR
    file.write(encoded[:header_end])
    for kind, content in (*png_chunks.as_pillow_writes(metadata), *png_chunks.others(metadata)):
        file.write(struct.pack(">I", len(content)) + kind + content)
        file.write(struct.pack(">I", zlib.crc32(kind + content)))
    file.write(memoryview(encoded)[header_end:])
