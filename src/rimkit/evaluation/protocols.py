"""How scores are measured: test images, noise that is the same for every method, the timing."""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from torch import Tensor

from rimkit.allocation import most_taken
from rimkit.data import bsds300
from rimkit.data.images import bytes_to_unit, load_bytes
from rimkit.data.patches import seeded
from rimkit.metrics import psnr, ssim
from rimkit.pixels import LEVELS
from rimkit.precision import Precision, computing_in
from rimkit.problem import Denoising
from rimkit.solver import Solver

ROTH_BLACK = 68
"""The first 68 test images, in the order of their names, are the set of Roth and Black (2005)."""

_NOISE = 11


@dataclasses.dataclass(frozen=True)
class CleanImage:
    """A clean test image: its name, and x (1, C, H, W) in [0, 1]."""

    name: str
    x: Tensor

    @property
    def seed(self) -> int:
        """What its noise is drawn from: its name where that is a number, as in BSDS300."""
        return int(self.name) if self.name.isdecimal() else zlib.crc32(self.name.encode())


@dataclasses.dataclass(frozen=True)
class Condition:
    """How a test image was made noisy.

    Attributes
    ----------
    sigma
        In grey levels of 255.
    quantised
        Whether y was then clipped and rounded to 8 bits.
    """

    sigma: float
    quantised: bool = False


@dataclasses.dataclass(frozen=True)
class ImageScore:
    """One image under one condition: PSNR in dB, and SSIM."""

    image: str
    sigma: float
    quantised: bool
    psnr: float
    ssim: float

    @property
    def condition(self) -> Condition:
        """Under which the image was restored."""
        return Condition(self.sigma, self.quantised)


Restore = Callable[[Tensor, Condition], Tensor]
"""From y (1, C, H, W) in [0, 1] and how it was made to the estimate."""


def load_test_images(count: int = 100, *, channels: int = 1) -> Iterator[CleanImage]:
    """Yield the first ``count`` test images of BSDS300."""
    for path in bsds300.image_paths("test")[:count]:
        yield load_image(path, channels=channels)


def load_image(path: Path, *, channels: int) -> CleanImage:
    """Return an image under the name of its file."""
    return CleanImage(path.stem, bytes_to_unit(load_bytes(path, channels=channels))[None])


def noisy(image: CleanImage, condition: Condition) -> Tensor:
    """Return y (1, C, H, W); the noise of an (image, sigma) is always the same."""
    generator = seeded(_NOISE, image.seed, round(1000 * condition.sigma))
    levels = LEVELS if condition.quantised else None
    return Denoising(condition.sigma / LEVELS, levels=levels).simulate(image.x, generator=generator)


def score_denoising(
    images: Iterable[CleanImage], conditions: Sequence[Condition], restore: Restore
) -> Iterator[ImageScore]:
    """Restore every image under every condition, and score it."""
    for image in images:
        for condition in conditions:
            x = restore(noisy(image, condition), condition)
            yield ImageScore(
                image.name,
                condition.sigma,
                condition.quantised,
                psnr(x, image.x).item(),
                ssim(x, image.x).item(),
            )


def seconds_of(restorations: Sequence[Callable[[], object]]) -> float:
    """Mean seconds of restorations, one after the other; the first is run once before, to warm up.

    Scores may be kept from earlier runs, seconds may not: those of one run can be compared.
    """
    restorations[0]()
    began = time.perf_counter()
    for restore in restorations:
        restore()
    return (time.perf_counter() - began) / len(restorations)


def memory_of(restore: Callable[[], object]) -> float | None:
    """MB that a restoration takes at most, above what the process holds; None if unknown."""
    taken = most_taken(restore)
    return None if taken is None else taken / 1e6


def solver_restore(
    solver: Solver,
    *,
    steps: int | None = None,
    precision: Precision = "float32",
    knows_levels: bool = False,
) -> Restore:
    """Make of a solver what `score_denoising` takes.

    Parameters
    ----------
    solver, steps
        Which, and how many steps; its own number if None.
    precision
        Of its network.
    knows_levels
        Whether the likelihood is that of rounded values where y is rounded.
    """

    def restore(y: Tensor, condition: Condition) -> Tensor:
        levels = LEVELS if knows_levels and condition.quantised else None
        problem = Denoising(condition.sigma / LEVELS, levels=levels)
        with computing_in(precision, y.device.type):
            return solver.solve(y, problem, steps=steps).x

    return restore


def psnr_of(
    scores: Sequence[ImageScore], condition: Condition, *, images: int | None = None
) -> list[float]:
    """PSNR by image, of the first ``images`` of them.

    Raises
    ------
    ValueError
        If there are fewer scores than images.
    """
    values = [score.psnr for score in scores if score.condition == condition]
    if images is not None and len(values) < images:
        raise ValueError(f"{images} images are asked for, {len(values)} were scored")
    return values[:images]
