"""Unroll a machine for training, keeping the activations of all steps or of one segment."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rimkit.problem import Problem
from rimkit.solver import Iterate, Solver


@dataclasses.dataclass(frozen=True)
class Unrolled:
    """The estimates x_1 ... x_T (N, C, H, W) of an unrolled machine, and its last iterate."""

    estimates: list[Tensor]
    last: Iterate


def unroll(
    solver: Solver,
    start: Iterate,
    y: Tensor,
    problem: Problem,
    *,
    steps: int,
    segment: int | None = None,
    through_score: bool = True,
) -> Unrolled:
    """Take steps with gradients.

    Parameters
    ----------
    solver, start, y, problem
        What is unrolled, and from where; y is as in `Solver.iterate` and not checked again.
    steps
        Number of steps.
    segment
        None: the activations of all steps are kept for the backward pass. Otherwise they are
        recomputed, ``segment`` steps at a time (Chen et al. 2016): the same gradients, with memory
        for ``segment`` steps and one iterate per segment, at the cost of one more forward pass.
    through_score
        Whether gradients flow through the score's dependence on x. Otherwise the score is an input
        like y, as in Andrychowicz et al. (2016); the variance floor is still trained, and gradients
        still flow through the slope of a link, by which the score is multiplied.

    Raises
    ------
    ValueError
        If steps or segment is less than 1.
    """
    if steps < 1 or (segment is not None and segment < 1):
        raise ValueError(f"steps and segment must be at least 1, got {steps} and {segment}")
    if not through_score:
        problem = _ScoreAsInput(problem.operator, problem.noise)
    if segment is None:
        return _take(solver, start, y, problem, steps)
    estimates: list[Tensor] = []
    while len(estimates) < steps:
        part: Unrolled = checkpoint(
            _take,
            solver,
            start,
            y,
            problem,
            min(segment, steps - len(estimates)),
            use_reentrant=False,
            context_fn=lambda: (nullcontext(), _counted_already(solver)),
        )
        estimates += part.estimates
        start = part.last
    return Unrolled(estimates, start)


class _ScoreAsInput(Problem):
    """A problem whose score passes no gradients on to x."""

    def score(self, x: Tensor, y: Tensor, *, variance_floor: Tensor | float = 0.0) -> Tensor:
        return super().score(x.detach(), y, variance_floor=variance_floor)


def _take(solver: Solver, iterate: Iterate, y: Tensor, problem: Problem, steps: int) -> Unrolled:
    estimates = []
    for _ in range(steps):
        iterate = solver.step(iterate, y, problem)
        estimates.append(iterate.x)
    return Unrolled(estimates, iterate)


@contextmanager
def _counted_already(solver: nn.Module) -> Iterator[None]:
    """Keep batch norm from counting a batch again when its activations are recomputed."""
    norms = [
        module
        for module in solver.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0  # leaves the running statistics bitwise unchanged
        norm.num_batches_tracked = norm.num_batches_tracked.clone()  # type: ignore[union-attr]
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked = count
