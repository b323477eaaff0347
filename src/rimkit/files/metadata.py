"""Metadata of image files: EXIF, XMP, colour profile, resolution, orientation."""

from __future__ import annotations

import dataclasses
import io
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from rimkit.files import xmp

Values = npt.NDArray[Any]
"""Pixels (H, W) or (H, W, C) as stored in a file."""

XMP, IPTC = 0x02BC, 0x83BB
"""TIFF tags that hold the two."""

_OF_WINDOWS = range(Base.XPTitle, Base.XPSubject + 1)

# The pixel layout of a TIFF is among its EXIF tags; the new file has its own.
DESCRIPTIVE = frozenset(
    {
        Base.ImageDescription,
        Base.Make,
        Base.Model,
        Base.Software,
        Base.DateTime,
        Base.Artist,
        Base.Copyright,
        Base.HostComputer,
        Base.DocumentName,
        Base.Rating,
        Base.RatingPercent,
        *_OF_WINDOWS,
    }
)
_DIRECTORIES = (IFD.Exif, IFD.GPSInfo)
_IPTC_RESOURCE = 0x0404  # a resource of Photoshop, in a JPEG
DAMAGED = "some of its EXIF is damaged, and is left out"
XMP_DAMAGED = "its XMP is damaged, and is left out"
_FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
_ELSEWHERE = frozenset({Base.Orientation, XMP, IPTC, *_DIRECTORIES})  # applied, or kept separately


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What is carried over from the file that is read to the one that is written.

    Attributes
    ----------
    exif
        Descriptive tags, camera and position, without orientation and thumbnail; empty if none.
    xmp
        Packet that describes the picture, see `rimkit.files.xmp.read`; empty if none.
    icc
        Colour profile; empty if none.
    dpi
        Pixels per inch across and down.
    gamma
        Exponent to which the file says pixels were raised, usually about 1 / 2.2; only in PNG.
    primaries, texts
        Chunks of a PNG, as names and contents: those that define its colours (cHRM, cICP), and its
        texts.
    comment
        Comment of a JPEG; empty if none.
    lost
        What has been left out already, in words.
    """

    exif: bytes = b""
    xmp: bytes = b""
    icc: bytes = b""
    dpi: tuple[float, float] | None = None
    gamma: float | None = None
    primaries: tuple[tuple[bytes, bytes], ...] = ()
    texts: tuple[tuple[bytes, bytes], ...] = ()
    comment: bytes = b""
    lost: tuple[str, ...] = ()


def read_metadata(image: Image.Image) -> tuple[Metadata, int]:
    """Return the metadata of an opened file, and its orientation (1 to 8)."""
    kept, orientation, lost = guarded(image.getexif, only=None)
    resources = image.info.get("photoshop")
    metadata = Metadata(
        exif=kept,
        icc=image.info.get("icc_profile") or b"",
        dpi=_dpi(image, kept),
        comment=image.info.get("comment") or b"",
        lost=lost,
    )
    has_iptc = isinstance(resources, dict) and _IPTC_RESOURCE in resources
    packet = image.info.get("xmp") or b""
    return with_descriptions(metadata, orientation, packet, has_iptc=has_iptc)


def _dpi(image: Image.Image, kept: bytes) -> tuple[float, float] | None:
    """Pixels per inch; Pillow reports 72 for a JPEG whose EXIF gives none."""
    dpi = image.info.get("dpi")
    is_told = image.format not in ("JPEG", "MPO") or image.info.get("jfif_unit") in (1, 2)
    if not is_told and not states_resolution(kept):
        return None
    return (float(dpi[0]), float(dpi[1])) if dpi else None


def states_resolution(kept: bytes) -> bool:
    """Whether EXIF gives the resolution."""
    exif = Image.Exif()
    exif.load(kept)
    return Base.XResolution in exif


def with_descriptions(
    metadata: Metadata, orientation: int, packet: bytes, *, has_iptc: bool
) -> tuple[Metadata, int]:
    """Add the contents of an XMP packet, and use its orientation if EXIF gives none (0).

    IPTC is not read; where XMP has texts, it usually repeats them.
    """
    said, lost = xmp.Xmp(), list(metadata.lost)
    try:
        said = xmp.read(packet)
    except ValueError:
        lost.append(XMP_DAMAGED)
    if xmp.is_extended(packet):
        lost.append("a part of its XMP is stored separately, and is left out")
    if has_iptc and not xmp.has_texts(said.description):
        lost.append("its IPTC texts are left out, and are not repeated in XMP")
    told = dataclasses.replace(metadata, xmp=said.description, lost=tuple(lost))
    return told, orientation or said.orientation


def guarded(
    load: Callable[[], Image.Exif], *, only: frozenset[int] | None = DESCRIPTIVE
) -> tuple[bytes, int, tuple[str, ...]]:
    """Apply `read_exif` to what ``load`` returns; keep nothing if it cannot be read at all."""
    try:
        return read_exif(load(), only=only)
    except _FAILURES:
        return b"", 0, (DAMAGED,)


def read_exif(
    exif: Image.Exif, *, only: frozenset[int] | None = DESCRIPTIVE
) -> tuple[bytes, int, tuple[str, ...]]:
    """Return the kept tags, as bytes that begin with ``Exif``, the orientation, and what is lost.

    The orientation is 1 to 8, or 0 if none is given; what is lost is described in words. ``only``:
    the tags of the main directory that may be kept; None: all except orientation, XMP and IPTC.
    """
    orientation = exif.get(Base.Orientation, 0)
    kept = Image.Exif()
    for tag, value in exif.items():
        if tag not in _ELSEWHERE and (only is None or tag in only):
            kept[tag] = as_it_was(value)
    said = kept.get(Base.ImageDescription)
    if isinstance(said, str) and (rest := _without_layout(said)) != said:
        kept[Base.ImageDescription] = rest
        if not rest:
            del kept[Base.ImageDescription]
    for directory in _DIRECTORIES:
        if entries := entries_of(exif, directory):
            kept.get_ifd(directory).update(entries)
    filled = len(kept) or any(kept.get_ifd(directory) for directory in _DIRECTORIES)
    is_damaged = _drop_damaged(kept)
    orientation = orientation if orientation in range(1, 9) else 0
    return kept.tobytes() if filled else b"", orientation, (DAMAGED,) if is_damaged else ()


def _drop_damaged(exif: Image.Exif) -> bool:
    """Drop tags that cannot be written, such as text for a number; return whether any were."""
    found = False
    for directory in (None, *_DIRECTORIES):
        tags = exif if directory is None else exif.get_ifd(directory)
        for tag in [tag for tag in tags if not _can_be_written(tag, tags[tag], directory)]:
            del tags[tag]
            found = True
    return found


def _can_be_written(tag: int, value: Any, directory: int | None) -> bool:
    alone = Image.Exif()
    (alone if directory is None else alone.get_ifd(directory))[tag] = value
    try:
        alone.tobytes()
    except _FAILURES:
        return False
    return True


def colours_alone(metadata: Metadata) -> Metadata:
    """Keep only what defines the meaning of the pixels."""
    return Metadata(icc=metadata.icc, gamma=metadata.gamma, primaries=metadata.primaries)


def entries_of(exif: Image.Exif, directory: int) -> dict[int, Any]:
    """The tags of a directory, ready to be written, with the directory nested in the camera's."""
    entries = {tag: as_it_was(value) for tag, value in exif.get_ifd(directory).items()}
    if entries.pop(IFD.Interop, None) is not None and (nested := exif.get_ifd(IFD.Interop)):
        entries[IFD.Interop] = {tag: as_it_was(value) for tag, value in nested.items()}
    return entries


