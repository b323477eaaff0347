"""Random projections: m measurements of the d pixels of an image, each depending on all pixels.

All channels are projected alike; rows differ between samples, or are shared by the batch.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from rimkit import tree
from rimkit.operators.checks import (
    check_device,
    check_number,
    check_samples,
    check_size,
    check_tensor,
    check_transformed,
)
from rimkit.operators.rows import (
    Size,
    check_count,
    check_rows,
    check_x,
    check_y,
    draw_rows,
    pick,
    place,
    row_count,
)


@tree.register
@dataclasses.dataclass(frozen=True)
class DenseProjection:
    """A x = matrix times the pixels of x, row by row: z is (N, C, m).

    Parameters
    ----------
    matrix
        (N or 1, m, d), m at most d; its precision and device are those of x.
    size
        (H, W) of x, with H W = d.

    Raises
    ------
    ValueError
        If the shapes do not fit together.
    """

    matrix: Tensor
    size: Size

    def __post_init__(self) -> None:
        check_tensor("a matrix", self.matrix)
        if not self.matrix.is_floating_point():
            raise ValueError(
                f"a matrix must be real and floating point, got {tuple(self.matrix.shape)} of "
                f"{self.matrix.dtype}"
            )
        check_size(self.size)
        pixels = self.size[0] * self.size[1]
        if self.matrix.ndim != 3 or self.matrix.shape[2] != pixels or self.matrix.shape[0] < 1:
            raise ValueError(
                f"for images of {self.size[0]}x{self.size[1]} a matrix must have shape "
                f"(N or 1, m, {pixels}), got {tuple(self.matrix.shape)}"
            )
        check_count(self.matrix.shape[1], pixels, tuple(self.matrix.shape))

    @classmethod
    def gaussian(
        cls, p: float, size: Size, *, samples: int = 1, generator: torch.Generator
    ) -> DenseProjection:
        """Draw standard normal entries, a new matrix of round(p d) rows for every sample.

        Raises
        ------
        ValueError
            If p does not lie in (0, 1], or gives no row; if size is not (H, W) of positive
            integers, or samples is not a positive integer.
        """
        check_number(samples)
        shape = (samples, row_count(p, size), size[0] * size[1])
        return cls(torch.randn(shape, generator=generator, device=generator.device), size)

    @classmethod
    def binary(
        cls, p: float, size: Size, *, samples: int = 1, generator: torch.Generator
    ) -> DenseProjection:
        """Draw entries -1 and 1, equally likely; otherwise as `gaussian`."""
        check_number(samples)
        shape = (samples, row_count(p, size), size[0] * size[1])
        return cls(_signs(shape, generator), size)

    def A(self, x: Tensor) -> Tensor:
        """Project x (N, C, H, W)."""
        check_x(x, self.size, self.matrix)
        return x.flatten(2) @ self.matrix.mT

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Map y (N, C, m) to (N, C, H, W) with the transposed matrix."""
        check_y(y, self.matrix.shape[1], self.matrix)
        return (y @ self.matrix).view(*y.shape[:2], *self.size)


