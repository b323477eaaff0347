"""Degradations of an image, simulated or already present, as a visitor describes them."""

from __future__ import annotations

import dataclasses
import math
from array import array
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field, PlainValidator
from torch import Tensor

from rimkit.noises import GaussianNoise
from rimkit.operators import Blur, FastProjection, Mask, gaussian_kernel
from rimkit.pixels import LEVELS, Array, to_unit, without_noise
from rimkit.problem import Denoising, Problem, SuperResolution
from rimkit.restoring.denoiser import noise_level
from rimkit.restoring.holes import GuessedMask, Holed, mask_of

ROUNDING = 1 / 12**0.5
"""Noise of a noise-free image, in grey levels: the error of rounding."""

MOST_RUNS = 50_000
"""Most runs that may be painted: more than a hand paints."""

_ROOM = 400  # least number of pixels per scratch, as in training
_SEED = 0  # the same image, degraded the same way, gives the same measurement

Level = Annotated[float, Field(ge=0, le=100)]


def _packed(runs: object) -> Sequence[int]:
    """Pack each number into four bytes: many requests may be waiting."""
    if not isinstance(runs, list) or len(runs) > MOST_RUNS:
        raise ValueError(f"a list of at most {MOST_RUNS} numbers is expected")
    if not all(type(run) is int and 0 <= run < 2**32 for run in runs):
        raise ValueError("whole numbers from 0 on are expected")
    return array("I", runs)


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Photograph(_Wish):
    """The image is noisy as it is; ``sigma`` in grey levels of 255."""

    kind: Literal["photograph"]
    sigma: Level | Literal["auto"] = "auto"


class Noise(_Wish):
    """Gaussian noise is added; ``sigma`` in grey levels of 255."""

    kind: Literal["noise"]
    sigma: Level = 25.0


class Missing(_Wish):
    """A share of all pixels is missing, the others are noisy."""

    kind: Literal["missing"]
    share: Annotated[float, Field(ge=0.01, le=0.95)] = 0.5
    sigma: Level = 5.0


class Scratched(_Wish):
    """Pixels under strokes are missing, the rest are noisy; at most one stroke per 400 pixels."""

    kind: Literal["scratches"]
    count: Annotated[int, Field(ge=1, le=400)] = 100
    sigma: Level = 2.0


class Painted(_Wish):
    """What a visitor painted over is missing; ``sigma`` is that of the rest, which is kept at 0.

    ``runs``: lengths of runs, row by row, of pixels that are seen and missing in turn, seen first.
    """

    kind: Literal["painted"]
    runs: Annotated[Sequence[int], PlainValidator(_packed)]
    sigma: Level = 0.0


class Blurred(_Wish):
    """Blurred by a Gaussian of ``width`` pixels, then noise is added."""

    kind: Literal["blur"]
    width: Annotated[float, Field(ge=0.3, le=5)] = 1.5
    sigma: Level = 2.0


class Smaller(_Wish):
    """Downsampled by bicubic interpolation, then noise is added."""

    kind: Literal["smaller"]
    scale: Annotated[float, Field(ge=1, le=4)] = 2.0
    sigma: Level = 0.0


class Projected(_Wish):
    """Random projections, a share of the number of pixels, then noise: no pixel is measured."""

    kind: Literal["projections"]
    share: Annotated[float, Field(ge=0.05, le=1)] = 0.5
    sigma: Level = 5.0


Degradation = Annotated[
    Photograph | Noise | Missing | Scratched | Painted | Blurred | Smaller | Projected,
    Field(discriminator="kind"),
]


@dataclasses.dataclass(frozen=True)
class Measured:
    """A measurement, and what is known about it.

    Attributes
    ----------
    y
        (P, C, h, w), or (P, C, m) for projections: what the solver gets. P times C is the number of
        colours.
    problem
        How it was made.
    sigma
        Noise, where white is 1.
    truth
        (P, C, H, W); None if it is unknown.
    shown
        y as an image of the size of x; for projections, where a solver starts; if painted over, the
        image with its damage: (1, 1, H, W) if grey, even if y has three channels.
    still
        Where the image stays as it is, since it shows no noise or is not painted over; None:
        nowhere.
    """

    y: Tensor
    problem: Problem
    sigma: float
    truth: Tensor | None
    shown: Tensor
    still: Tensor | None = None


