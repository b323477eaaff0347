"""Undersampled Fourier measurements, as in single-coil magnetic resonance imaging."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from rimkit import tree
from rimkit.operators.checks import (
    check_is_mask,
    check_mask,
    check_number,
    check_real,
    check_size,
    check_transformed,
)

_CENTER = 0.08


@tree.register
@dataclasses.dataclass(frozen=True)
class FourierMask:
    """A x = mask times the orthonormal 2-D DFT of x: z is complex, (N, C, H, W).

    Images are real; inner products of measurements are the real parts of complex ones.

    Parameters
    ----------
    mask
        (N or 1, C or 1, H, W), 1 where a frequency is measured and 0 where not, in the layout of
        ``torch.fft.fft2``: frequency zero first. `line_mask` draws one.

    Raises
    ------
    ValueError
        If the mask does not have four dimensions, or has values other than 0 and 1.
    """

    mask: Tensor

    def __post_init__(self) -> None:
        check_is_mask(self.mask, zero="not measured", one="measured")

    def A(self, x: Tensor) -> Tensor:
        """Measure real x (N, C, H, W); frequencies that are not measured are zero."""
        check_mask("x", x, self.mask)
        check_transformed("x", x)
        if x.is_complex():
            raise ValueError(
                f"x must be real, got {tuple(x.shape)} of {x.dtype}: imaginary parts would be lost"
            )
        z: Tensor = torch.fft.fft2(x, norm="ortho") * self.mask.to(x.dtype)
        return z

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Map complex y (N, C, H, W) to a real image: the zero-filled reconstruction."""
        check_mask("y", y, self.mask)
        check_transformed("y", y)
        if not y.is_complex():
            raise ValueError(f"frequencies must be complex, got y {tuple(y.shape)} of {y.dtype}")
        x: Tensor = torch.fft.ifft2(y * self.mask.to(y.real.dtype), norm="ortho").real
        return x


def line_mask(
    p: float,
    size: tuple[int, int],
    *,
    center: float | None = None,
    samples: int = 1,
    generator: torch.Generator,
) -> Tensor:
    """Draw masks of whole columns, denser at low frequencies (Lustig et al. 2007).

    Parameters
    ----------
    p
        Share of the W columns that is measured, in (0, 1].
    size
        (H, W).
    center
        Share of the columns that is always measured: the lowest frequencies; min(0.08, p) if None.
        The others are drawn without replacement, column k in proportion to
        (1 - |k| / (W/2 + 1))^2.
    samples
        Number of masks.
    generator
        Draws the columns.

    Returns
    -------
    Tensor
        (samples, 1, H, W) for `FourierMask`.

    Raises
    ------
    ValueError
        If p does not lie in (0, 1] or gives no column, or center does not lie in [0, p]; if size is
        not (H, W) of positive integers, or samples is not a positive integer.
    """
    check_size(size)
    check_number(samples)
    check_real("p, the share of columns,", p)
    height, width = size
    if not 0 < p <= 1 or round(p * width) < 1:
        raise ValueError(
            f"p, the share of columns, must lie in (0, 1] and give at least one of {width}, got "
            f"{p} for {height}x{width}"
        )
    center = min(_CENTER, p) if center is None else center
    check_real("center, the share that is always measured,", center)
    if not 0 <= center <= p:
        raise ValueError(
            f"center, the share that is always measured, must lie in [0, {p}], got {center}"
        )
    distance = torch.fft.fftfreq(width, d=1 / width, device=generator.device).abs()
    density = (1 - distance / (width / 2 + 1)) ** 2
    # An exponential race, won in proportion to the density; the lowest frequencies always win.
    time = torch.empty(samples, width, device=generator.device).exponential_(generator=generator)
    time = time / density
    time[:, distance.argsort(stable=True)[: round(center * width)]] = -1
    chosen = time.argsort(1)[:, : round(p * width)]
    columns = torch.zeros(samples, width, device=generator.device).scatter(1, chosen, 1.0)
    return columns[:, None, None].expand(samples, 1, height, width).contiguous()
