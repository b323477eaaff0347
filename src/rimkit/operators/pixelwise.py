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
        """Cut y (N, C, H, W)."""
        return self, y[..., *window]


@tree.register
@dataclasses.dataclass(frozen=True)
class Mask:
    """A x = mask * x: what is missing reads as zero.

    Parameters
    ----------
    mask
        (N or 1, C or 1, H, W), 1 where a pixel is seen and 0 where it is missing.

    Raises
    ------
    ValueError
        If the mask is no tensor, has not four dimensions, or values other than 0 and 1.
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
        """Draw masks of which every pixel is missing by itself, others for every sample.

        Parameters
        ----------
        share
            Of the pixels that are missing, in [0, 1]: a float, or one value per sample (N,).
        size
            (H, W).
        samples
            N.
        generator
            What draws.

        Raises
        ------
        ValueError
            If a share does not lie in [0, 1], or there are others than N; if size or samples are
            none.
        """
        check_size(size)
        check_number(samples)
        shares = _by_sample("share", share, samples)
        if not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError(f"shares lie in [0, 1], got {share}")
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
        """Draw masks whose missing pixels are straight strokes, as of scratches or writing.

        They begin anywhere and go anywhere, with round ends.

        Parameters
        ----------
        count
            How many: a number, or one per sample (N,).
        size
            (H, W).
        width, length
            The least and the largest, in pixels, between which they are drawn uniformly.
        samples
            N.
        generator
            What draws.

        Raises
        ------
        ValueError
            If there are other counts than N, one is not a whole number from 0, or a range does not
            go upwards from 0 or more; if size is not (H, W) of whole numbers from 1, or samples
            not such a number.
        """
        check_size(size)
        check_number(samples)
        counts = _by_sample("count", count, samples)
        if counts.is_floating_point() or counts.dtype == torch.bool or (counts < 0).any():
            raise ValueError(f"counts are whole numbers from 0, got {count}")
        for name, bounds in {"width": width, "length": length}.items():
            if not (isinstance(bounds, Sequence) and len(bounds) == 2):
                raise ValueError(f"{name} is (least, largest), in pixels, got {bounds!r}")
            least, largest = bounds
            if not 0 <= least <= largest < math.inf:
                raise ValueError(f"{name} goes from 0 or more upwards, got {least} to {largest}")
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
            # In coordinates along the stroke, from its beginning, and across it.
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
        """Start at what is seen of y (N, C, H, W), and at means of seen pixels nearby elsewhere.

        From the adjoint solvers would start at black where a pixel is missing, which is far from
        any image (docs/decisions.md, 19).
        """
        check_mask("y", y, self.mask)
        return fill(y, self.mask)

    def crop(self, y: Tensor, window: Window) -> tuple[Mask, Tensor]:
        """Cut mask and y (N, C, H, W)."""
        return dataclasses.replace(self, mask=self.mask[..., *window]), y[..., *window]


def _by_sample(name: str, value: Tensor | float, samples: int) -> Tensor:
    """Return one value per sample (N,), of a number or of as many."""
    values = torch.as_tensor(value)
    if values.shape not in ((), (samples,)):
        raise ValueError(
            f"{name} is a number or one per sample ({samples},), got shape {tuple(values.shape)}"
        )
    return values.expand(samples)


def _around(places: Tensor, reach: float) -> slice:
    """What lies within reach of some places."""
    low, high = float(places.min()) - reach, float(places.max()) + reach
    return slice(max(0, math.floor(low)), math.ceil(high) + 1)
