"""Operators that act on each pixel alone: the identity (denoising) and the mask (inpainting)."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from rimkit import tree
from rimkit.operators.base import Window
from rimkit.operators.checks import check_mask
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
        If the mask has not four dimensions, or values other than 0 and 1.
    """

    mask: Tensor

    def __post_init__(self) -> None:
        if self.mask.ndim != 4:
            raise ValueError(
                f"a mask has shape (N or 1, C or 1, H, W), got {tuple(self.mask.shape)}"
            )
        if not ((self.mask == 0) | (self.mask == 1)).all():
            raise ValueError("a mask holds 0 (missing) and 1 (seen) only")

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
