"""How scores are measured: test images, noise that is the same for every method, the timing."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from rimkit.data import bsds300
from rimkit.data.images import load_bytes, to_unit
from rimkit.data.patches import seeded
from rimkit.metrics import psnr, ssim
from rimkit.problem import Denoising
from rimkit.solver import Solver
from rimkit.tasks import LEVELS

ROTH_BLACK = 68
"""The first 68 test images, in the order of their names, are the set of Roth and Black (2005)."""

_NOISE = 11


@dataclasses.dataclass(frozen=True)
class CleanImage:
    """A clean test image: its name, and x (1, C, H, W) in [0, 1]."""

    name: str
    x: Tensor


@dataclasses.dataclass(frozen=True)
class ImageScore:
    """One image at one noise level: PSNR in dB, SSIM, seconds for the restoration alone."""

    image: str
    sigma: float
    psnr: float
    ssim: float
    seconds: float


def load_test_images(count: int = 100, *, channels: int = 1) -> Iterator[CleanImage]:
    """Yield the first ``count`` test images of BSDS300."""
    for path in bsds300.image_paths("test")[:count]:
        yield CleanImage(path.stem, to_unit(load_bytes(path, channels=channels))[None])


def noisy(image: CleanImage, sigma: float) -> Tensor:
    """Y = x + sigma n, sigma in grey levels of 255; fixed noise for every (image, sigma)."""
    generator = seeded(_NOISE, int(image.name), round(1000 * sigma))
    return Denoising(sigma / LEVELS).simulate(image.x, generator=generator)


def score_denoising(
    images: Iterable[CleanImage],
    sigmas: Sequence[float],
    restore: Callable[[Tensor, float], Tensor],
) -> Iterator[ImageScore]:
    """Restore every image at every level and score it.

    ``restore`` takes y (1, C, H, W) and sigma in the units of y, and returns the estimate.
    """
    for image in images:
        for sigma in sigmas:
            y = noisy(image, sigma)
            began = time.perf_counter()
            x = restore(y, sigma / LEVELS)
            seconds = time.perf_counter() - began
            yield ImageScore(
                image.name,
                sigma,
                psnr(x, image.x).item(),
                ssim(x, image.x).item(),
                seconds,
            )


def solver_restore(
    solver: Solver, *, steps: int | None = None, precision: str = "float32"
) -> Callable[[Tensor, float], Tensor]:
    """Make of a solver what `score_denoising` takes; ``precision`` is its network's."""

    def restore(y: Tensor, sigma: float) -> Tensor:
        context = (
            torch.autocast(y.device.type, torch.bfloat16)
            if precision == "bfloat16"
            else contextlib.nullcontext()
        )
        with context:
            return solver.solve(y, Denoising(sigma), steps=steps).x

    return restore


def mean_psnr(scores: Sequence[ImageScore], *, sigma: float, images: int) -> float:
    """Mean over images of each image's PSNR, over the first ``images`` of them.

    Raises
    ------
    ValueError
        If there are fewer scores than images.
    """
    values = [score.psnr for score in scores if score.sigma == sigma]
    if len(values) < images:
        raise ValueError(f"{images} images are asked for, {len(values)} were scored")
    return sum(values[:images]) / images


def peak_memory() -> float:
    """Most memory this process ever held, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3
