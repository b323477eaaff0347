"""Geometric self-ensemble: the mean of a solver over all orientations of the image."""

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

    A learned solver is not quite equivariant to rotations and reflections, and the mean has a
    smaller error than a single estimate, at eight times the computation and the state (Timofte,
    Rothe & Van Gool 2016; Lim et al. 2017). The operator is turned, not the measurement, so any
    operator will do.

    Parameters
    ----------
    solver
        The solver to run; ``steps`` is taken from it.
    """

    def __init__(self, solver: Solver) -> None:
        super().__init__()
        self.solver = solver
        self.steps = solver.steps
        self.looks_at_all = solver.looks_at_all

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        """Start in every orientation; the state holds all eight iterates.

        Raises
        ------
        ValueError
            As in the solver's own `init`.
        """
        return _joined([self.solver.init(y, turned) for turned in _turned(problem)])

    def check_iterate(self, iterate: Iterate, y: Tensor, problem: Problem) -> None:
        """Raise ``ValueError`` unless the state holds eight iterates of the solver."""
        each, rest = divmod(len(iterate.state), len(ORIENTATIONS))
        if each < 2 or rest:
            raise ValueError(
                f"start is an iterate of another solver: its state of {len(iterate.state)} parts "
                f"cannot hold {len(ORIENTATIONS)} iterates"
            )
        members = zip(ORIENTATIONS, _split(iterate), _turned(problem), strict=True)
        for orientation, member, turned in members:
            eta, x = orientation.upright(member.eta), orientation.upright(member.x)
            check_state(Iterate(eta, x, (eta, x)), (iterate.eta, iterate.x))
            self.solver.check_iterate(member, y, turned)

    def warning(self, first: Tensor, last: Tensor, y: Tensor, problem: Problem) -> str | None:
        """Return the warning of the solver, if any."""
        return self.solver.warning(first, last, y, problem)

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        """Take one step in every orientation."""
        members = zip(_split(iterate), _turned(problem), strict=True)
        return _joined([self.solver.step(member, y, turned) for member, turned in members])


@bytes_per_pixel.register
def _(solver: SelfEnsemble, *, channels: int, scale: float = 1.0) -> float:
    """One solver at work, plus the iterates of the others before and after the step."""
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
    """Join the iterates of all orientations into one."""
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