@tree.register
@dataclasses.dataclass(frozen=True)
class FourierProjection:
    """A x = some entries of the unnormalised 2-D DFT of x: z is complex, (N, C, m).

    The DFT is real-linear: inner products of measurements are the real parts of complex ones, and
    the adjoint returns a real image. A row's conjugate adds nothing new except its noise; see
    `independent_reals`.

    Parameters
    ----------
    rows
        (N or 1, m), integers: indices of the entries, counted row by row in the layout of
        ``torch.fft.fft2``. Distinct within a sample.
    size
        (H, W) of x.

    Raises
    ------
    ValueError
        If the rows have another shape, are out of range or are not distinct.
    """

    rows: Tensor
    size: Size

    def __post_init__(self) -> None:
        check_rows(self.rows, self.size)

    @classmethod
    def draw(
        cls, p: float, size: Size, *, samples: int = 1, generator: torch.Generator
    ) -> FourierProjection:
        """Draw round(p d) rows without replacement, new ones for every sample.

        Raises
        ------
        ValueError
            If p does not lie in (0, 1], or gives no row; if size is not (H, W) of positive
            integers, or samples is not a positive integer.
        """
        return cls(draw_rows(p, size, samples, generator), size)

    def A(self, x: Tensor) -> Tensor:
        """Measure x (N, C, H, W)."""
        check_x(x, self.size, self.rows)
        check_transformed("x", x)
        if x.is_complex():
            raise ValueError(f"x must be real, got {tuple(x.shape)} of {x.dtype}")
        return pick(torch.fft.fft2(x), self.rows)

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Map complex y (N, C, m) to real (N, C, H, W)."""
        check_y(y, self.rows.shape[1], self.rows)
        check_transformed("y", y)
        if not y.is_complex():
            raise ValueError(
                f"entries of a DFT must be complex, got y {tuple(y.shape)} of {y.dtype}"
            )
        x: Tensor = torch.fft.ifft2(place(y, self.rows, self.size), norm="forward").real
        return x


@tree.register
@dataclasses.dataclass(frozen=True)
class FastProjection:
    """A x = some entries of the Hartley transform of signs * x: z is (N, C, m), rows orthonormal.

    Random signs and a fast transform replace a Gaussian matrix (subsampled randomised transforms;
    Do, Gan, Nguyen and Tran 2012), so that images of any size can be projected. Rows have norm 1,
    while those of the other ensembles have norm sqrt(d): sigma here is as much noise as
    sqrt(d) sigma there.

    Parameters
    ----------
    signs
        (N or 1, H, W), -1 and 1; precision and device are those of x.
    rows
        (N or 1, m), as in `FourierProjection`.

    Raises
    ------
    ValueError
        If signs or rows have other shapes or values, or lie on different devices.
    """

    signs: Tensor
    rows: Tensor

    def __post_init__(self) -> None:
        check_tensor("signs", self.signs)
        real = self.signs.is_floating_point()
        if self.signs.ndim != 3 or not real or not (self.signs.abs() == 1).all():
            raise ValueError(
                "signs must be -1 and 1, floating point, of shape (N or 1, H, W), got "
                f"{tuple(self.signs.shape)} of {self.signs.dtype}"
            )
        check_tensor("rows", self.rows)
        check_device("rows", self.rows, self.signs)
        check_rows(self.rows, self._size)
        if len({self.signs.shape[0], self.rows.shape[0]} - {1}) > 1:
            raise ValueError(
                f"signs {tuple(self.signs.shape)} and rows {tuple(self.rows.shape)} are for "
                "different numbers of samples"
            )

    @classmethod
    def draw(
        cls, p: float, size: Size, *, samples: int = 1, generator: torch.Generator
    ) -> FastProjection:
        """Draw signs, and round(p d) rows without replacement, new ones for every sample.

        Raises
        ------
        ValueError
            If p does not lie in (0, 1], or gives no row; if size is not (H, W) of positive
            integers, or samples is not a positive integer.
        """
        rows = draw_rows(p, size, samples, generator)
        return cls(_signs((samples, *size), generator), rows)

    def A(self, x: Tensor) -> Tensor:
        """Project x (N, C, H, W)."""
        check_x(x, self._size, self.signs)
        check_samples("x", x, self.rows)
        check_device("x", x, self.rows)
        check_transformed("x", x)
        return pick(_hartley(self.signs[:, None] * x), self.rows)

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Map y (N, C, m) to (N, C, H, W)."""
        check_y(y, self.rows.shape[1], self.signs)
        check_samples("y", y, self.rows)
        check_device("y", y, self.rows)
        check_transformed("y", y)
        return self.signs[:, None] * _hartley(place(y, self.rows, self._size))

    @property
    def _size(self) -> Size:
        return self.signs.shape[1], self.signs.shape[2]


def independent_reals(p: float, size: Size) -> float:
    """Expected number of independent real numbers that a `FourierProjection` measures.

    A row and its conjugate together give two; a row that is its own conjugate gives one. At 32x32
    about 194, 368, 655 and 859 for p = 0.1, 0.2, 0.4 and 0.6, where the other ensembles give 102,
    205, 410 and 614.

    Raises
    ------
    ValueError
        If p does not lie in (0, 1], or gives no row.
    """
    m, d = row_count(p, size), size[0] * size[1]
    alone = (2 - size[0] % 2) * (2 - size[1] % 2)  # frequencies 0 and, for even sides, 1/2
    neither = (d - m) * (d - m - 1) / (d * max(d - 1, 1))
    return (d - alone) * (1 - neither) + alone * m / d


def _signs(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    bits = torch.randint(2, shape, generator=generator, device=generator.device, dtype=torch.int8)
    return 2 * bits.to(torch.get_default_dtype()) - 1


def _hartley(image: Tensor) -> Tensor:
    """Hartley transform: orthonormal and symmetric, so its own inverse and adjoint."""
    spectrum: Tensor = torch.fft.fft2(image, norm="ortho")
    return spectrum.real - spectrum.imag