def as_it_was(value: Any) -> Any:
    """The bytes of a non-ASCII text: Pillow reads them as Latin-1, but writes only ASCII."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("latin-1", "replace")
    return value


def _without_layout(description: str) -> str:
    """A description without the shape that tifffile puts into it: the new file has its own."""
    try:
        fields = json.loads(description)
    except ValueError:
        return description
    if not (isinstance(fields, dict) and "shape" in fields):
        return description
    del fields["shape"]
    return json.dumps(fields) if fields else ""


def resized(metadata: Metadata, height: int, width: int) -> Metadata:
    """Return metadata for a new image size: where EXIF states a size, it is updated.

    Pixels per inch are kept.
    """
    if not metadata.exif:
        return metadata
    exif = Image.Exif()
    exif.load(metadata.exif)
    for directory, tags in (
        (exif, (Base.ImageLength, Base.ImageWidth)),
        (exif.get_ifd(IFD.Exif), (Base.ExifImageHeight, Base.ExifImageWidth)),
    ):
        for tag, side in zip(tags, (height, width), strict=True):
            if tag in directory:
                directory[tag] = side
    return dataclasses.replace(metadata, exif=read_exif(exif, only=None)[0])


def turned(values: Values, metadata: Metadata, orientation: int) -> tuple[Values, Metadata]:
    """Apply the orientation to pixels (H, W, ...), and adapt their metadata."""
    values = upright(values, orientation)
    if orientation >= 5:  # rows have become columns
        height, width = values.shape[:2]
        dpi = None if metadata.dpi is None else (metadata.dpi[1], metadata.dpi[0])
        metadata = dataclasses.replace(resized(metadata, height, width), dpi=dpi)
    return values, metadata


def upright(values: Values, orientation: int) -> Values:
    """Rotate and flip pixels (H, W, ...) by their EXIF orientation (EXIF 2.32, table 6)."""
    turns = {3: 2, 4: 2, 5: -1, 6: -1, 7: 1, 8: 1}.get(orientation, 0)
    values = np.rot90(values, turns)
    return values[:, ::-1] if orientation in (2, 4, 5, 7) else values


def profile_name(icc: bytes) -> str:
    """Name that a colour profile gives itself; empty if it cannot be read."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        return ImageCms.getProfileDescription(profile).strip()
    except (OSError, ImageCms.PyCMSError):
        return ""
