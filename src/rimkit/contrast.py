"""A solver in other units: on an image of lower contrast, and noise lower by as much."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from rimkit import tree
from rimkit.noises import GaussianNoise, Noise
from rimkit.operators import LinearOperator, Operator, Oriented
from rimkit.problem import Problem
from rimkit.solver import Iterate, Solver, check_state

_GREY = 0.5


class AtContrast(Solver):
    """A solver applied to every image at lower contrast about mid grey.

    With x' = 1/2 + c (x - 1/2) and a linear operator, y' = c y + (1 - c) A(1/2) is a measurement of
    x' whose noise is c times as strong: the same problem in other units. A linear solver does the
    same in both; a learned one handles some noise levels better than others, and can be run at
    those (for denoisers see Xu, Liu, Sun, Wohlberg & Kamilov 2020).

    Parameters
    ----------
    solver
        The solver to run; ``steps`` is taken from it.
    contrast
        c, in (0, 1]: a float, or one value per sample (N,).

    Raises
    ------
    ValueError
        If the contrast lies outside (0, 1].
    """

    def __init__(self, solver: Solver, contrast: Tensor | float) -> None:
        super().__init__()
        values = torch.as_tensor(contrast, dtype=torch.float64)
        if values.ndim > 1 or not ((values > 0) & (values <= 1)).all():
            raise ValueError(
                f"contrast must lie in (0, 1], one value or one per sample, got {contrast}"
            )
        self.solver = solver
        self.contrast = contrast
        self.steps = solver.steps
        self.looks_at_all = solver.looks_at_all

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        """Start where the solver does; ``eta`` and the state are its own, with A(1/2) appended.

        Raises
        ------
        ValueError
            If the operator is not linear, and as in the solver's own `init`.
        """
        if not _is_linear(problem.operator):
            raise ValueError(
                "contrast can be faded only with a linear operator, one with A_adjoint: "
                f"{type(problem.operator).__name__} has none"
            )
        grey = _measured_grey(problem.initial(y), problem)
        return self._clear(self.solver.init(*self._fade_problem(y, problem, grey)), grey)

    def check_iterate(self, iterate: Iterate, y: Tensor, problem: Problem) -> None:
        """Raise ``ValueError`` unless the state is one of the solver plus one tensor."""
        check_state(Iterate(iterate.eta, iterate.x, iterate.state[-1:]), (y,))
        *state, grey = iterate.state
        faded = Iterate(iterate.eta, self._fade(iterate.x), tuple(state))
        self.solver.check_iterate(faded, *self._fade_problem(y, problem, grey))

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        """Take one step of the solver."""
        *state, grey = iterate.state
        faded = Iterate(iterate.eta, self._fade(iterate.x), tuple(state))
        return self._clear(self.solver.step(faded, *self._fade_problem(y, problem, grey)), grey)

    def warning(self, first: Tensor, last: Tensor, y: Tensor, problem: Problem) -> str | None:
        """Return the warning of the solver, if any."""
        faded = self._fade_problem(y, problem, _measured_grey(first, problem))
        return self.solver.warning(self._fade(first), self._fade(last), *faded)

    def _fade_problem(self, y: Tensor, problem: Problem, grey: Tensor) -> tuple[Tensor, Problem]:
        contrast = tree.per_sample(self.contrast, y)
        added = (1 - contrast) * grey
        noise: Noise
        if isinstance(problem.noise, GaussianNoise):
            noise = GaussianNoise(_product(self.contrast, problem.noise.sigma))
        else:
            noise = _FadedNoise(problem.noise, self.contrast, added)
        return contrast * y + added, Problem(problem.operator, noise)

    def _fade(self, x: Tensor) -> Tensor:
        return _GREY + tree.per_sample(self.contrast, x) * (x - _GREY)

    def _clear(self, iterate: Iterate, grey: Tensor) -> Iterate:
        contrast = tree.per_sample(self.contrast, iterate.x)
        x = _GREY + (iterate.x - _GREY) / contrast
        return Iterate(iterate.eta, x, (*iterate.state, grey))


@tree.register
@dataclasses.dataclass(frozen=True)
class _FadedNoise:
    """Noise of y' = c y + added around z' = c z + added, given the noise of y around z.

    Attributes
    ----------
    noise
        The noise of y.
    contrast
        c: a float, or one value per sample (N,).
    added
        (N, ...), in the shape of y.
    """

    noise: Noise
    contrast: Tensor | float
    added: Tensor

    def sample(self, z: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Draw y' given z'."""
        y = self.noise.sample(self._clear(z), generator=generator)
        return tree.per_sample(self.contrast, z) * y + self.added

    def log_prob(self, z: Tensor, y: Tensor) -> Tensor:
        """Log p(y' | z') up to a constant that depends on c: (N,)."""
        return self.noise.log_prob(self._clear(z), self._clear(y))

    def score(self, z: Tensor, y: Tensor, *, variance_floor: Tensor | float = 0.0) -> Tensor:
        """Gradient in z'; the floor is added to the variance of y', c^2 times that of y."""
        contrast = tree.per_sample(self.contrast, z)
        floor = variance_floor / contrast**2
        score = self.noise.score(self._clear(z), self._clear(y), variance_floor=floor)
        return score / contrast

    def _clear(self, value: Tensor) -> Tensor:
        return (value - self.added) / tree.per_sample(self.contrast, value)


def _measured_grey(like: Tensor, problem: Problem) -> Tensor:
    """A(1/2) (N, ...)."""
    return problem.predict(torch.full_like(like, _GREY))


def _is_linear(operator: Operator) -> bool:
    return isinstance(
        operator.operator if isinstance(operator, Oriented) else operator, LinearOperator
    )


def _product(contrast: Tensor | float, sigma: Tensor | float) -> Tensor | float:
    """Multiply on sigma's device: the contrast may be on another one."""
    if isinstance(contrast, Tensor) and isinstance(sigma, Tensor):
        contrast = contrast.to(sigma.device)
    return contrast * sigma
