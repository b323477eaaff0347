"""A problem is an operator and a noise: how y was made, and the score with which x is found."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Iterator

import torch
from torch import Tensor

from rimkit import operators, tree
from rimkit.noises import GaussianNoise, Noise, QuantisedGaussianNoise
from rimkit.operators import Downsampling, Identity, Operator, Window
from rimkit.operators.checks import check_precision
from rimkit.pixels import LEVELS

UNLIKELY = 4.0
"""A larger sigma is implausible where white is 1: it is probably in grey levels of 255."""

_ROUNDING = 1 / (LEVELS * 12**0.5)  # standard deviation of a uniform error of one grey level


@tree.register
@dataclasses.dataclass(frozen=True)
class Problem:
    """y ~ p(y | z) with z = A(x), always computed outside autocast.

    Parameters
    ----------
    operator
        Anything with ``A`` (see `rimkit.operators.Operator`), usually linear; operators of
        deepinv work as they are.
    noise
        How y scatters around A(x).

    Raises
    ------
    ValueError
        If either is something else.
    """

    operator: Operator
    noise: Noise

    def __post_init__(self) -> None:
        if isinstance(self.operator, type) or not isinstance(self.operator, Operator):
            raise ValueError(
                f"an operator must have a method A(x), got {_kind(self.operator)}; for none, use "
                "rimkit.Identity()"
            )
        if isinstance(self.noise, type) or not isinstance(self.noise, Noise):
            raise ValueError(
                "a noise must have the methods sample, log_prob and score, got "
                f"{_kind(self.noise)}; for noise of one level, use rimkit.GaussianNoise(sigma)"
            )

    def simulate(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw a measurement y of x (N, C, H, W)."""
        z = self.predict(x)
        with _in_full(x):
            return self.noise.sample(z, generator=generator)

    def predict(self, x: Tensor) -> Tensor:
        """Return A(x) (N, ...): what y would be without noise."""
        check_precision("x", x)
        with _in_full(x), self._told(f"while x {tuple(x.shape)} was measured"):
            return self.operator.A(x)

    def initial(self, y: Tensor) -> Tensor:
        """Return the starting point of a solver, in the shape of x."""
        check_precision("y", y)
        with _in_full(y), self._told(f"while a start was computed from y {tuple(y.shape)}"):
            return operators.initial(self.operator, y)

    def crop(self, y: Tensor, window: Window) -> tuple[Problem, Tensor]:
        """Return the problem and the measurement of a part of x, exact except near its border.

        Raises
        ------
        ValueError
            If the operator cannot be cropped.
        """
        operator, part = operators.crop(self.operator, y, window)
        return Problem(operator, self.noise), part

    def log_prob(self, x: Tensor, y: Tensor) -> Tensor:
        """Log p(y | x) up to a constant: (N,).

        Raises
        ------
        ValueError
            If y differs from A(x) in shape, device or precision.
        """
        z = self._predicted(x, y)
        with _in_full(x):
            return self.noise.log_prob(z, y)

    def score(self, x: Tensor, y: Tensor, *, variance_floor: Tensor | float = 0.0) -> Tensor:
        """Gradient of log p(y | x) in x, in the shape of x: equations 14 and 15.

        Raises
        ------
        ValueError
            If y differs from A(x) in shape, device or precision, or the adjoint does not return
            the shape of x.
        """
        z = self._predicted(x, y)
        with _in_full(x):
            residual = self.noise.score(z, y, variance_floor=variance_floor)
            with self._told(f"while {tuple(residual.shape)} was mapped to x {tuple(x.shape)}"):
                score = operators.A_vjp(self.operator, x, residual)
        if score.shape != x.shape:
            raise ValueError(
                f"the operator takes x of shape {tuple(x.shape)}, but its adjoint returns "
                f"{tuple(score.shape)}: an operator that shrinks images must know their size"
            )
        return score

    def check_fit(self, x: Tensor, y: Tensor) -> None:
        """Raise ``ValueError`` unless A(x) has the shape, precision and device of y."""
        self._predicted(x, y)

    def _predicted(self, x: Tensor, y: Tensor) -> Tensor:
        """A x, which must match y in shape, precision and device."""
        check_precision("x", x)
        check_precision("y", y)
        if x.device != y.device:
            raise ValueError(
                f"x {tuple(x.shape)} is on {x.device}, but y {tuple(y.shape)} is on {y.device}"
            )
        z = self.predict(x)
        if z.shape != y.shape:
            raise ValueError(f"A(x) has shape {tuple(z.shape)}, but y has shape {tuple(y.shape)}")
        if z.dtype != y.dtype:
            raise ValueError(
                f"A(x) {tuple(z.shape)} is {z.dtype}, for x {tuple(x.shape)} of {x.dtype}, but y "
                f"{tuple(y.shape)} is {y.dtype}"
            )
        return z

    @contextlib.contextmanager
    def _told(self, what: str) -> Iterator[None]:
        """Add a note to errors other than ``ValueError``: those of torch and Python."""
        try:
            yield
        except ValueError:
            raise
        except Exception as error:
            error.add_note(f"{what} by the operator {type(self.operator).__name__}")
            raise


