"""The solver loop: a solver defines its start and one step, and this file runs it."""

from __future__ import annotations

import abc
import dataclasses
import math
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rimkit import tree
from rimkit.measurement import at_least_single, check_measurement, dtype_of_x
from rimkit.problem import Problem

Reason = Literal["converged", "steps"]


class DivergenceError(ValueError):
    """An estimate is no longer finite: the solver diverged, or y does not fit the problem."""


@tree.register
@dataclasses.dataclass(frozen=True)
class Iterate:
    """The current position of a solver: tensors only.

    Attributes
    ----------
    eta
        Unconstrained iterate (N, C, H, W).
    x
        The estimate Psi(eta), same shape.
    state
        What the solver carries from step to step: a tuple of tensors (N, ...), may be empty.
    """

    eta: Tensor
    x: Tensor
    state: tuple[Tensor, ...]


@dataclasses.dataclass(frozen=True)
class Solution:
    """What `Solver.solve` returns.

    Attributes
    ----------
    x
        The estimate (N, C, H, W), in y's dtype (for complex y, that of its real part).
    iterate
        Where the solver stopped; pass it to ``solve(start=...)`` to continue.
    trajectory
        With ``keep=True`` all estimates, the start first: (steps + 1, N, C, H, W), or fewer if all
        samples stopped earlier; else None.
    steps_taken
        Steps until each sample stopped: integers (N,).
    reason
        Why each sample stopped: ``"converged"`` or ``"steps"``.
    """

    x: Tensor
    iterate: Iterate
    trajectory: Tensor | None
    steps_taken: Tensor
    reason: tuple[Reason, ...]


