"""The Berkeley segmentation data set: 200 training and 100 test images, research use only."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.request
import zlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

URL = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/BSDS300-images.tgz"
LOCAL_COPY = "RIMKIT_BSDS300"
CACHE = "RIMKIT_CACHE"

# URLError is an OSError; a truncated download raises any of the others.
_BROKEN = (OSError, EOFError, tarfile.TarError, zlib.error, http.client.HTTPException)

Split = Literal["train", "test"]


def image_paths(split: Split) -> list[Path]:
    """Paths of the 200 training or the 100 test images, in the order of their names.

    They are in the folder that the environment variable RIMKIT_BSDS300 names (it holds ``train``
    and ``test``), or else in the cache folder, see `fetch`.

    Raises
    ------
    ValueError
        If there is no copy in that place, or an image in it is missing.
    """
    root = find()
    if root is None and os.environ.get(LOCAL_COPY):
        raise ValueError(f"{LOCAL_COPY} is {os.environ[LOCAL_COPY]}, which holds no folder train/")
    if root is None:
        raise ValueError(
            f"BSDS300 was not found: set {LOCAL_COPY} to a folder that holds train/ and test/, "
            "or run `rimkit data bsds300` once to download it"
        )
    paths = [root / name for name in checksums() if name.startswith(f"{split}/")]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ValueError(f"{root} is not a complete copy of BSDS300: {missing[0].name} is missing")
    return paths


def names(split: Split) -> frozenset[str]:
    """Names of the images of a split, without their ending."""
    return frozenset(Path(name).stem for name in checksums() if name.startswith(f"{split}/"))


def find() -> Path | None:
    """Folder of the local copy, or of the cached one if none is named; None if not there."""
    local = os.environ.get(LOCAL_COPY)
    roots = [Path(local), Path(local) / "images"] if local else [cache_folder() / "bsds300"]
    return next((root for root in roots if (root / "train").is_dir()), None)


def cache_folder() -> Path:
    """Where downloads go: RIMKIT_CACHE, or ``rimkit`` in the user's cache folder."""
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rimkit"


def fetch(*, url: str = URL) -> Path:
    """Download BSDS300 (22 MB) into the cache folder, check every image, return its folder.

    Raises
    ------
    ValueError
        If the download fails, an image is missing or has a wrong checksum, or the cache folder
        cannot be written; then nothing is kept.
    """
    target = cache_folder() / "bsds300"
    with _scratch(target.parent) as scratch:
        archive = Path(scratch) / "images.tgz"
        try:
            with urllib.request.urlopen(url, timeout=60) as source, archive.open("wb") as sink:  # noqa: S310
                shutil.copyfileobj(source, sink)
            images = Path(scratch) / "images"
            with tarfile.open(archive) as bundle:
                _unpack(bundle, images)
        except _BROKEN as error:
            raise ValueError(f"BSDS300 could not be downloaded from {url}: {error}") from error
        if not (images / "train").is_dir():
            raise ValueError(f"{url} holds no folder train/: it is not BSDS300")
        verify(images)
        shutil.rmtree(target, ignore_errors=True)
        images.rename(target)
    return target


def _scratch(cache: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=cache)
    except OSError as error:
        raise ValueError(
            f"{cache} cannot be written ({error.strerror}): set {CACHE} to another folder"
        ) from error


def _unpack(bundle: tarfile.TarFile, folder: Path) -> None:
    """Extract the images, wherever they are in the archive, and nothing else."""
    for member in bundle:
        name = "/".join(member.name.split("/")[-2:])
        content = bundle.extractfile(member) if member.isfile() and name in checksums() else None
        if content is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content.read())


def verify(root: Path) -> None:
    """Check all 300 images below ``root`` against their checksums.

    Raises
    ------
    ValueError
        If an image is missing or differs.
    """
    for name, expected in checksums().items():
        path = root / name
        if not path.is_file():
            raise ValueError(f"{name} is missing from {root}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise ValueError(f"{name} in {root} differs from the original (wrong checksum)")


@cache
def checksums() -> dict[str, str]:
    """SHA-256 of each image by its name (``train/ID.jpg``), in lexicographic order."""
    text = resources.files("rimkit.data").joinpath("bsds300.sha256").read_text()
    pairs = (line.split() for line in text.splitlines())
    return dict(sorted((name, digest) for digest, name in pairs))
