"""Large images in overlapping tiles: iterate, state and likelihood are cut together."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from rimkit.operators import Window
from rimkit.operators.taps import smaller_size
from rimkit.problem import Denoising, Problem, SuperResolution
from rimkit.solver import Solver

_GRID = 8
"""Tiles begin at multiples of this, so that strided networks keep their phase."""

_FEATHER = 16
"""Pixels over which a tile fades into its neighbour."""

_SHORTEST = _FEATHER + _GRID
"""Least length kept of a tile: it must fade at both ends."""

PROBE = (128, 256)
"""(H, W) of the images on which a reach is measured: it is at most half their width."""


@dataclasses.dataclass(frozen=True)
class Tile:
    """A part of an image.

    Attributes
    ----------
    outer
        The region that is solved.
    kept
        The part of it that counts: far enough from the cuts.
    profiles
        How it fades over the rows (h,) and the columns (w,) of ``kept``.
    """

    outer: Window
    kept: Window
    profiles: tuple[Tensor, Tensor]

    @property
    def weight(self) -> Tensor:
        """(h, w) of ``kept``: 1 except where it fades; the weights of all tiles sum to one."""
        down, across = self.profiles
        return down[:, None] * across


def plan(height: int, width: int, *, pixels: int, overlap: int) -> list[Tile]:
    """Cut an image into tiles, row by row, so that as little as possible is solved twice.

    Parameters
    ----------
    height, width
        Of the image, in pixels.
    pixels
        Most pixels that a tile may have, overlap included.
    overlap
        Pixels around the kept part of a tile that must be solved with it; see `reach`.

    Raises
    ------
    ValueError
        If tiles this small would consist of overlap alone.
    """
    rows, columns = _numbers(height, width, pixels, overlap)
    return [
        Tile((row.outer, column.outer), (row.kept, column.kept), (row.profile, column.profile))
        for row in _spans(height, rows, overlap)
        for column in _spans(width, columns, overlap)
    ]


def solve_tiled(
    solver: Solver,
    y: Tensor,
    problem: Problem,
    *,
    pixels: int,
    overlap: int,
    steps: int | None = None,
) -> Tensor:
    """Solve in tiles: the estimate (N, C, H, W) of `Solver.solve`, in the memory of one tile.

    Parameters
    ----------
    solver, y, problem, steps
        As in `Solver.solve`; the problem's operator must have ``crop``.
    pixels, overlap
        As in `plan`.

    Raises
    ------
    ValueError
        If the problem cannot be cut into tiles, the solver looks at the whole image, or the tiles
        are too small.
    """
    check_can_be_cut(solver)
    x = torch.empty_like(problem.initial(y))

    def solve(tile: Tile) -> Tensor:
        part, measured = problem.crop(y, tile.outer)
        return solver.solve(measured, part, steps=steps).x

    def write(top: int, rows: Tensor) -> None:
        x[..., top : top + rows.shape[-2], :] = rows

    blend(plan(*x.shape[-2:], pixels=pixels, overlap=overlap), solve, write)
    return x


def blend(
    tiles: Sequence[Tile],
    solve: Callable[[Tile], Tensor],
    write: Callable[[int, Tensor], object],
    *,
    begin: Callable[[slice], object] = lambda rows: None,
) -> None:
    """Blend the estimates of tiles into each other, in the memory of one band of tiles.

    Parameters
    ----------
    tiles
        Tiles of an image, as `plan` returns them.
    solve
        Maps a tile to the estimate (..., H, W) of its ``outer``.
    write
        Takes the number of the first finished row of the whole image, and the rows (..., h, W).
    begin
        Called with the rows of the image that the tiles of the next band see.
    """
    bands = [list(band) for _, band in itertools.groupby(tiles, lambda tile: tile.kept[0].start)]
    shared = torch.empty(0, 1)  # rows to which the last band has contributed, too
    for band, following in itertools.zip_longest(bands, bands[1:]):
        rows, width = band[0].kept[0], band[-1].kept[1].stop
        begin(band[0].outer[0])
        for tile in band:
            x = solve(tile)[..., *inside(tile)]
            if tile is band[0]:
                sums = x.new_zeros(*x.shape[:-1], width)
                sums[..., : shared.shape[-2], :] = shared
            sums[..., tile.kept[1]] += tile.weight.to(x) * x
        done = (following[0].kept[0].start if following else rows.stop) - rows.start
        write(rows.start, sums[..., :done, :])
        shared = sums[..., done:, :].clone()  # a view would keep the whole band alive
        del sums


def check_can_be_cut(solver: Solver) -> None:
    """Raise ``ValueError`` if solving in tiles would differ from solving the whole image."""
    if solver.looks_at_all:
        raise ValueError(
            "this solver looks at the whole image (a machine whose scores are whitened by their "
            "spread, or total variation at its curvature): it cannot be run in tiles"
        )


def inside(tile: Tile) -> Window:
    """Where the kept part lies within the solved part."""
    rows, columns = (
        slice(kept.start - outer.start, kept.stop - outer.start)
        for kept, outer in zip(tile.kept, tile.outer, strict=True)
    )
    return rows, columns


def reach(
    solver: Solver,
    sigma: float,
    *,
    problem: Problem | None = None,
    channels: int = 1,
    scale: float = 1.0,
    steps: int | None = None,
    tolerance: float = 0.25 / 255,
) -> int:
    """How far a pixel of y affects the estimate over all steps: the overlap of tiles, in pixels.

    This is measured by restoring pairs of noisy images that agree in their right halves and differ
    strongly in their left halves. The reach is the distance from the middle within which the
    estimates of a pair differ by the tolerance or more, rounded up to a multiple of eight. The
    images are flat, striped, or of independent pixels.

    Parameters
    ----------
    solver, steps
        What to run.
    sigma
        Noise level of the image to be cut.
    problem
        Its operator must map images of the size `PROBE` to the same size; None: denoising, or
        super-resolution by ``scale``.
    channels
        Of the image.
    scale
        How many times smaller y is than x; 1: denoising.
    tolerance
        Least difference that counts; by default a quarter of a grey level of 255.

    Raises
    ------
    ValueError
        If the reach is more than 128 pixels.
    """
    generator = torch.Generator().manual_seed(0)
    half, full = PROBE
    height, width = smaller_size(half, scale), smaller_size(full, scale)
    clean = torch.empty(3, channels, height, width)
    clean[0] = 0.5
    clean[1] = torch.arange(width).div(4, rounding_mode="floor").remainder(2)
    clean[2] = torch.rand(channels, height, width, generator=generator)
    first = clean + sigma * torch.randn(clean.shape, generator=generator)
    second = first.clone()
    left = round(half / scale)
    second[..., :left] = first.roll(1, 0)[..., :left]
    device = next((weight.device for weight in solver.parameters()), clean.device)
    first, second = first.to(device), second.to(device)
    if problem is None:
        smaller = SuperResolution(scale, size=PROBE, sigma=sigma)
        problem = Denoising(sigma) if scale == 1 else smaller
    else:
        first, second = problem.operator.A(first), problem.operator.A(second)
    seen = torch.zeros(half, dtype=torch.bool)
    for pair in zip(first, second, strict=True):  # one by one, to save memory
        one, other = (solver.solve(y[None], problem, steps=steps).x for y in pair)
        seen |= ((one - other)[..., half:].abs().amax((0, 1, 2)) >= tolerance).cpu()
    distance = int(seen.nonzero().max()) + 1 if seen.any() else 0
    if distance > half - _GRID:
        raise ValueError(f"this model sees further than {half} pixels: it cannot be run in tiles")
    return -(-distance // _GRID) * _GRID


@dataclasses.dataclass(frozen=True)
class _Span:
    outer: slice
    kept: slice
    profile: Tensor


def _numbers(height: int, width: int, pixels: int, overlap: int) -> tuple[int, int]:
    """How many tiles down and across, minimising the total area that is solved."""
    down, across = (
        np.arange(1, max(1, length // _SHORTEST) + 1, dtype=np.int64) for length in (height, width)
    )
    tall = np.array([_size(height, int(number), overlap) for number in down])
    wide = np.array([_size(width, int(number), overlap) for number in across])
    fits = np.multiply.outer(tall, wide) <= pixels
    if not fits.any():
        raise ValueError(
            f"tiles of {pixels} pixels are too small for an overlap of {overlap}: "
            f"at least {tall.min() * wide.min()} are needed"
        )
    area = np.multiply.outer(tall * down, wide * across)
    best = np.where(fits, area, np.iinfo(np.int64).max).argmin()
    row, column = np.unravel_index(best, area.shape)
    return int(down[row]), int(across[column])


def _size(length: int, number: int, overlap: int) -> int:
    """Length that is solved for each of ``number`` parts.

    The same for all, so that every tile fits into the memory that the last one left.
    """
    if number == 1:
        return length
    size = -(-length // (number * _GRID)) * _GRID + 2 * _margin(overlap)
    return min(length, size + (length - size) % _GRID)  # the last one begins on the grid, too


def _margin(overlap: int) -> int:
    """Distance from a cut to the end of the tile that extends beyond it."""
    return -(-overlap // _GRID) * _GRID + _FEATHER // 2


def _spans(length: int, number: int, overlap: int) -> list[_Span]:
    """Tiles along one axis."""
    size, fade = _size(length, number, overlap), _FEATHER // 2
    units = -(-length // _GRID)
    cuts = [units * i // number * _GRID for i in range(number)] + [length]
    ramp = (torch.arange(_FEATHER) + 0.5) / _FEATHER
    spans = []
    for start, stop in itertools.pairwise(cuts):
        low = start - fade if start > 0 else 0
        high = stop + fade if stop < length else stop
        profile = torch.ones(high - low)
        if start > 0:
            profile[:_FEATHER] = ramp
        if stop < length:
            profile[-_FEATHER:] = ramp.flip(0)
        begin = min(max(0, start - _margin(overlap)), length - size)
        spans.append(_Span(slice(begin, begin + size), slice(low, high), profile))
    return spans
