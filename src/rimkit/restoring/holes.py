"""Images with holes, and a first guess at the missing pixels, from the whole image."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from rimkit import tree
from rimkit.operators import Mask, Window
from rimkit.operators.checks import check_mask
from rimkit.operators.filling import HALVINGS, fill, fill_from, halved
from rimkit.pixels import ROWS, Array, to_unit, write_unit

_BEYOND = 16  # rows above and below a band that are used to fill it
_COARSE = 2**HALVINGS


@dataclasses.dataclass(frozen=True)
class Holed:
    """An image that is filled in place.

    Attributes
    ----------
    values
        (H, W, C): uint8, uint16, or floating point with black 0 and white 1. May be a view. The
        values in its holes do not matter.
    missing
        (H, W), booleans: where the holes are.

    Raises
    ------
    ValueError
        If ``missing`` has another shape or dtype, or all pixels are missing.
    """

    values: Array
    missing: Array

    def __post_init__(self) -> None:
        if self.missing.dtype != np.bool_ or self.missing.shape != self.values.shape[:2]:
            raise ValueError(
                f"missing is an array of booleans (H, W), here {self.values.shape[:2]}, got "
                f"{self.missing.shape} of {self.missing.dtype}"
            )
        if self.missing.all():
            raise ValueError("all pixels are missing: there is nothing to go by")

    def guess(self) -> None:
        """Put a first guess into the holes, as `rimkit.operators.filling.fill` does.

        This takes the memory of a few rows, plus that of a few images an eighth as high and wide.
        If a side is not a multiple of eight, interpolated values differ slightly: `fill` spreads
        the odd pixel.
        """
        coarse = _coarse(self.values, self.missing)
        height = len(self.values)
        for top in range(0, height, ROWS):
            end = min(height, top + ROWS)
            if not self.missing[top:end].any():
                continue
            begin, stop = max(0, top - _BEYOND), min(height, end + _BEYOND)
            y, mask = _seen(self.values, self.missing, slice(begin, stop))
            below = coarse[:, :, begin // _COARSE : -(-stop // _COARSE)]
            guessed = self.values[top:end].copy()
            write_unit(guessed, fill_from(y, mask, below)[0, :, top - begin : end - begin])
            np.copyto(self.values[top:end], guessed, where=self.missing[top:end, :, None])


@tree.register
@dataclasses.dataclass(frozen=True)
class GuessedMask(Mask):
    """A mask with a precomputed guess, at which solvers start.

    Parameters
    ----------
    mask
        As in `rimkit.Mask`.
    guess
        The whole image (N or 1, C or 1, H, W), including the pixels that are seen.
    """

    guess: Tensor

    def crop(self, y: Tensor, window: Window) -> tuple[GuessedMask, Tensor]:
        """Cut mask, guess and y (N, C, H, W)."""
        cut = GuessedMask(self.mask[..., *window], self.guess[..., *window])
        return cut, y[..., *window]

    def initial(self, y: Tensor) -> Tensor:
        """Start at the guess."""
        check_mask("y", y, self.guess)
        return self.guess.to(y).expand_as(y)


def mask_of(missing: Array) -> Tensor:
    """Convert booleans (H, W) to a mask (1, 1, H, W): 1 where a pixel is seen."""
    return torch.from_numpy(~missing)[None, None].float()


def _seen(values: Array, missing: Array, rows: slice) -> tuple[Tensor, Tensor]:
    """Return rows of an image as y (1, C, h, W), 0 in its holes, and their mask."""
    y, mask = to_unit(values[rows])[None], mask_of(missing[rows])
    return torch.where(mask > 0, y, 0.0), mask


def _coarse(values: Array, missing: Array) -> Tensor:
    """Return the image at an eighth of its size, (1, C, H / 8, W / 8), with its holes filled."""
    bands = [
        halved(*_seen(values, missing, slice(top, top + ROWS)))
        for top in range(0, len(values), ROWS)
    ]
    means, shares = (torch.cat(parts, dim=2) for parts in zip(*bands, strict=True))
    return fill(means, shares)
