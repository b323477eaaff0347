"""Classical solvers on the same protocol: gradient descent and total variation."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rimkit.measurement import check_measurement
from rimkit.problem import Problem
from rimkit.solver import Iterate, Solver, check_start, check_state


class GradientDescent(Solver):
    """x_{t+1} = x_t + gamma score(x_t): equation 6 without a prior.

    Parameters
    ----------
    step_size
        gamma. For Gaussian noise and a linear A the steps converge below 2 sigma^2 / |A|^2.
    steps
        Default number of steps.
    variance_floor
        Added to the noise variance (equation 15); see `TotalVariation`.
    """

    def __init__(self, *, step_size: float, steps: int = 20, variance_floor: float = 0.0) -> None:
        super().__init__()
        if not (math.isfinite(step_size) and step_size > 0):
            raise ValueError(f"step_size must be positive and finite, got {step_size}")
        self.step_size = step_size
        self.steps = steps
        self.variance_floor = _checked_floor(variance_floor)

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        """Return ``problem.initial(y)``."""
        check_measurement(y)
        x = problem.initial(y)
        check_start(x, problem.score(x, y, variance_floor=self.variance_floor))
        return Iterate(x, x, ())

    def check_iterate(self, iterate: Iterate, y: Tensor, problem: Problem) -> None:
        """Raise ``ValueError`` unless the state is empty."""
        check_state(iterate, ())

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        """Take one step along the score."""
        score = problem.score(iterate.x, y, variance_floor=self.variance_floor)
        x = iterate.x + self.step_size * score
        return Iterate(x, x, ())


class TotalVariation(Solver):
    """Maximum a posteriori with a total-variation prior: argmax log p(y | x) - weight TV(x).

    Solved by the primal-dual splitting of Condat (2013) and Vu (2013): the state holds only the
    dual variable and the curvature of the likelihood. TV is isotropic, per channel, with forward
    differences. The curvature is that of the whole image, so the solver is not run in tiles.

    Parameters
    ----------
    weight
        Strength of the prior: with Gaussian noise on the image itself, this minimises
        |x - y|^2 / 2 + lambda TV(x), lambda = weight sigma^2 (Rudin, Osher & Fatemi 1992).
    steps
        Default number of steps.
    variance_floor
        Added to the noise variance in the score (equation 15), as in `rimkit.RIM`. Counts have no
        variance where A x is zero, and the score is unbounded there: with `PoissonNoise`, the gain
        squared (the variance of one count) keeps every step finite. The score still vanishes where
        A x = y.
    """

    looks_at_all = True
    _norm_of_gradient_squared = 8.0

    def __init__(self, *, weight: float, steps: int = 200, variance_floor: float = 0.0) -> None:
        super().__init__()
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"weight must be non-negative and finite, got {weight}")
        self.weight = weight
        self.steps = steps
        self.variance_floor = _checked_floor(variance_floor)

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        """Return ``problem.initial(y)``, with a zero dual variable and the curvature as state."""
        check_measurement(y)
        x = problem.initial(y)
        check_start(x, problem.score(x, y, variance_floor=self.variance_floor))
        dual = _no_dual(x)
        largest = curvature(x, y, problem, variance_floor=self.variance_floor)
        return Iterate(x, x, (dual, largest))

    def check_iterate(self, iterate: Iterate, y: Tensor, problem: Problem) -> None:
        """Raise ``ValueError`` unless the state is a dual variable and a curvature."""
        x = iterate.x
        check_state(iterate, (_no_dual(x), x.new_empty(len(x), 1, 1, 1)))

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        """Take one step: descend on likelihood and dual, then project the dual."""
        x, (dual, curvature) = iterate.x, iterate.state
        # Both step sizes follow from the curvature L, so that 1/tau - s |D|^2 = L/2 + margin.
        s = curvature / self._norm_of_gradient_squared
        tau = 1 / (1.6 * curvature)
        score = problem.score(x, y, variance_floor=self.variance_floor)
        new = x + tau * (score + _divergence(dual))
        dual = dual + s[:, None] * _gradient(2 * new - x)
        squared = dual.square().sum(1, keepdim=True) / max(self.weight, 1e-12) ** 2
        dual = dual / squared.clamp(min=1).sqrt()  # sqrt has no gradient at zero
        return Iterate(new, new, (dual, curvature))


def curvature(
    x: Tensor, y: Tensor, problem: Problem, *, variance_floor: float = 0.0, iterations: int = 10
) -> Tensor:
    """Largest curvature of -log p(y | x) around x, per sample, by power iteration.

    The estimate plus a tenth, in shape (N, 1, 1, 1).
    """
    generator = torch.Generator(x.device).manual_seed(0)
    direction = torch.randn(x.shape[1:], generator=generator, device=x.device, dtype=x.dtype)
    direction = direction.expand(x.shape)  # shared, so that no sample depends on its batch
    at_x = problem.score(x, y, variance_floor=variance_floor)
    size = x.new_ones(())
    for _ in range(iterations):
        direction = direction / _norm(direction)
        direction = at_x - problem.score(x + direction, y, variance_floor=variance_floor)
        size = _norm(direction)
    return 1.1 * size


def _no_dual(x: Tensor) -> Tensor:
    """The initial dual variable: zeros (N, 2, C, H, W)."""
    return x.new_zeros((2, *x.shape)).movedim(0, 1)


def _gradient(x: Tensor) -> Tensor:
    """Forward differences (N, 2, C, H, W), zero at the far border."""
    down = torch.diff(x, dim=-2, append=x[..., -1:, :])
    right = torch.diff(x, dim=-1, append=x[..., :, -1:])
    return torch.stack([down, right], 1)


def _divergence(dual: Tensor) -> Tensor:
    """Minus the transpose of `_gradient`; the far border of the dual is zero by construction."""
    down, right = dual.unbind(1)
    return torch.diff(down, dim=-2, prepend=torch.zeros_like(down[..., :1, :])) + torch.diff(
        right, dim=-1, prepend=torch.zeros_like(right[..., :1])
    )


def _norm(image: Tensor) -> Tensor:
    norm: Tensor = image.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    return norm.clamp(min=torch.finfo(image.dtype).tiny)


def _checked_floor(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"variance_floor must be non-negative and finite, got {value}")
    return value
