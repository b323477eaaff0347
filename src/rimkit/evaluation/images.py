"""Clean test images, whose names seed their noise."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator
from pathlib import Path

from torch import Tensor

from rimkit.data import bsds300
from rimkit.data.images import bytes_to_unit, load_bytes

ROTH_BLACK = 68
"""The first 68 test images, in name order, are the set of Roth and Black (2005)."""


@dataclasses.dataclass(frozen=True)
class CleanImage:
    """A clean test image: its name, and x (1, C, H, W) in [0, 1]."""

    name: str
    x: Tensor

    @property
    def seed(self) -> int:
        """Seed of its noise: its name if that is a number, as in BSDS300, else a checksum of it."""
        return int(self.name) if self.name.isdecimal() else zlib.crc32(self.name.encode())


def load_test_images(count: int = 100, *, channels: int = 1) -> Iterator[CleanImage]:
    """Yield the first ``count`` test images of BSDS300."""
    for path in bsds300.image_paths("test")[:count]:
        yield load_image(path, channels=channels)


def load_image(path: Path, *, channels: int) -> CleanImage:
    """Load an image, named after its file."""
    return CleanImage(path.stem, bytes_to_unit(load_bytes(path, channels=channels))[None])
