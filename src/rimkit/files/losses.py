"""Metadata of a file that a format cannot hold."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from rimkit.files.metadata import Metadata, profile_name, states_resolution

_USUAL_GAMMA = 1 / 2.2
_OF_SRGB = {  # as in the chunks of a PNG
    (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
    (b"cICP", bytes((1, 13, 0, 1))),
}
_LONGEST_XMP = 65_502  # bytes, in a JPEG
_MOST_NAMED = 5
_LONGEST_KEYWORD = 79  # PNG's limit


def takes_xmp(kind: str, packet: bytes) -> bool:
    """Whether a format, by Pillow's name, can hold an XMP packet."""
    return kind != "BMP" and (kind != "JPEG" or len(packet) <= _LONGEST_XMP)


def takes_profile(kind: str, profile: bytes) -> bool:
    """Whether a format, by Pillow's name, can hold a colour profile: WebP has no greyscale."""
    return kind != "BMP" and not (kind == "WEBP" and profile[16:20] == b"GRAY")


def what_is_lost(metadata: Metadata, kind: str) -> Iterator[str]:
    """Yield what a format, by Pillow's name, would lose, and a note if a profile is not sRGB."""
    yield from metadata.lost
    if kind == "BMP" and metadata.exif:
        yield "its EXIF is left out, since BMP cannot hold it"
    if metadata.xmp and not takes_xmp(kind, metadata.xmp):
        yield f"its XMP is left out, since {kind} cannot hold it"
    if metadata.texts and kind != "PNG":
        words = (text.partition(b"\0")[0][:_LONGEST_KEYWORD] for _, text in metadata.texts)
        names = ", ".join(word.decode("latin-1") for word in [*dict.fromkeys(words)][:_MOST_NAMED])
        yield f"its texts are left out, since only PNG can hold them: {names}"
    if metadata.comment and kind != "JPEG":
        yield "its comment is left out, since only JPEG can hold it"
    if kind == "WEBP" and metadata.dpi and not states_resolution(metadata.exif):
        yield "its resolution is left out, since WEBP cannot hold it"
    profile = metadata.icc
    if profile and "sRGB" not in profile_name(profile):
        name = profile_name(profile) or "one that cannot be read"
        carried = "it is kept" if takes_profile(kind, profile) else f"{kind} cannot hold it"
        yield f"its colour profile is not sRGB but {name}; {carried}"
    if profile or kind == "PNG":
        return
    if metadata.gamma and abs(metadata.gamma - _USUAL_GAMMA) > 0.01:
        yield f"its gamma of {metadata.gamma:g} is left out, since only PNG can hold it"
    if not set(metadata.primaries) <= _OF_SRGB:
        yield "its primary colours are left out, since only PNG can hold them"