class Solver(nn.Module, abc.ABC):
    """Base class of all solvers. A new one defines `init` and `step` and inherits the rest.

    ``steps``: default number of steps. ``looks_at_all``: whether a step depends on the whole image,
    so that solving it in tiles would give another result.
    """

    steps: int
    looks_at_all: bool = False

    @abc.abstractmethod
    def init(self, y: Tensor, problem: Problem) -> Iterate:
        """Return the iterate before the first step; all checks of values happen here."""

    @abc.abstractmethod
    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        """Return the next iterate. Pure: nothing is kept on the solver."""

    def iterate(
        self,
        y: Tensor,
        problem: Problem,
        *,
        steps: int | None = None,
        start: Iterate | None = None,
    ) -> Iterator[Iterate]:
        """Return an iterator over the iterates after each step; arguments are checked at once.

        Parameters
        ----------
        y
            Measurement (N, ...), as ``problem.simulate`` returns it.
        problem
            How y was made.
        steps
            Number of steps; the solver's default if None.
        start
            The iterate to continue from; ``init(y, problem)`` if None.

        Raises
        ------
        ValueError
            If steps is negative or y does not fit the problem; a `DivergenceError` if an estimate
            is no longer finite.
        """
        steps = self._steps(steps)
        y = at_least_single(y)
        return self._walk(self._start(y, problem, start), y, problem, steps)

    @torch.no_grad()
    def solve(
        self,
        y: Tensor,
        problem: Problem,
        *,
        steps: int | None = None,
        start: Iterate | None = None,
        tolerance: float | None = None,
        keep: bool = False,
        on_step: Callable[[int, Iterate], object] | None = None,
    ) -> Solution:
        """Run the solver without gradients.

        Parameters
        ----------
        y, problem, steps, start
            As in `iterate`; ``steps`` is the maximum.
        tolerance
            A sample stops once a step changes its estimate by less than this, as root mean square
            over its pixels; not after the first step of a solver with a state, which may have
            changed only the state. Stopped samples stay fixed while the others continue, so the
            result of a sample never depends on its batch. None: all steps are taken.
        keep
            Whether to keep every estimate.
        on_step
            Called after every step with its number, from 1, and the iterate after it. An exception
            that it raises ends the solve.

        Raises
        ------
        ValueError
            As in `iterate`, if the tolerance is not positive, or if the solver is in training mode
            and has batch norm, which would mix the samples and update its statistics.
        """
        if any(isinstance(part, _BatchNorm) and part.training for part in self.modules()):
            raise ValueError(
                "this solver has batch norm and is in training mode: call eval() on it first"
            )
        if tolerance is not None and not (math.isfinite(tolerance) and tolerance > 0):
            raise ValueError(f"tolerance must be a positive finite number or None, got {tolerance}")
        steps = self._steps(steps)
        measurement = at_least_single(y)
        current = self._start(measurement, problem, start)
        size = current.x.shape[0]
        active = torch.ones(size, dtype=torch.bool, device=current.x.device)
        taken = torch.zeros(size, dtype=torch.long, device=current.x.device)
        trajectory = [current.x]
        for number in range(steps):
            if not active.any():
                break
            proposed = self._advance(current, measurement, problem, number)
            taken += active
            moved = (proposed.x - current.x).square().flatten(1).mean(1).sqrt()
            current = proposed if active.all() else tree.select(active, proposed, current)
            if tolerance is not None and (number > 0 or not current.state):
                active = active & (moved >= tolerance)
            if keep:
                trajectory.append(current.x)
            if on_step is not None:
                on_step(number + 1, current)
        if warning := self.warning(trajectory[0], current.x, measurement, problem):
            warnings.warn(warning, stacklevel=3)  # points at the caller, past `no_grad`
        reasons = ("steps" if running else "converged" for running in active.tolist())
        return Solution(
            x=current.x.to(dtype_of_x(y)),
            iterate=current,
            trajectory=torch.stack(trajectory).to(dtype_of_x(y)) if keep else None,
            steps_taken=taken,
            reason=cast("tuple[Reason, ...]", tuple(reasons)),
        )

    def forward(self, y: Tensor, problem: Problem) -> Tensor:
        """Return the estimate after the default number of steps, with gradients."""
        measurement = at_least_single(y)
        current = self._start(measurement, problem, None)
        for number in range(self._steps(None)):
            current = self._advance(current, measurement, problem, number)
        return current.x.to(dtype_of_x(y))

    def check_iterate(self, iterate: Iterate, y: Tensor, problem: Problem) -> None:
        """Raise ``ValueError`` if an iterate to start from cannot be one of this solver.

        By default any is accepted: what a state must be depends on the solver.
        """

    def warning(self, first: Tensor, last: Tensor, y: Tensor, problem: Problem) -> str | None:
        """Return the warning that `solve` gives after the last step, if any.

        Parameters
        ----------
        first, last
            The estimates (N, C, H, W) at the start and at the end.
        y, problem
            As in `iterate`.
        """
        return None

    def _walk(self, current: Iterate, y: Tensor, problem: Problem, steps: int) -> Iterator[Iterate]:
        for number in range(steps):
            current = self._advance(current, y, problem, number)
            yield current

    def _start(self, y: Tensor, problem: Problem, start: Iterate | None) -> Iterate:
        if not isinstance(problem, Problem):
            raise ValueError(
                f"problem must be a rimkit.Problem, got {type(problem).__name__}; for noise of one "
                "level, use rimkit.Denoising(sigma)"
            )
        if start is None:
            start = self.init(y, problem)
        elif not isinstance(start, Iterate):
            raise ValueError(
                f"start must be a rimkit.Iterate, got {type(start).__name__}: pass the iterate of "
                "a solution to continue from, or Iterate(x, x, ()) for a solver without a state (a "
                "model starts from problem.initial(y))"
            )
        else:
            check_measurement(y)
            self.check_iterate(start, y, problem)
        problem.check_fit(start.x, y)
        return start

    def _advance(self, current: Iterate, y: Tensor, problem: Problem, number: int) -> Iterate:
        """Take one step; NaN never propagates silently."""
        current = self.step(current, y, problem)
        if not current.x.isfinite().all():
            finite = current.x.isfinite().flatten(1).all(1)
            samples = (~finite).nonzero()[:, 0].tolist()
            raise DivergenceError(
                f"the estimate is no longer finite after step {number + 1} (samples {samples} of "
                f"{len(finite)}): the solver diverged, or the measurement does not fit the problem "
                "(check your own operator with rimkit.adjoint_error and rimkit.score_error)"
            )
        return current

    def _steps(self, steps: int | None) -> int:
        steps = self.steps if steps is None else steps
        if isinstance(steps, bool) or not hasattr(steps, "__index__") or steps < 0:
            raise ValueError(f"steps must be a non-negative integer, got {steps!r}")
        return operator.index(steps)  # numpy integers are allowed, too


def check_start(x: Tensor, score: Tensor) -> None:
    """Raise ``ValueError`` unless a start is an image and its score is finite."""
    if x.ndim != 4:
        raise ValueError(
            f"signals must be (N, C, H, W), but this problem starts at shape {tuple(x.shape)}"
        )
    if not x.is_floating_point():
        raise ValueError(
            f"signals must be real, but the start for this y is {x.dtype}: y is complex, and the "
            "operator's adjoint does not return real values"
        )
    if not score.isfinite().all():
        raise ValueError(
            "the score is not finite at the start: noise without variance (sigma = 0, or counts "
            "where A(x) is zero) needs a solver with a positive variance floor"
        )


def check_state(iterate: Iterate, like: Sequence[Tensor]) -> None:
    """Raise ``ValueError`` unless a state has as many parts as ``like``, of the same shapes."""
    given, own = ([tuple(part.shape) for part in parts] for parts in (iterate.state, like))
    if given != own:
        raise ValueError(
            f"start is an iterate of another solver: its state has shapes {given}, but this "
            f"solver needs {own}"
        )
