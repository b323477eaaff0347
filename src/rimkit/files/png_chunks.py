"""The metadata chunks of a PNG (PNG, third edition, section 11.3).

Read here and not by Pillow, which puts the texts of a file among its own entries, under the
keywords that people gave them: a text called "gamma" takes the place of the gamma.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from PIL import Image

from rimkit.files.metadata import XMP_DAMAGED, Metadata, guarded, with_descriptions

LONGEST = 1 << 24
"""Most bytes that are read of a profile, of EXIF and of all texts."""

FINEST = 5e7
"""Highest resolution that a PNG can state, in pixels per inch, approximately."""

_PRIMARIES = (b"cHRM", b"cICP")
_LIMITS = {b"cHRM": 32, b"cICP": 4, b"gAMA": 4, b"pHYs": 9, b"iCCP": LONGEST, b"eXIf": LONGEST}
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"XML:com.adobe.xmp"
_PROFILE = b"Raw profile type "  # by ImageMagick: EXIF, XMP or IPTC in hex digits
_OF_JPEG = b"http://ns.adobe.com/xap/1.0/\0"  # precedes XMP in APP1
_MALFORMED = (IndexError, ValueError, struct.error, zlib.error)


def read_metadata(path: Path) -> tuple[Metadata, int]:
    """Return the metadata of a PNG, and its orientation (1 to 8)."""
    found = _Found(path)
    exif = found.single.get(b"eXIf", b"") or found.exif
    kept, orientation, lost = guarded(lambda: _loaded(exif), only=None)
    icc = _profile(found)
    metadata = Metadata(
        exif=kept,
        icc=icc,
        dpi=_dpi(found.single.get(b"pHYs", b"")),
        gamma=int.from_bytes(found.single.get(b"gAMA", b"")) / 100_000 or None,
        primaries=tuple((name, found.single[name]) for name in _PRIMARIES if name in found.single),
        texts=tuple(found.texts),
        lost=(*lost, *found.lost),
    )
    return with_descriptions(metadata, orientation, found.xmp, has_iptc=found.has_iptc)


def others(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    """Chunks that Pillow has to be given one by one (PNG, third edition, section 11.3)."""
    yield from metadata.primaries
    if metadata.gamma:
        yield b"gAMA", struct.pack(">I", round(metadata.gamma * 100_000))
    if metadata.xmp:
        yield b"iTXt", _XMP + bytes(5) + metadata.xmp
    yield from metadata.texts


def as_pillow_writes(metadata: Metadata) -> Iterator[tuple[bytes, bytes]]:
    """Chunks that Pillow writes by itself, for a file that is not written by Pillow."""
    if metadata.icc:
        yield b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)
    if metadata.dpi and max(metadata.dpi) <= FINEST:
        across, down = (round(dots / 0.0254) for dots in metadata.dpi)
        yield b"pHYs", struct.pack(">IIB", across, down, 1)
    if metadata.exif:
        yield b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")


class _Found:
    """The chunks of a file; those that may occur several times are sorted by meaning."""

    def __init__(self, path: Path) -> None:
        self.single: dict[bytes, bytes] = {}
        self.texts: list[tuple[bytes, bytes]] = []
        self.exif = self.xmp = b""
        self.has_iptc = False
        self.lost: list[str] = []
        left = LONGEST
        for name, length, file in _walk(path):
            if name not in self.single and length <= _LIMITS.get(name, -1):
                self.single[name] = file.read(length)
            elif name in _TEXTS and length <= left:
                content = file.read(length)
                left -= length
                self._sort(name, content)
            elif name in _TEXTS:
                self._lose("some of its texts are too long, and are left out")

    def _sort(self, name: bytes, content: bytes) -> None:
        keyword = content.partition(b"\0")[0]
        if keyword == _XMP:
            try:
                self.xmp = self.xmp or _text(name, content)
            except _MALFORMED:
                self._lose(XMP_DAMAGED)
        elif keyword.startswith(_PROFILE):
            try:
                self._keep(keyword.removeprefix(_PROFILE), _undigit(_text(name, content)))
            except _MALFORMED:
                self._lose("a profile among its texts is damaged, and is left out")
        else:
            self.texts.append((name, content))

    def _keep(self, kind: bytes, profile: bytes) -> None:
        if kind == b"exif" or profile.startswith(b"Exif\0\0"):
            self.exif = self.exif or profile
        elif kind == b"xmp" or profile.startswith(_OF_JPEG):
            self.xmp = self.xmp or profile.removeprefix(_OF_JPEG)
        elif kind in (b"iptc", b"8bim"):
            self.has_iptc = True

    def _lose(self, what: str) -> None:
        if what not in self.lost:
            self.lost.append(what)


def _walk(path: Path) -> Iterator[tuple[bytes, int, IO[bytes]]]:
    """Name and length of every chunk, and the file positioned at its content."""
    with path.open("rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            length, name = struct.unpack(">I4s", head)
            end = file.tell() + length + 4
            yield name, length, file
            if name == b"IEND":
                return
            file.seek(end)


def _loaded(data: bytes) -> Image.Exif:
    exif = Image.Exif()
    if data:
        exif.load(data)
    return exif


def _profile(found: _Found) -> bytes:
    content = found.single.get(b"iCCP", b"").partition(b"\0")[2]
    try:
        return _inflated(content[1:]) if content else b""
    except _MALFORMED:
        found.lost.append("its colour profile is damaged, and is left out")
        return b""


def _dpi(content: bytes) -> tuple[float, float] | None:
    if len(content) < 9 or content[8] != 1:  # unknown unit: only an aspect ratio
        return None
    across, down = struct.unpack(">II", content[:8])
    return (across * 0.0254, down * 0.0254) if across and down else None


def _text(kind: bytes, content: bytes) -> bytes:
    """The text of a chunk, as bytes: Latin-1, or UTF-8 in iTXt."""
    rest = content.partition(b"\0")[2]
    if kind == b"tEXt":
        return rest
    if kind == b"zTXt":
        return _inflated(rest[1:])
    _, _, text = rest[2:].split(b"\0", 2)  # language, translated keyword
    return _inflated(text) if rest[0] else text


def _undigit(text: bytes) -> bytes:
    """The bytes of a profile stored as text: name, length, and lines of hex digits."""
    return bytes.fromhex(text.strip().split(b"\n", 2)[2].decode("ascii"))


def _inflated(data: bytes) -> bytes:
    stream = zlib.decompressobj()
    text = stream.decompress(data, LONGEST)
    if not stream.eof:
        raise ValueError("too long, or cut")
    return text
