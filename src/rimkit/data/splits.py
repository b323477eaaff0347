"""Which images a training reads, and which of them are held out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rimkit.data import bsds300
from rimkit.data.images import list_images, load_bytes
from rimkit.pixels import Bytes

BSDS300 = "bsds300"
"""Stands for the training images of BSDS300 where folders are expected."""

HELD_OUT_EVERY = 20
"""Every n-th training image is held out, unless a recipe says otherwise."""


def training_paths(*folders: str | Path) -> list[Path]:
    """Images below all folders, one after the other.

    Parameters
    ----------
    folders
        Where to look; the string ``"bsds300"`` stands for the training images of BSDS300, which are
        also the default.
    """
    paths: list[Path] = []
    for folder in folders or (BSDS300,):
        own = bsds300.image_paths("train") if folder == BSDS300 else list_images(Path(folder))
        paths += own
    return paths


def split_images(paths: list[Path], *, held_out_every: int) -> tuple[list[Path], list[Path]]:
    """Split paths into training and held-out ones: every n-th is held out, at least one.

    If all training images of BSDS300 are among them, by their names, every n-th of those is held
    out and no other, so that trainings on more images are validated on the same ones.

    Raises
    ------
    ValueError
        If there are fewer than two images, one occurs twice, or one has the name of a test image.
    """
    if len(paths) < 2:
        got = ", ".join(map(str, paths)) or "none"
        raise ValueError(f"a training needs at least two images, one of them held out; got {got}")
    _check(paths)
    names = bsds300.names("train")
    protocol = sorted((path for path in paths if path.stem in names), key=lambda path: path.stem)
    if {path.stem for path in protocol} != names:
        protocol = paths
    elif len(protocol) > len(names):
        first, again = _twice(protocol, key=lambda path: path.stem)
        raise ValueError(f"an image of BSDS300 occurs twice: {first} and {again}; remove one")
    held_out = protocol[::held_out_every]
    apart = set(held_out)
    return [path for path in paths if path not in apart], held_out


def held_out_paths() -> list[Path]:
    """The ten training images of BSDS300 on which choices are made; no recipe here trains on them.

    They are every twentieth by name.
    """
    _, held_out = split_images(training_paths(), held_out_every=HELD_OUT_EVERY)
    return held_out


def count_images(paths: Iterable[Path]) -> dict[str, int]:
    """Count the training images of BSDS300, by their names, and the others."""
    known = [path.stem in bsds300.names("train") for path in paths]
    return {"bsds300": sum(known), "other": len(known) - sum(known)}


def load_images(paths: list[Path], *, channels: int, smallest: int) -> list[Bytes]:
    """Load images, none of which may be smaller than a patch.

    Raises
    ------
    ValueError
        If one is smaller, or cannot be read.
    """
    images = []
    for path in paths:
        image = load_bytes(path, channels=channels)
        if min(image.shape[1:]) < smallest:
            height, width = image.shape[1:]
            raise ValueError(
                f"{path} is {height}x{width}, smaller than a patch of {smallest}x{smallest}: "
                "remove it, or lower data.patch"
            )
        images.append(image)
    return images


def _check(paths: Sequence[Path]) -> None:
    resolved = [path.resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        first, second = _twice(paths, key=Path.resolve)
        named = f"{first}" if first == second else f"{first} (the same file as {second})"
        raise ValueError(f"{named} would be read twice: each image may occur only once")
    for path in paths:
        if path.stem in bsds300.names("test"):
            raise ValueError(
                f"training images must not be test images: {path} has the name of a test image of "
                "BSDS300; remove it, or rename it if it is another picture"
            )


def _twice(paths: Sequence[Path], *, key: Callable[[Path], object]) -> tuple[Path, Path]:
    """The first two paths with the same key."""
    seen: dict[object, Path] = {}
    for path in paths:
        if key(path) in seen:
            return seen[key(path)], path
        seen[key(path)] = path
    raise AssertionError
