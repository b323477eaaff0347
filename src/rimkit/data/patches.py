"""An endless stream of training patches, each identified by its number.

Patch i depends only on the seed and on i. So a training that resumes at update k draws the patches
that it would have drawn, and several processes share one stream without communicating.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from rimkit.data.images import bytes_to_unit
from rimkit.pixels import Bytes

_OF_CONTRAST = 1  # keeps its random numbers apart from all others


def draw_patch(images: Sequence[Bytes], size: int, *, seed: int, number: int) -> Bytes:
    """Patch ``number`` (C, size, size): from any place in any image, in any of 8 orientations."""
    rng = np.random.Generator(np.random.Philox(key=[seed, number]))
    image = images[int(rng.integers(len(images)))]
    top, left = (int(rng.integers(extent - size + 1)) for extent in image.shape[1:])
    turns = int(rng.integers(4))
    patch = np.rot90(image[:, top : top + size, left : left + size], turns, axes=(1, 2))
    return np.flip(patch, 2) if rng.integers(2) else patch


def draw_contrast(contrast: tuple[float, float], *, seed: int, number: int) -> float:
    """Contrast of patch ``number``: its logarithm is uniform in the range."""
    low, high = contrast
    if low == high:
        return low
    rng = np.random.default_rng([seed, number, _OF_CONTRAST])
    return float(low * (high / low) ** rng.random())


def seeded(seed: int, *salt: int) -> torch.Generator:
    """A generator that depends on the seed and on all of ``salt``, and on nothing else."""
    state = np.random.SeedSequence([seed, *salt]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)


@dataclasses.dataclass(frozen=True)
class Share:
    """Which part of every batch a process draws: ``rank`` of ``processes``."""

    rank: int = 0
    processes: int = 1


class PatchBatches(IterableDataset[tuple[int, Tensor]]):
    """Yields (update, batch): the number of the update, and x (size, C, patch, patch) in [0, 1].

    Parameters
    ----------
    images
        8-bit arrays (C, H, W), none smaller than a patch.
    patch, size
        Side of a patch in pixels; patches per batch and process.
    seed
        Seed of the stream.
    start
        The update to begin with.
    share
        This process' part.
    contrast
        Range of the patches' contrast about mid grey, from 0 (exclusive) to 1, drawn log-uniformly.

    Raises
    ------
    ValueError
        If an image is smaller than a patch.
    """

    def __init__(
        self,
        images: Sequence[Bytes],
        *,
        patch: int,
        size: int,
        seed: int,
        start: int = 0,
        share: Share | None = None,
        contrast: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        super().__init__()
        smallest = min(min(image.shape[1:]) for image in images)
        if smallest < patch:
            raise ValueError(f"patches are {patch}x{patch}, but an image has a side of {smallest}")
        self.images = images
        self.patch = patch
        self.size = size
        self.seed = seed
        self.start = start
        self.share = share if share is not None else Share()
        self.contrast = contrast

    def __iter__(self) -> Iterator[tuple[int, Tensor]]:
        if get_worker_info() is not None:
            raise ValueError(
                "every worker would draw the same patches: give the DataLoader num_workers=0 (the "
                "patches of an update take well under a millisecond)"
            )
        update = self.start
        while True:
            first = (update * self.share.processes + self.share.rank) * self.size
            numbers = range(first, first + self.size)
            patches = [
                draw_patch(self.images, self.patch, seed=self.seed, number=number)
                for number in numbers
            ]
            yield update, self._faded(bytes_to_unit(patches), numbers)
            update += 1

    def _faded(self, x: Tensor, numbers: Sequence[int]) -> Tensor:
        if self.contrast == (1.0, 1.0):
            return x
        contrast = [draw_contrast(self.contrast, seed=self.seed, number=n) for n in numbers]
        return torch.lerp(torch.full_like(x, 0.5), x, torch.tensor(contrast).view(-1, 1, 1, 1))


def spread_patches(image: Tensor, side: int, *, count: int) -> Tensor:
    """Evenly spread, non-overlapping patches (n, C, side, side) of an image (C, H, W).

    At most ``count``, or as many as an image has.
    """
    tiles = image.unfold(1, side, side).unfold(2, side, side).flatten(1, 2).movedim(1, 0)
    return tiles[torch.linspace(0, len(tiles) - 1, min(len(tiles), count)).long()]
