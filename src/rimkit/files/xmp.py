"""XMP: what a packet says about the picture is kept, what it says about the file is dropped.

A newly written file has other bytes and another size, and is upright: the packet's orientation and
size, its thumbnails, and pointers to data after the image (videos, depth or brightness maps) would
be wrong. So only descriptive vocabularies are kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree import ElementTree

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_META = "adobe:ns:meta/"
_ADOBE = "http://ns.adobe.com"

# By prefix, the vocabularies that describe pictures (XMP specification, part 2; IPTC 2023.2).
_VOCABULARIES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": f"{_ADOBE}/xap/1.0/",
    "xmpRights": f"{_ADOBE}/xap/1.0/rights/",
    "photoshop": f"{_ADOBE}/photoshop/1.0/",
    "crs": f"{_ADOBE}/camera-raw-settings/1.0/",
    "lr": f"{_ADOBE}/lightroom/1.0/",
    "aux": f"{_ADOBE}/exif/1.0/aux/",
    "exif": f"{_ADOBE}/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "cc": "http://creativecommons.org/ns#",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
}
_OF_THE_PICTURE = ("Artist", "Copyright", "ImageDescription", "Make", "Model")  # in tiff
_OF_THE_FILE = {
    f"{{{_VOCABULARIES[prefix]}}}{name}"
    for prefix, name in (
        ("xmp", "Thumbnails"),
        ("exif", "PixelXDimension"),
        ("exif", "PixelYDimension"),
        ("exif", "NativeDigest"),
    )
}
_TIFF = f"{_ADOBE}/tiff/1.0/"
_ORIENTATION = f"{{{_TIFF}}}Orientation"
_FRAME, _ABOUT = f"{{{_RDF}}}RDF", f"{{{_RDF}}}about"
_LONGEST = 1 << 24  # bytes

for _prefix, _address in {"rdf": _RDF, "x": _META, "tiff": _TIFF, **_VOCABULARIES}.items():
    ElementTree.register_namespace(_prefix, _address)


class Xmp(NamedTuple):
    """Contents of a packet.

    Attributes
    ----------
    description
        What it says about the picture, as a packet; empty if nothing.
    orientation
        1 to 8; 1 if it gives none.
    """

    description: bytes = b""
    orientation: int = 1


def read(packet: bytes) -> Xmp:
    """Read a packet, which may be empty.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    root = _root(packet)
    if root is None:
        return Xmp()
    frames = [root] if root.tag == _FRAME else root.iter(_FRAME)
    said = [description for frame in frames for description in frame]
    return Xmp(_of_the_picture(said), _orientation(said))


def _of_the_picture(said: Iterable[ElementTree.Element]) -> bytes:
    meta = ElementTree.Element(f"{{{_META}}}xmpmeta")
    frame = ElementTree.SubElement(meta, _FRAME)
    for each in said:
        attributes = {name: value for name, value in each.attrib.items() if _stays(name)}
        properties = [child for child in each if _stays(child.tag)]
        if attributes or properties:
            description = ElementTree.SubElement(frame, each.tag, {_ABOUT: ""} | attributes)
            description.extend(properties)
    if not len(frame):
        return b""
    try:
        text = ElementTree.tostring(meta, encoding="unicode")
    except RecursionError:
        raise ValueError("damaged XMP: it is nested too deeply") from None
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    return f'{begin}\n{text}\n<?xpacket end="w"?>'.encode()


def _orientation(said: Iterable[ElementTree.Element]) -> int:
    for each in said:
        value = each.get(_ORIENTATION) or each.findtext(_ORIENTATION) or ""
        if value in {str(number) for number in range(1, 9)}:
            return int(value)
    return 1


def is_extended(packet: bytes) -> bool:
    """Whether a JPEG's packet is only a part: the rest is stored separately, and not read."""
    return b"HasExtendedXMP" in packet


def has_texts(packet: bytes) -> bool:
    """Whether a packet has texts of the kind that IPTC has."""
    return any(_VOCABULARIES[prefix].encode() in packet for prefix in ("dc", "photoshop"))


def _root(packet: bytes) -> ElementTree.Element | None:
    if packet[:2] in (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<"):
        kind = "utf-16" if packet[0] in (0xFF, 0xFE) else "utf-16-le" if packet[0] else "utf-16-be"
        packet = packet[: len(packet) // 2 * 2].decode(kind, "replace").encode()
    packet = packet.strip(b"\0\t\r\n ")
    if not packet:
        return None
    if len(packet) > _LONGEST:
        raise ValueError(f"damaged XMP: it has {len(packet):,} bytes")
    try:
        return ElementTree.fromstring(packet)  # noqa: S314, expat limits entity expansion
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"damaged XMP: {error}") from error


def _stays(name: str) -> bool:
    vocabulary = name[1:].partition("}")[0] if name.startswith("{") else ""
    if vocabulary == _TIFF:
        return name.partition("}")[2] in _OF_THE_PICTURE
    return vocabulary in _VOCABULARIES.values() and name not in _OF_THE_FILE
