"""Operators that act on each pixel alone: the identity (denoising) and the mask (inpainting)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from rimkit import tree
from rimkit.operators.base import Window
from rimkit.operators.checks import check_is_mask, check_mask, check_number, check_size
from rimkit.operators.filling import fill


@tree.register
@dataclasses.dataclass(frozen=True)
class Identity:
    """A x = x."""

    def A(self, x: Tensor) -> Tensor:
        """Return x (N, C, H, W)."""
        return x

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Return y (N, C, H, W)."""
        return y

    def initial(self, y: Tensor) -> Tensor:
        """Start at the measurement itself."""
        return y

    def crop(self, y: Tensor, window: Window) -> tuple[Identity, Tensor]:
        """Crop y (N, C, H, W)."""
        return self, y[..., *window]


@tree.register
@dataclasses.dataclass(frozen=True)
class Mask:
    """A x = mask * x: missing pixels are zero.

    Parameters
    ----------
    mask
        (N or 1, C or 1, H, W), 1 where a pixel is seen and 0 where it is missing.

    Raises
    ------
    ValueError
        If the mask is not a tensor of four dimensions, or has values other than 0 and 1.
    """

    mask: Tensor

    def __post_init__(self) -> None:
        check_is_mask(self.mask, zero="missing", one="seen")

    @classmethod
    def scattered(
        cls,
        share: Tensor | float,
        size: tuple[int, int],
        *,
        samples: int = 1,
        generator: torch.Generator,
    ) -> Mask:
        """Draw masks whose pixels are missing independently, a new one for every sample.

        Parameters
        ----------
        share
            Share of missing pixels, in [0, 1]: a float, or one value per sample (N,).
        size
            (H, W).
        samples
            Number of masks, N.
        generator
            Draws the masks.

        Raises
        ------
        ValueError
            If a share does not lie in [0, 1], or the number of shares is not N; if size or samples
            is invalid.
        """
        check_size(size)
        check_number(samples)
        shares = _by_sample("share", share, samples)
        if not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError(f"shares must lie in [0, 1], got {share}")
        drawn = torch.rand((samples, 1, *size), generator=generator, device=generator.device)
        return cls((drawn >= shares.to(drawn).view(-1, 1, 1, 1)).float())

    @classmethod
    def strokes(
        cls,
        count: Tensor | int,
        size: tuple[int, int],
        *,
        width: tuple[float, float] = (1.0, 10.0),
        length: tuple[float, float] = (0.0, 60.0),
        samples: int = 1,
        generator: torch.Generator,
    ) -> Mask:
        """Draw masks whose missing pixels form straight strokes, like scratches or writing.

        Strokes begin anywhere, in any direction, and have round ends.

        Parameters
        ----------
        count
            Number of strokes, or one number per sample (N,).
        size
            (H, W).
        width, length
            Smallest and largest value in pixels; drawn uniformly in between.
        samples
            Number of masks, N.
        generator
            Draws the masks.

        Raises
        ------
        ValueError
            If the number of counts is not N, a count is not a non-negative integer, or a range does
            not satisfy 0 <= smallest <= largest; if size is not (H, W) of positive integers, or
            samples is not a positive integer.
        """
        check_size(size)
        check_number(samples)
        counts = _by_sample("count", count, samples)
        if counts.is_floating_point() or counts.dtype == torch.bool or (counts < 0).any():
            raise ValueError(f"counts must be non-negative integers, got {count}")
        for name, bounds in {"width": width, "length": length}.items():
            if not (isinstance(bounds, Sequence) and len(bounds) == 2):
                raise ValueError(f"{name} must be (smallest, largest), in pixels, got {bounds!r}")
            least, largest = bounds
            if not 0 <= least <= largest < math.inf:
                raise ValueError(
                    f"{name} must be a range 0 <= low <= high, got {least} to {largest}"
                )
        device = generator.device
        missing = torch.zeros((samples, *size), dtype=torch.bool, device=device)
        counts = counts.to(device)
        reach = length[1] + width[1]
        for number in range(int(counts.max())):
            drawn = torch.rand((5, samples, 1, 1), generator=generator, device=device)
            row, column, angle, far, wide = drawn
            top, left = size[0] * row, size[1] * column
            box = _around(top, reach), _around(left, reach)
            down, across = (
                torch.arange(n, device=device)[side] for n, side in zip(size, box, strict=True)
            )
            # Coordinates along the stroke, from its beginning, and across it.
            sine, cosine = (2 * math.pi * angle).sin(), (2 * math.pi * angle).cos()
            rows, columns = down[:, None] - top, across - left
            along, aside = rows * sine + columns * cosine, rows * cosine - columns * sine
            reaches = length[0] + far * (length[1] - length[0])
            beyond = along - along.clamp(along.new_zeros(()), reaches)
            near = beyond.hypot(aside) <= (width[0] + wide * (width[1] - width[0])) / 2
            missing[:, *box] |= near & (number < counts)[:, None, None]
        return cls((~missing[:, None]).float())

    def A(self, x: Tensor) -> Tensor:
        """Set the missing pixels of x (N, C, H, W) to zero."""
        check_mask("x", x, self.mask)
        return x * self.mask.to(x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Set the missing pixels of y (N, C, H, W) to zero."""
        check_mask("y", y, self.mask)
        return y * self.mask.to(y)

    def initial(self, y: Tensor) -> Tensor:
        """Start at y (N, C, H, W) where it is seen, and at means of nearby seen pixels elsewhere.

        The adjoint would start missing pixels at black, which is far from any image
        (docs/decisions.md, 19).
        """
        check_mask("y", y, self.mask)
        return fill(y, self.mask)

    def crop(self, y: Tensor, window: Window) -> tuple[Mask, Tensor]:
        """Crop mask and y (N, C, H, W)."""
        return dataclasses.replace(self, mask=self.mask[..., *window]), y[..., *window]


def _by_sample(name: str, value: Tensor | float, samples: int) -> Tensor:
    """Return one value per sample (N,), given one number or N."""
    values = torch.as_tensor(value)
    if values.shape not in ((), (samples,)):
        raise ValueError(
            f"{name} must be a number or one per sample ({samples},), got shape "
            f"{tuple(values.shape)}"
        )
    return values.expand(samples)


def _around(places: Tensor, reach: float) -> slice:
    """The range that covers all positions within ``reach`` of the places."""
    low, high = float(places.min()) - reach, float(places.max()) + reach
    return slice(max(0, math.floor(low)), math.ceil(high) + 1)
