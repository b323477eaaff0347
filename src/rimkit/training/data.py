"""Training data: patches of the training images, and crops of held-out ones."""

from __future__ import annotations

from typing import TypeVar

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rimkit.data.images import bytes_to_unit
from rimkit.data.patches import PatchBatches, Share, spread_patches
from rimkit.pixels import Bytes
from rimkit.training.recipe import Recipe

T = TypeVar("T")

_VALIDATION_SIDE = 256
_VALIDATION_PATCHES = 8


class PatchData(lightning.LightningDataModule):
    """Patches of training images, and crops of held-out ones.

    Parameters
    ----------
    recipe
        Gives the sizes of patches and batches, and the seed.
    images, held_out
        8-bit (C, H, W).
    """

    def __init__(self, recipe: Recipe, *, images: list[Bytes], held_out: list[Bytes]) -> None:
        super().__init__()
        self._recipe = recipe
        self._images = images
        self._held_out = held_out

    def train_dataloader(self) -> DataLoader[tuple[int, Tensor]]:
        """Batches, starting at the trainer's current update."""
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
        """Held-out images, centre-cropped to at most 256x256, one at a time.

        For tasks on patches only: eight patches of each image.
        """
        images = [bytes_to_unit(image) for image in self._held_out]
        if self._recipe.on_patches:
            side = self._recipe.data.patch
            batches = [spread_patches(i, side, count=_VALIDATION_PATCHES) for i in images]
        else:
            batches = [_middle(image)[None] for image in images]
        return _loader(batches)  # type: ignore[arg-type]


def _loader(batches: Dataset[T]) -> DataLoader[T]:
    """Load batches as they are; without a generator, every epoch would draw from torch's RNG."""
    return DataLoader(batches, batch_size=None, generator=torch.Generator())


def _middle(image: Tensor) -> Tensor:
    h, w = image.shape[-2:]
    top, left = max(0, (h - _VALIDATION_SIDE) // 2), max(0, (w - _VALIDATION_SIDE) // 2)
    return image[:, top : top + _VALIDATION_SIDE, left : left + _VALIDATION_SIDE]
