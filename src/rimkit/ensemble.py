"""Geometric self-ensemble: a solver in every orientation of the image, and the mean of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from rimkit.footprint import bytes_per_pixel
from rimkit.operators import ORIENTATIONS, Oriented
from rimkit.problem import Denoising, Problem
from rimkit.solver import Iterate, Solver, check_state

_PROBE = 32


class SelfEnsemble(Solver):
    """A solver in eight orientations of the image at once; the estimate is their mean.

    A learned solver does not do quite the same to an image that is turned or mirrored, and the mean
    errs less than one of them, for eight times the computation and the state (Timofte, Rothe & Van
    Gool 2016; Lim et al. 2017). The operator is turned, not the measurement, so any will do.

    Parameters
    ----------
    solver
        What is run; ``steps`` is its own number.
    """

    def __init__(self, solver: Solver) -> None:
        super().__init__()
        self.solver = solver
        self.steps = solver.steps
        self.looks_at_all = solver.looks_at_all

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        """Start in every orientation; the state holds the iterates of all.

        Raises
        ------
        ValueError
            As the solver's own `init` does.
        """
        return _joined([self.solver.init(y, turned) for turned in _turned(problem)])

    def check_iterate(self, iterate: Iterate, y: Tensor, problem: Problem) -> None:
        """Raise ``ValueError`` unless the state holds eight iterates of the solver."""
        each, rest = divmod(len(iterate.state), len(ORIENTATIONS))
        if each < 2 or rest:
            raise ValueError(
                f"start is an iterate of another solver: its state of {len(iterate.state)} parts "
                f"does not hold {len(ORIENTATIONS)} iterates"
            )
        members = zip(ORIENTATIONS, _split(iterate), _turned(problem), strict=True)
        for orientation, member, turned in members:
            eta, x = orientation.upright(member.eta), orientation.upright(member.x)
            check_state(Iterate(eta, x, (eta, x)), (iterate.eta, iterate.x))
            self.solver.check_iterate(member, y, turned)

    def warning(self, first: Tensor, last: Tensor, y: Tensor, problem: Problem) -> str | None:
        """Return what the solver warns of."""
        return self.solver.warning(first, last, y, problem)

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        """Take a step in every orientation."""
        members = zip(_split(iterate), _turned(problem), strict=True)
        return _joined([self.solver.step(member, y, turned) for member, turned in members])


@bytes_per_pixel.register
def _(solver: SelfEnsemble, *, channels: int, scale: float = 1.0) -> float:
    """Of one solver at work, and of the others' iterates before and after the step."""
    with torch.no_grad():
        y = torch.full((1, channels, _PROBE, _PROBE), 0.5)
        start = solver.init(y, Denoising(0.1))
    waiting = 2 * sum(part.nbytes for part in start.state) / _PROBE**2
    return waiting + bytes_per_pixel(solver.solver, channels=channels, scale=scale)


def _turned(problem: Problem) -> Iterator[Problem]:
    """The problem in every orientation."""
    for orientation in ORIENTATIONS:
        yield Problem(Oriented(problem.operator, orientation), problem.noise)


def _joined(members: Sequence[Iterate]) -> Iterate:
    """Make one iterate of those in all orientations."""
    pairs = list(zip(ORIENTATIONS, members, strict=True))
    eta = torch.stack([orientation.upright(member.eta) for orientation, member in pairs]).mean(0)
    x = torch.stack([orientation.upright(member.x) for orientation, member in pairs]).mean(0)
    state = [part for member in members for part in (member.eta, member.x, *member.state)]
    return Iterate(eta, x, tuple(state))


def _split(iterate: Iterate) -> list[Iterate]:
    """The iterates that were joined."""
    each = len(iterate.state) // len(ORIENTATIONS)
    parts = [iterate.state[i : i + each] for i in range(0, len(iterate.state), each)]
    return [Iterate(eta, x, tuple(state)) for eta, x, *state in parts]
