"""Run a model on images of any size within a memory budget: whole and batched, or in tiles."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Literal, Protocol, get_args

import torch
from torch import Tensor

from rimkit import tree
from rimkit.allocation import give_back
from rimkit.ensemble import SelfEnsemble
from rimkit.footprint import bytes_per_pixel
from rimkit.operators import Window
from rimkit.precision import Precision, computing_in, fastest_precision
from rimkit.problem import Problem
from rimkit.restoring.tiling import Tile, blend, check_can_be_cut, plan, reach
from rimkit.rim import RIM

# Factors for allocator fragmentation and convolution workspace, on top of the tensors. When an
# image is enlarged, tensors come in more sizes and fragment more (``rimkit bench restore
# --scale``).
_MARGIN = 2.1
_MARGIN_LARGER = 2.8


class Part(Protocol):
    """What a model solves in one go: an image, or one channel of it.

    Attributes
    ----------
    shape
        (C, H, W) of the estimate.
    sigma
        Noise standard deviation where white is 1.
    row_bytes
        Bytes that a row takes, besides the solver's own memory, while bands of tiles are solved.
    """

    @property
    def shape(self) -> tuple[int, int, int]: ...  # noqa: D102

    @property
    def sigma(self) -> float: ...  # noqa: D102

    @property
    def row_bytes(self) -> int: ...  # noqa: D102

    def measurement(self, window: Window | None = None) -> Tensor:
        """Return y (C, h, w), or the part of it that belongs to a window of the estimate."""
        ...

    def problem(self, sigma: Tensor, window: Window | None = None) -> Problem:
        """Return how y was made; ``sigma`` is () or (1,)."""
        ...

    def hold(self, rows: slice) -> None:
        """Keep y for these rows of the estimate, needed next, where `write` might destroy it."""
        ...

    def settle(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the final form of estimates (N, C, H, W) of y."""
        ...

    def write(self, top: int, x: Tensor) -> None:
        """Write rows (C, H, W) of the estimate to their place, from row ``top`` on."""
        ...