def measure(
    values: Array,
    degradation: Degradation,
    *,
    channels: int,
    levels: int | None = None,
    seen_sigma: float = ROUNDING / LEVELS,
    hidden: Array | None = None,
) -> Measured:
    """Degrade an image, or take it as it is.

    Parameters
    ----------
    values
        (H, W, 1 or 3) of any dtype.
    degradation
        What is done to it.
    channels
        Number that the model takes: with 1, colours become separate samples. With 3, a grey image
        that is painted over is repeated three times.
    levels
        As in `rimkit.Denoising`, given to the likelihood of an image that is noisy as it is.
    seen_sigma
        Noise level given to the likelihood for noise-free pixels beside painted ones, where white
        is 1.
    hidden
        (H, W), booleans: pixels whose colours are invisible. In a painted image they are not shown
        to the model either.

    Raises
    ------
    ValueError
        If the image cannot be taken, or nothing, everything or another image is painted over.
    """
    if isinstance(degradation, Painted):
        return _painted(values, degradation, channels, seen_sigma, hidden)
    x = _samples(values, channels)
    if isinstance(degradation, Photograph):
        wish = degradation.sigma
        sigma = noise_level(values, wish if wish == "auto" else wish / LEVELS)
        still = torch.ones_like(x, dtype=torch.bool) if sigma == 0 else without_noise(x)
        # As a tensor: in the same precision as in `Denoiser`, to get the same pixels.
        problem = Denoising(torch.tensor([sigma]), levels=levels)
        return Measured(x, problem, sigma, None, x, still)
    noise_level(values, 0.0)  # checks the image
    sigma = max(degradation.sigma, ROUNDING) / LEVELS
    problem = _problem(degradation, sigma, x)
    y = problem.simulate(x, generator=torch.Generator().manual_seed(_SEED))
    if isinstance(degradation, Projected):
        shown = problem.initial(y)
    else:
        shown = y if y.shape == x.shape else F.interpolate(y, x.shape[-2:], mode="nearest-exact")
    return Measured(y, problem, sigma, x, shown)


def _samples(values: Array, channels: int) -> Tensor:
    """Convert (H, W, C) to images for a model with ``channels`` channels."""
    image = to_unit(values)
    return image[:, None] if channels == 1 else image[None]


def _painted(
    values: Array, wish: Painted, channels: int, seen_sigma: float, hidden: Array | None
) -> Measured:
    """Put a first guess where it was painted, as `Inpainter` does, to get the same pixels."""
    noise_level(values, 0.0)  # checks the image
    missing = _missing(wish.runs, (values.shape[0], values.shape[1]))
    if hidden is not None:
        missing = missing | hidden
        if missing.all():
            raise ValueError("all that can be seen is painted: there is nothing to go by")
    filled = values.copy()
    Holed(filled, missing).guess()
    x = _samples(values, channels)
    sigma = max(wish.sigma / LEVELS, seen_sigma)
    guess = _samples(filled, channels).expand(-1, channels, -1, -1)
    operator = GuessedMask(mask_of(missing), guess)
    problem = Problem(operator, GaussianNoise(torch.tensor([sigma])))
    y = operator.A(guess)
    still = (operator.mask > 0).expand_as(x) if wish.sigma == 0 else None
    return Measured(y, problem, sigma, None, x, still)


def _missing(runs: Sequence[int], size: tuple[int, int]) -> Array:
    """Expand runs of seen and missing pixels in turn to (H, W), booleans."""
    if sum(runs) != math.prod(size):
        raise ValueError(
            f"what is painted has {sum(runs)} pixels, but an image of {size[1]}x{size[0]} has "
            f"{math.prod(size)}"
        )
    missing = np.repeat(np.arange(len(runs)) % 2 == 1, np.asarray(runs))
    if not missing.any():
        raise ValueError("nothing is painted: paint over what is damaged")
    if missing.all():
        raise ValueError("everything is painted: there is nothing to go by")
    return missing.reshape(size)


def _problem(
    degradation: Noise | Missing | Scratched | Blurred | Smaller | Projected,
    sigma: float,
    like: Tensor,
) -> Problem:
    size = (like.shape[-2], like.shape[-1])
    match degradation:
        case Noise():
            return Denoising(sigma)
        case Missing():
            generator = torch.Generator().manual_seed(_SEED + 1)
            drawn = Mask.scattered(degradation.share, size, generator=generator)
            return Problem(Mask(drawn.mask.to(like)), GaussianNoise(sigma))
        case Scratched():
            generator = torch.Generator().manual_seed(_SEED + 1)
            count = min(degradation.count, max(1, math.prod(size) // _ROOM))
            drawn = Mask.strokes(count, size, generator=generator)
            return Problem(Mask(drawn.mask.to(like)), GaussianNoise(sigma))
        case Blurred():
            return Problem(Blur(gaussian_kernel(degradation.width)), GaussianNoise(sigma))
        case Smaller():
            return SuperResolution(degradation.scale, size=size, sigma=sigma)
        case Projected():
            generator = torch.Generator().manual_seed(_SEED + 1)
            operator = FastProjection.draw(degradation.share, size, generator=generator)
            return Problem(operator, GaussianNoise(sigma))
