"""The rows of a projection: how many, which, what they select, and whether everything fits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rimkit.operators.checks import (
    check_device,
    check_number,
    check_precision,
    check_samples,
    check_size,
    check_tensor,
)

Size = tuple[int, int]


def row_count(p: float, size: Size) -> int:
    """Number of rows m = round(p d)."""
    check_size(size)
    number = isinstance(p, int | float | np.floating) and not isinstance(p, bool)
    if not number or not 0 < p <= 1:
        raise ValueError(
            f"p, the share of rows, must lie in (0, 1], got {p} for {size[0]}x{size[1]}"
        )
    m = round(p * size[0] * size[1])
    if m < 1:
        raise ValueError(f"p = {p} of {size[0]}x{size[1]} pixels gives no rows at all")
    return m


def draw_rows(p: float, size: Size, samples: int, generator: torch.Generator) -> Tensor:
    """Draw row indices without replacement, new ones for every sample: (samples, m)."""
    m = row_count(p, size)
    check_number(samples)
    order = torch.rand(samples, size[0] * size[1], generator=generator, device=generator.device)
    return order.argsort(1)[:, :m]


def pick(image: Tensor, rows: Tensor) -> Tensor:
    """Entries ``rows`` (N or 1, m) of (N, C, H, W): (N, C, m)."""
    n, channels = image.shape[:2]
    return image.flatten(2).gather(2, rows[:, None].expand(n, channels, -1))


def place(y: Tensor, rows: Tensor, size: Size) -> Tensor:
    """The adjoint of `pick`: zeros elsewhere."""
    n, channels = y.shape[:2]
    image = y.new_zeros(n, channels, size[0] * size[1])
    image = image.scatter(2, rows[:, None].expand(n, channels, -1), y)
    return image.view(n, channels, *size)


def check_count(rows: int, pixels: int, shape: tuple[int, ...]) -> None:
    """Raise unless a projection may have this many rows; ``shape`` is shown in the error."""
    if not 1 <= rows <= pixels:
        raise ValueError(
            f"a projection must have 1 to {pixels} rows for {pixels} pixels, got {rows} in shape "
            f"{shape}"
        )


def check_rows(rows: Tensor, size: Size) -> None:
    """Raise unless rows are (N or 1, m), in range and distinct."""
    check_tensor("rows", rows)
    check_size(size)
    pixels = size[0] * size[1]
    if rows.ndim != 2 or rows.dtype != torch.long:
        raise ValueError(
            f"rows must be integers (int64) of shape (N or 1, m), got {tuple(rows.shape)} "
            f"of {rows.dtype}"
        )
    if rows.shape[0] < 1:
        raise ValueError(f"rows must be for at least one sample, got shape {tuple(rows.shape)}")
    check_count(rows.shape[1], pixels, tuple(rows.shape))
    ordered = rows.sort(1).values
    if ordered.min() < 0 or ordered.max() >= pixels or (ordered.diff(dim=1) == 0).any():
        raise ValueError(
            f"rows must be distinct integers from 0 to {pixels - 1}, but those of shape "
            f"{tuple(rows.shape)} are not"
        )


def check_x(x: Tensor, size: Size, leaf: Tensor) -> None:
    """Raise unless x fits the size and an operator's tensor."""
    check_precision("x", x)
    if x.ndim != 4 or tuple(x.shape[2:]) != tuple(size):
        raise ValueError(f"x must have shape (N, C, {size[0]}, {size[1]}), got {tuple(x.shape)}")
    _check_fit("x", x, leaf)


def check_y(y: Tensor, m: int, leaf: Tensor) -> None:
    """Raise unless y has m measurements and fits an operator's tensor."""
    check_precision("y", y)
    if y.ndim != 3 or y.shape[2] != m:
        raise ValueError(f"y must have shape (N, C, {m}), got {tuple(y.shape)}")
    _check_fit("y", y, leaf)


def _check_fit(name: str, value: Tensor, leaf: Tensor) -> None:
    """Raise unless an operator's tensor matches x or y in batch size, device and precision."""
    check_samples(name, value, leaf)
    check_device(name, value, leaf)
    if leaf.is_floating_point() and leaf.dtype != value.dtype:
        raise ValueError(
            f"{name} {tuple(value.shape)} is {value.dtype}, but the operator's "
            f"{tuple(leaf.shape)} is {leaf.dtype}; convert it with rimkit.tree.move"
        )
