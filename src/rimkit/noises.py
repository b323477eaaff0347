"""Noise p(y | z), z = A(x): each class defines sampling, log-likelihood and score.

Simulation and likelihood stand side by side so that they cannot disagree.
"""

from __future__ import annotations

import dataclasses
import math
from numbers import Real
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from rimkit import tree

# Bin widths, in standard deviations, below which the density has little curvature within a bin:
# anywhere (_NARROW), and where |y - z| is below _BENT * deviation / width (_FLAT).
_NARROW, _FLAT, _BENT = 0.01, 0.1, 0.5


@runtime_checkable
class Noise(Protocol):
    """How a measurement y (N, ...) scatters around z = A(x) (N, ...)."""

    def sample(self, z: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw y given z, in the shape of z."""
        ...

    def log_prob(self, z: Tensor, y: Tensor) -> Tensor:
        """Log p(y | z) up to a constant that does not depend on z: (N,)."""
        ...

    def score(self, z: Tensor, y: Tensor, *, variance_floor: Tensor | float = 0.0) -> Tensor:
        """Gradient of log p(y | z) in z, with the floor added to the noise variance."""
        ...


@tree.register
@dataclasses.dataclass(frozen=True)
class GaussianNoise:
    """y = z + sigma n with standard normal n; for complex z, in both real and imaginary parts.

    Parameters
    ----------
    sigma
        Standard deviation in the units of y: a float, or one value per sample (N,), converted to
        the device and precision of y.

    Raises
    ------
    ValueError
        If sigma is negative, NaN or infinite, or a tensor of another shape. Zero is allowed, for
        use with a positive variance floor.
    """

    sigma: Tensor | float

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", _checked_level(self.sigma, name="sigma", allow_zero=True))

    def sample(self, z: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw y given z (N, ...)."""
        sigma = tree.per_sample(self.sigma, z)
        if not z.is_complex():
            return z + sigma * _normal(z, generator)
        return z + sigma * torch.complex(_normal(z.real, generator), _normal(z.imag, generator))

    def log_prob(self, z: Tensor, y: Tensor) -> Tensor:
        """-|y - z|^2 / (2 sigma^2), summed within each sample: (N,)."""
        variance = tree.per_sample(self.sigma, z) ** 2
        squared = (y - z).abs().square()
        # Without noise, 0 / 0 where y = z: such values are certain, and their term is 0.
        terms = torch.where(squared == 0, squared, squared / (2 * variance))
        return -terms.flatten(1).sum(1)

    def score(self, z: Tensor, y: Tensor, *, variance_floor: Tensor | float = 0.0) -> Tensor:
        """(y - z) / (sigma^2 + floor): equation 15 without A."""
        variance = tree.per_sample(self.sigma, z) ** 2 + variance_floor
        return (y - z) / variance


@tree.register
@dataclasses.dataclass(frozen=True)
class QuantisedGaussianNoise:
    """y = z + sigma n as stored in a file: clipped to [0, 1] and rounded to one of its levels.

    p(y | z) is the probability that z + sigma n falls into the bin of y. The bins of black and
    white extend to infinity: a black pixel may have had any value below, and pulls no harder.

    Parameters
    ----------
    sigma
        As in `GaussianNoise`.
    levels
        Steps between 0 and 1: 255 for 8 bits.

    Raises
    ------
    ValueError
        If sigma is not as in `GaussianNoise`, or levels is not a whole number of at least 1.
    """

    sigma: Tensor | float
    levels: int = 255

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", _checked_level(self.sigma, name="sigma", allow_zero=True))
        if self.levels != self.levels // 1 or not 1 <= self.levels < math.inf:
            raise ValueError(f"levels must be a positive integer, got {self.levels}")

    def sample(self, z: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw y given z (N, ...)."""
        _check_real(self, z)
        y = z + tree.per_sample(self.sigma, z) * _normal(z, generator)
        return (y.clamp(0, 1) * self.levels).round() / self.levels

    def log_prob(self, z: Tensor, y: Tensor) -> Tensor:
        """Log-probability of y's bin, summed within each sample: (N,)."""
        low, high, _ = self._bin(z, y, tree.per_sample(self.sigma, z))
        below, above = torch.special.log_ndtr(low), torch.special.log_ndtr(high)
        never = above == -torch.inf  # without noise, outside the bin
        less = torch.where(never, 0.0, below) - torch.where(never, 1.0, above)
        chance = torch.where(never, above, above + torch.log(-torch.expm1(less)))
        return chance.flatten(1).sum(1)

    def score(self, z: Tensor, y: Tensor, *, variance_floor: Tensor | float = 0.0) -> Tensor:
        """Gradient of log p(y | z) in z with the variance sigma^2 + floor.

        (phi(a) - phi(b)) / (Phi(b) - Phi(a)) / standard deviation, with the density phi and the
        distribution function Phi of a standard normal at the edges a < b of the bin. Where the
        density has little curvature within a bin, as near y in most of a photograph, this is the
        Gaussian score times 1 - (b - a)^2 / 12 to six digits, all that single precision has. In
        narrow bins, as with 16 bits, the difference of probabilities has no correct digits, not
        even in double precision.
        """
        _check_real(self, z)
        deviation = (tree.per_sample(self.sigma, z) ** 2 + variance_floor) ** 0.5
        deviation = torch.as_tensor(deviation, dtype=z.dtype, device=z.device)
        half, width = 0.5 / self.levels, 1 / (self.levels * deviation)
        # Bound on |y - z|: the next term is (b - a)^4 / 720 times 2 + ((y - z) / deviation)^2.
        flat = _NARROW if z.dtype == torch.float64 else _FLAT  # float64 can use the full formula
        near = torch.where(width < flat, _BENT * deviation / width, 0.0)
        near = torch.where(width < _NARROW, torch.inf, near)
        residual = y - z
        score: Tensor = residual * ((1 - width**2 / 12) / deviation**2)
        bent = (residual.abs() >= near) | (y < half) | (y > 1 - half)
        if not bent.any():
            return score
        every = deviation.expand_as(z)
        return score.masked_scatter(bent, self._bent_score(z[bent], y[bent], every[bent]))

    def _bent_score(self, z: Tensor, y: Tensor, deviation: Tensor) -> Tensor:
        """The full formula of the score, all terms divided by phi(b), which vanishes in tails."""
        low, high, sign = self._bin(z, y, deviation)
        # Far inside a wide bin the score is zero, and erfcx too large for its gradient.
        high = high.clamp(max=math.sqrt(2 * math.log(torch.finfo(z.dtype).max / 1e3)))
        # An edge at infinity would turn gradients through the score into NaN.
        open_below = low.isinf()
        low = torch.where(open_below, high, low)
        less = -torch.expm1((high - low) * (high + low) / 2)  # 1 - phi(a) / phi(b)
        below, above = (torch.special.erfcx(-edge / 2**0.5) for edge in (low, high))
        less, below = torch.where(open_below, 1.0, less), torch.where(open_below, 0.0, below)
        score: Tensor = less / (above - below + less * below) / deviation
        return score * -sign * math.sqrt(2 / math.pi)

    def _bin(
        self, z: Tensor, y: Tensor, deviation: Tensor | float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Edges of y's bin in standard deviations from z, and a sign: -1 where it was mirrored.

        Bins to the right of z are mirrored: differences of probabilities near 1 lose digits.
        """
        _check_real(self, z)
        half = 0.5 / self.levels
        low = torch.where(y < half, -torch.inf, (y - half - z) / deviation)
        high = torch.where(y > 1 - half, torch.inf, (y + half - z) / deviation)
        right = low + high > 0
        sign = torch.where(right, -1.0, 1.0).to(z)
        return torch.where(right, -high, low), torch.where(right, -low, high), sign


@tree.register
@dataclasses.dataclass(frozen=True)
class PoissonNoise:
    """y = gain * Poisson(z / gain): counts scaled back to the units of z; variance gain * z.

    Parameters
    ----------
    gain
        Value of one count in the units of z: a float, or one value per sample (N,).

    Raises
    ------
    ValueError
        If the gain is not positive and finite, or is a tensor of another shape.
    """

    gain: Tensor | float

    def __post_init__(self) -> None:
        object.__setattr__(self, "gain", _checked_level(self.gain, name="gain", allow_zero=False))

    def sample(self, z: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw y given z (N, ...); negative z counts as zero."""
        _check_real(self, z)
        gain = tree.per_sample(self.gain, z)
        return torch.poisson(z.clamp(min=0) / gain, generator=generator) * gain

    def log_prob(self, z: Tensor, y: Tensor) -> Tensor:
        """(y log z - z) / gain, summed within each sample: (N,); negative z counts as zero.

        -inf where z <= 0 < y. Negative y, as after subtracting a dark level, contributes nothing
        where z <= 0.
        """
        _check_real(self, z)
        gain, z = tree.per_sample(self.gain, z), z.clamp(min=0)
        # Where y = 0 the first term and its gradient are zero, also at z = 0.
        logarithm = torch.where((y == 0) | ((y < 0) & (z == 0)), 1.0, z).log()
        return ((y * logarithm - z) / gain).flatten(1).sum(1)

    def score(self, z: Tensor, y: Tensor, *, variance_floor: Tensor | float = 0.0) -> Tensor:
        """(y - z) / (gain z + floor); the variance of a negative z counts as zero.

        Where the variance is zero and y is not positive, it is the limit at y = 0, -1 / gain; for
        negative z, where the likelihood is constant, 0.
        """
        _check_real(self, z)
        gain = tree.per_sample(self.gain, z)
        variance = gain * z.clamp(min=0) + variance_floor
        dark = (variance == 0) & (y <= 0)
        limit = -1 / gain * (z >= 0).to(z)
        # The branch not taken must be finite, too, or gradients would be NaN.
        return torch.where(dark, limit, (y - z) / torch.where(dark, 1.0, variance))


def _checked_level(level: Tensor | float, *, name: str, allow_zero: bool) -> Tensor | float:
    """Return a noise level as a float, or as a vector with one value per sample (N,).

    Raises
    ------
    ValueError
        If it is neither, or a value is not finite and in range.
    """
    wanted = f"{name} must be a {'non-negative' if allow_zero else 'positive'} finite number"
    if isinstance(level, Tensor) and level.ndim == 0 and level.requires_grad:
        level = level.reshape(1)  # shared by all samples; as a float it would lose its gradient
    if isinstance(level, Tensor) and level.ndim > 0:
        if level.ndim != 1 or not level.is_floating_point():
            raise ValueError(
                f"{wanted}, or a floating tensor of shape (N,); "
                f"got shape {tuple(level.shape)} of {level.dtype}"
            )
        if not (level.isfinite() & (level >= 0) & ((level > 0) | allow_zero)).all():
            raise ValueError(f"{wanted} for every sample, got {level.tolist()}")
        return level
    if isinstance(level, bool) or not isinstance(level, (Real, Tensor)):
        raise ValueError(f"{wanted}, or a tensor of shape (N,); got {level!r}")
    value = float(level)
    if not math.isfinite(value) or value < 0 or (value == 0 and not allow_zero):
        raise ValueError(f"{wanted}, got {value}")
    return value


def _check_real(noise: Noise, z: Tensor) -> None:
    """Raise if z is complex, which this noise does not support."""
    if z.is_complex():
        raise ValueError(
            f"{type(noise).__name__} needs real values, got z {tuple(z.shape)} of {z.dtype}; "
            "use GaussianNoise for complex ones"
        )


def _normal(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