def _in_full(value: Tensor) -> contextlib.AbstractContextManager[object]:
    """Compute in the precision of the tensors, not of autocast: bf16 has two digits."""
    kind = value.device.type
    if not torch.amp.is_autocast_available(kind):  # as for "meta"
        return contextlib.nullcontext()
    return torch.autocast(kind, enabled=False)


def Denoising(sigma: Tensor | float, *, levels: int | None = None) -> Problem:
    """Return the problem y = x + sigma n.

    Parameters
    ----------
    sigma
        Standard deviation in the units of y (images in [0, 1]: ``25 / 255``): a float, or one
        value per sample (N,).
    levels
        If y was clipped to [0, 1] and rounded, the number of steps between 0 and 1: 255 for 8
        bits. None: it was not, or the likelihood shall ignore it.

    Warns
    -----
    UserWarning
        If a sigma is so large that it is probably in other units.
    """
    noise = GaussianNoise(sigma) if levels is None else QuantisedGaussianNoise(sigma, levels)
    largest = max(sigma.flatten().tolist(), default=0.0) if isinstance(sigma, Tensor) else sigma
    if UNLIKELY < largest < math.inf:
        warnings.warn(
            f"sigma is {largest:g} where white is 1; are these grey levels of 255?", stacklevel=2
        )
    return Problem(operator=Identity(), noise=noise)


def check_level(level: float) -> None:
    """Raise ``ValueError`` unless a noise level is finite, non-negative and in units of white 1."""
    GaussianNoise(level)  # which validates it
    if level > UNLIKELY:
        raise ValueError(f"sigma is {level:g} where white is 1; are these grey levels of 255?")


def score_error(problem: Problem, x: Tensor, y: Tensor) -> Tensor:
    """Relative error of the score as the gradient of the log-likelihood: ``|score - g| / |g|``.

    Reveals errors in an operator's own ``A_vjp`` or a noise's own ``score``. Near machine precision
    (1e-15 in float64) if both are correct.

    Parameters
    ----------
    problem
        The problem, with its tensors in x's precision.
    x
        Where the gradient is taken (N, C, H, W); float64 is the most informative.
    y
        A measurement, such as ``problem.simulate(x)``.

    Returns
    -------
    Tensor
        One value per sample (N,).
    """
    check_precision("x", x)
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(problem.log_prob(point, y).sum(), point)
        off: Tensor = (problem.score(x, y) - gradient).flatten(1).norm(dim=1)
        size: Tensor = gradient.flatten(1).norm(dim=1)
        relative = off / size.clamp(min=torch.finfo(x.dtype).tiny)
    return relative.detach()


def SuperResolution(
    scale: float, *, size: tuple[int, int] | None = None, sigma: Tensor | float = _ROUNDING
) -> Problem:
    """Return the problem of an image that was downsampled by ``scale``.

    Parameters
    ----------
    scale, size
        As in `rimkit.operators.Downsampling`.
    sigma
        Standard deviation of the noise of the small image, in its units; by default that of
        rounding to 8 bits.
    """
    return Problem(operator=Downsampling(scale, size), noise=GaussianNoise(sigma))


def _kind(given: object) -> str:
    """Describe an argument for errors, telling a class from its instances."""
    return f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
