"""What a training reads: clean images, split into training and held-out ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rimkit.data import bsds300
from rimkit.data.images import Bytes, bytes_to_unit, list_images, load_bytes
from rimkit.data.patches import PatchBatches, Share, spread_patches
from rimkit.training.recipe import Recipe

T = TypeVar("T")

BSDS300 = "bsds300"
"""Stands for the training images of BSDS300 where folders are asked for."""

_VALIDATION_SIDE = 256
_VALIDATION_PATCHES = 8


class PatchData(lightning.LightningDataModule):
    """Patches of training images, and crops of held-out ones.

    Parameters
    ----------
    recipe
        Says how large patches and batches are, and the seed.
    images, held_out
        8-bit (C, H, W).
    """

    def __init__(self, recipe: Recipe, *, images: list[Bytes], held_out: list[Bytes]) -> None:
        super().__init__()
        self._recipe = recipe
        self._images = images
        self._held_out = held_out

    def train_dataloader(self) -> DataLoader[tuple[int, Tensor]]:
        """Batches from the update at which the trainer stands."""
        assert self.trainer is not None  # noqa: S101, Lightning sets it before it calls this
        batches = PatchBatches(
            self._images,
            patch=self._recipe.data.patch,
            size=self._recipe.data.batch - self._recipe.places,
            seed=self._recipe.seed,
            start=self.trainer.global_step,
            share=Share(self.trainer.global_rank, self.trainer.world_size),
            contrast=self._recipe.data.contrast,
        )
        return _loader(batches)

    def val_dataloader(self) -> DataLoader[Tensor]:
        """Held-out images, cut to at most 256x256 around the middle, one at a time.

        Eight patches of each where the task is for patches alone.
        """
        images = [bytes_to_unit(image) for image in self._held_out]
        if self._recipe.on_patches:
            side = self._recipe.data.patch
            batches = [spread_patches(i, side, count=_VALIDATION_PATCHES) for i in images]
        else:
            batches = [_middle(image)[None] for image in images]
        return _loader(batches)  # type: ignore[arg-type]


def _loader(batches: Dataset[T]) -> DataLoader[T]:
    """Load batches as they are; without a generator each round takes a number of torch's own."""
    return DataLoader(batches, batch_size=None, generator=torch.Generator())


def training_paths(*folders: str | Path) -> list[Path]:
    """Images below all folders, one after the other.

    Parameters
    ----------
    folders
        Where to look; the text ``"bsds300"`` stands for the training images of BSDS300, and so
        does no folder at all.
    """
    paths: list[Path] = []
    for folder in folders or (BSDS300,):
        own = bsds300.image_paths("train") if folder == BSDS300 else list_images(Path(folder))
        paths += own
    return paths


def split_images(paths: list[Path], *, held_out_every: int) -> tuple[list[Path], list[Path]]:
    """Split paths into training and held-out ones: every n-th is held out, at least one.

    Where all training images of BSDS300 are among them, by their names, every n-th of those is
    held out and no other, so that what is trained on more is watched on the same.

    Raises
    ------
    ValueError
        If there are fewer than two images, one is there twice, or one is a test image by its name.
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
        raise ValueError(f"an image of BSDS300 is there twice: {first} and {again}; take one out")
    held_out = protocol[::held_out_every]
    apart = set(held_out)
    return [path for path in paths if path not in apart], held_out


def count_images(paths: Iterable[Path]) -> dict[str, int]:
    """How many are training images of BSDS300, by their names, and how many are others."""
    known = [path.stem in bsds300.names("train") for path in paths]
    return {"bsds300": sum(known), "other": len(known) - sum(known)}


def load_images(paths: list[Path], *, channels: int, smallest: int) -> list[Bytes]:
    """Load images, none of which may be smaller than a patch.

    Raises
    ------
    ValueError
        If one is, or cannot be read.
    """
    images = []
    for path in paths:
        image = load_bytes(path, channels=channels)
        if min(image.shape[1:]) < smallest:
            height, width = image.shape[1:]
            raise ValueError(
                f"{path} is {height}x{width}, smaller than a patch of {smallest}x{smallest}: "
                "take it out, or lower data.patch"
            )
        images.append(image)
    return images


def _check(paths: Sequence[Path]) -> None:
    resolved = [path.resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        first, second = _twice(paths, key=Path.resolve)
        named = f"{first}" if first == second else f"{first}, which {second} is, too,"
        raise ValueError(f"{named} is read twice: no image may be there under two names or folders")
    for path in paths:
        if path.stem in bsds300.names("test"):
            raise ValueError(
                f"training images must not be test images: {path} has the name of a test image of "
                "BSDS300; take it out, or rename it if it is another picture"
            )


def _twice(paths: Sequence[Path], *, key: Callable[[Path], object]) -> tuple[Path, Path]:
    """The first two paths that are the same by a key."""
    seen: dict[object, Path] = {}
    for path in paths:
        if key(path) in seen:
            return seen[key(path)], path
        seen[key(path)] = path
    raise AssertionError


def _middle(image: Tensor) -> Tensor:
    h, w = image.shape[-2:]
    top, left = max(0, (h - _VALIDATION_SIDE) // 2), max(0, (w - _VALIDATION_SIDE) // 2)
    return image[:, top : top + _VALIDATION_SIDE, left : left + _VALIDATION_SIDE]
