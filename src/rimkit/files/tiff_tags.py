"""What TIFF tags say that is not carried over to another file, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from PIL.ExifTags import IFD, Base

from rimkit.files.metadata import DESCRIPTIVE, IPTC, XMP

ICC = 34675

_LAYERS = 37724  # of Photoshop
_MAP = frozenset({33550, 33922, 34264, 34735, 34736, 34737})  # GeoTIFF 1.1, section 7.1
_COLOURS = frozenset({301, 318, 319})  # transfer function, white, primaries

# Pixel layout (TIFF 6.0), and what programs store there for themselves: Photoshop's window state,
# printer settings, padding.
_OF_THE_FILE = frozenset(
    {
        *range(254, 260),
        *range(262, 267),
        *range(277, 282),
        *range(286, 288),
        *range(320, 326),
        *range(338, 342),
        *range(512, 522),
        *range(529, 533),
        Base.StripOffsets,
        Base.Orientation,
        Base.XResolution,
        Base.YResolution,
        Base.PlanarConfiguration,
        Base.ResolutionUnit,
        Base.PageNumber,
        Base.Predictor,
        Base.SubIFDs,
        Base.JPEGTables,
        Base.ImageResources,
        Base.PrintImageMatching,
        59932,
        59933,
    }
)
_KEPT = DESCRIPTIVE | _OF_THE_FILE | {XMP, IPTC, ICC, IFD.Exif, IFD.GPSInfo}


def left_out(tags: Iterable[int]) -> Iterator[str]:
    """Yield what is left out of a file with these tags, group by group."""
    found = set(tags) - _KEPT
    if _LAYERS in found:
        yield "its Photoshop layers are left out"
    if found & _MAP:
        yield "its place on the map (GeoTIFF) is left out"
    if found & _COLOURS:
        yield "what it says about its primary colours is left out"
    if others := sorted(found - {_LAYERS} - _MAP - _COLOURS):
        yield f"its unknown tags are left out: {', '.join(map(str, others))}"