class Restorer:
    """Runs a model on images of any size, on the CPU.

    Parameters
    ----------
    model
        Trained for any task.
    scale
        How many times larger the estimate is than the measurement.
    steps
        Number of steps, at least 1; the model's own if None.
    memory
        Bytes that the images and all computation may take, on top of what the process holds once a
        model has run in it. An attribute that may be changed.
    precision
        Precision of the network; ``"auto"``: bfloat16 if the CPU multiplies in it natively, else
        float32.
    self_ensemble
        Whether the model is run in eight orientations (`rimkit.SelfEnsemble`).

    Raises
    ------
    ValueError
        If the model is in training mode or not on the CPU, there are no steps, the precision is
        unknown, or the memory is not a positive number of bytes.
    """

    def __init__(
        self,
        model: RIM,
        *,
        scale: float = 1.0,
        steps: int | None = None,
        memory: float = 1e9,
        precision: Precision | Literal["auto"] = "float32",
        self_ensemble: bool = False,
    ) -> None:
        if model.training:
            raise ValueError("the model is in training mode: call model.eval() first")
        place = next(model.parameters(), torch.zeros(())).device
        if place.type != "cpu":
            raise ValueError(
                f"images of any size are restored on the CPU, but the model is on {place}: move "
                "it, or call solve with tensors there"
            )
        if steps is not None and steps < 1:
            raise ValueError(f"steps must be a positive integer, got {steps!r}")
        if precision not in (known := ("auto", *get_args(Precision))):
            raise ValueError(f"precision is one of {', '.join(known)}, got {precision!r}")
        if not hasattr(memory, "__float__") or not 0 < memory < math.inf:  # a string has none
            raise ValueError(f"memory is a positive number of bytes, got {memory} (1 GB is 1e9)")
        self.model = model
        self.scale = scale
        self.memory = memory
        self._solver = SelfEnsemble(model) if self_ensemble else model
        self._steps = model.steps if steps is None else steps
        self._precision = fastest_precision() if precision == "auto" else precision
        self._channels = model.config.network.channels
        with self._computing():
            counted = bytes_per_pixel(self._solver, channels=self._channels, scale=scale)
        self._bytes_per_pixel = counted * (_MARGIN if scale == 1 else _MARGIN_LARGER)

    @property
    def channels(self) -> int:
        """Number of channels that the model takes."""
        return self._channels

    def _run(
        self,
        parts: Sequence[Part],
        *,
        memory: float,
        on_progress: Callable[[float], object] | None = None,
    ) -> None:
        """Solve parts of the same shape: together if they fit into memory, else one by one."""
        progress = _Progress(on_progress)
        pixels = math.prod(parts[0].shape[1:])
        together = int(memory // (pixels * self._bytes_per_pixel))
        with torch.no_grad(), self._computing():
            if together > 0:
                progress.expect(len(parts) * pixels * self._steps)
                for first in range(0, len(parts), together):
                    self._run_whole(parts[first : first + together], progress)
                return
            levels = {part.sigma: part for part in parts}  # the channels of an image share one
            tiles = {sigma: self._plan(part, memory) for sigma, part in levels.items()}
            progress.expect(sum(_area(tiles[part.sigma]) for part in parts) * self._steps)
            give_back()  # what reading the image left behind
            for part in parts:
                self._run_tiled(part, tiles[part.sigma], progress)
            give_back()  # before writing it

    def _plan(self, part: Part, memory: float) -> list[Tile]:
        check_can_be_cut(self._solver)
        channels, height, width = part.shape
        # A tile of a x a pixels takes a^2 of ``each``, plus buffers for a rows of the image.
        row, each = part.row_bytes, self._bytes_per_pixel
        side = (math.sqrt(row**2 + 4 * each * max(memory, 0)) - row) / (2 * each)
        overlap = reach(
            self._solver,
            part.sigma,
            problem=self._probe(part.sigma),
            channels=channels,
            scale=self.scale,
            steps=self._steps,
        )
        try:
            return plan(height, width, pixels=int(side**2), overlap=overlap)
        except ValueError as error:
            raise ValueError(
                f"an image of {width}x{height} needs more memory than the "
                f"{self.memory / 1e6:.0f} MB that are left for it"
            ) from error

    def _probe(self, sigma: float) -> Problem | None:
        """Return the problem on which the overlap of tiles is measured, as in `reach`."""
        return None

    def _run_whole(self, parts: Sequence[Part], progress: _Progress) -> None:
        y = torch.stack([part.measurement() for part in parts])
        problem = tree.join([part.problem(torch.tensor([float(part.sigma)])) for part in parts])
        estimates = parts[0].settle(self._solve(y, problem, progress), y)
        for part, x in zip(parts, estimates, strict=True):
            part.write(0, x)

    def _run_tiled(self, part: Part, tiles: Sequence[Tile], progress: _Progress) -> None:
        """Solve the image from top to bottom in bands of tiles."""
        sigma = torch.tensor(float(part.sigma))

        def solve(tile: Tile) -> Tensor:
            y = part.measurement(tile.outer)[None]
            return part.settle(self._solve(y, part.problem(sigma, tile.outer), progress), y)[0]

        blend(tiles, solve, part.write, begin=part.hold)
        height = part.shape[1]
        part.hold(slice(height, height))  # hold nothing

    def _solve(self, y: Tensor, problem: Problem, progress: _Progress) -> Tensor:
        for iterate in self._solver.iterate(y, problem, steps=self._steps):  # at least one
            progress.add(y.shape[0] * math.prod(iterate.x.shape[-2:]))
        return iterate.x

    def _computing(self) -> contextlib.AbstractContextManager[object]:
        return computing_in(self._precision)


class _Progress:
    """Progress, with work counted in pixels times steps."""

    def __init__(self, listener: Callable[[float], object] | None) -> None:
        self._listener = listener
        self._done = 0
        self._all = 1

    def expect(self, work: int) -> None:
        self._all = max(1, work)

    def add(self, work: int) -> None:
        self._done += work
        if self._listener is not None:
            self._listener(self._done / self._all)


def _area(tiles: Sequence[Tile]) -> int:
    return sum(math.prod(side.stop - side.start for side in tile.outer) for tile in tiles)
