"""Files that visitors upload: received in time, examined before being opened, kept on disk."""

from __future__ import annotations

import dataclasses
import math
import re
import secrets
import tempfile
import threading
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

from rimkit.files.picture import Picture, read_picture, size_of
from rimkit.pixels import LEVELS, to_unit
from rimkit.restoring.denoiser import noise_level, shares_noise
from rimkit.web import looks
from rimkit.web.limits import Limits
from rimkit.web.shelf import Shelf

SAMPLES = {"coffee": "Coffee", "astronaut": "Astronaut", "cat": "Cat"}
SAMPLE = "sample-"
"""Prefix of the names of samples."""

_LONGEST_TITLE = 80
_PREVIEW_BYTES = 50e6  # of all previews kept in memory
_OVERHEAD = 5000  # approximate bytes that a small file takes on disk and in memory
_LONGEST_SIDE = 16_384  # of a canvas in a browser


@dataclasses.dataclass(frozen=True)
class Upload:
    """An image on the server.

    Attributes
    ----------
    name
        Cannot be guessed, except for the samples.
    path
        Its file.
    title
        What the visitor calls it: no path, no control characters.
    facts
        Width, height, channels, the estimate of sigma in grey levels, and whether the channels
        share their noise, to be sent as JSON.
    """

    name: str
    path: Path
    title: str
    facts: dict[str, Any]


class Uploads:
    """The images on the server.

    Parameters
    ----------
    limits
        See `Limits`.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._folder = tempfile.TemporaryDirectory(prefix="rimkit-")
        self._files: Shelf[Upload] = Shelf(limits.kept_bytes, on_drop=_remove)
        self._previews: Shelf[bytes] = Shelf(_PREVIEW_BYTES)
        self._one_at_a_time = threading.Lock()
        self._samples = {
            f"{SAMPLE}{name}": self._sample(name, title)
            for name, title in SAMPLES.items()
            if math.prod(size_of(_sample_path(name))) <= limits.pixels
        }

    async def receive(self, chunks: AsyncIterator[bytes]) -> Path:
        """Write what is sent to a file in the folder, and return its path."""
        path = Path(self._folder.name) / secrets.token_urlsafe(16)
        try:
            with path.open("wb") as file:
                async for chunk in chunks:
                    file.write(chunk)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def examine(self, path: Path, title: str) -> Upload:
        """Keep a received file if it is an image that can be taken.

        Raises
        ------
        ValueError
            If it is not; the file is then deleted.
        """
        try:
            with self._one_at_a_time:
                upload = Upload(path.name, path, title_of(title), self._facts(path))
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, ValueError):
                raise ValueError(str(error).removeprefix(f"{path}: ")) from error
            raise
        self._files.put(upload.name, upload, path.stat().st_size + _OVERHEAD)
        return upload

    def get(self, name: str) -> Upload | None:
        """Return an image; None if it is not here, or no longer is."""
        return self._samples.get(name) or self._files.get(name)

    def read(self, upload: Upload) -> Picture:
        """Read an image.

        Raises
        ------
        ValueError
            If it is no longer here, or cannot be read any more.
        """
        try:
            return read_picture(upload.path)
        except (ValueError, OSError) as error:
            if upload.path.exists():
                raise ValueError(str(error).removeprefix(f"{upload.path}: ")) from error
            raise ValueError("the image is no longer here; send it again") from error

    def preview(self, upload: Upload) -> bytes:
        """Return an image as an 8-bit PNG without alpha; it is cached.

        Raises
        ------
        ValueError
            If it is no longer here.
        """
        with self._one_at_a_time:
            made = self._previews.get(upload.name)
            if made is None:
                made = looks.png(looks.values_of(to_unit(self.read(upload).colours)[:, None]))
                self._previews.put(upload.name, made, len(made))
            return made

    def samples(self) -> list[Upload]:
        """Return the images that come with the page, if they are small enough."""
        return list(self._samples.values())

    def close(self) -> None:
        """Remove all files."""
        self._folder.cleanup()

    def _facts(self, path: Path) -> dict[str, Any]:
        if path.stat().st_size == 0:
            raise ValueError("the file is empty")
        height, width = size_of(path)  # before a pixel is read
        if height * width > self._limits.pixels:
            raise ValueError(
                f"an image of {width}x{height} is too large: at most {self._limits.pixels:,} "
                "pixels are allowed here; `rimkit restore` takes any size"
            )
        if max(height, width) > _LONGEST_SIDE:
            raise ValueError(
                f"an image of {width}x{height} is too long: at most {_LONGEST_SIDE} pixels a side "
                "can be shown"
            )
        picture = read_picture(path)
        height, width, channels = picture.colours.shape
        sigma = noise_level(picture.colours)
        return {
            "width": width,
            "height": height,
            "channels": channels,
            "sigma": sigma * LEVELS,
            "shares_noise": shares_noise(picture.colours, sigma),
        }

    def _sample(self, name: str, title: str) -> Upload:
        path = _sample_path(name)
        return Upload(f"{SAMPLE}{name}", path, title, self._facts(path))


def _sample_path(name: str) -> Path:
    return Path(str(resources.files("rimkit.web") / "static" / "samples" / f"{name}.png"))


def title_of(text: str) -> str:
    """Return a safe title for a file, whatever a visitor calls it: no folders, nothing hidden."""
    name = re.split(r"[\\/]", text)[-1]
    name = "".join(letter for letter in name if letter.isprintable()).strip(". ")
    stem, dot, ending = name.rpartition(".")
    return ((stem if dot and len(ending) <= 5 else name)[:_LONGEST_TITLE]).strip(". ") or "image"


def _remove(upload: Upload) -> None:
    upload.path.unlink(missing_ok=True)
