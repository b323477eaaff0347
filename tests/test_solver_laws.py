"""What every solver keeps to: samples do not mix, walks can be cut, nothing stays on the solver."""

import copy

import pytest
import torch
from tests.cases import SOLVERS, generator, uniform
from torch import Tensor

from rimkit import tree
from rimkit.noises import GaussianNoise
from rimkit.operators import Blur
from rimkit.problem import Problem
from rimkit.solver import Iterate, Solver

_LAWS = pytest.mark.parametrize("name", SOLVERS)


def measured(*, samples: int = 3) -> tuple[Tensor, Problem]:
    """Images that are blurred, each by its own kernel and with its own noise."""
    sigma = torch.tensor([0.1, 0.3, 0.2], dtype=torch.float64)
    problem = Problem(Blur(uniform(3, 5, 3) / 8, padding="replicate"), GaussianNoise(sigma))
    y = problem.simulate(uniform(3, 1, 12, 17), generator=generator())
    return tree.take((y, problem), slice(samples))


@_LAWS
def test_samples_do_not_mix(name: str) -> None:
    solver, (y, problem) = SOLVERS[name](), measured()
    together = solver.solve(y, problem).x
    assert (together - problem.initial(y)).flatten(1).abs().amax(1).min() > 1e-3
    for n in range(3):
        alone = solver.solve(*tree.take((y, problem), slice(n, n + 1))).x
        torch.testing.assert_close(together[n : n + 1], alone, rtol=1e-9, atol=1e-9)


@_LAWS
def test_a_walk_that_is_cut_goes_on_as_if_it_were_not(name: str) -> None:
    solver, (y, problem) = SOLVERS[name](), measured()
    first = solver.solve(y, problem, steps=2)
    rest = solver.solve(y, problem, steps=3, start=first.iterate)
    assert torch.equal(rest.x, solver.solve(y, problem, steps=5).x)
    *_, last = solver.iterate(y, problem, steps=3, start=first.iterate)
    assert torch.equal(last.x, rest.x)


@_LAWS
def test_nothing_stays_on_the_solver(name: str) -> None:
    solver, (y, problem) = SOLVERS[name](), measured()
    other, (one, single) = copy.deepcopy(solver), measured(samples=1)
    expected = solver.solve(y, problem).x
    other.solve(one, single)
    assert torch.equal(other.solve(y, problem).x, expected)
    before = {key: id(value) for key, value in vars(solver).items()}
    solver.step(solver.init(y, problem), y, problem)
    assert {key: id(value) for key, value in vars(solver).items()} == before


@_LAWS
def test_the_parts_of_an_iterate_lead_with_the_samples(name: str) -> None:
    solver, (y, problem) = SOLVERS[name](), measured()
    iterate = solver.init(y, problem)
    for part in (iterate, solver.step(iterate, y, problem)):
        assert {leaf.shape[0] for leaf in tree.tensors(part)} == {3}
        solver.check_iterate(part, y, problem)


@_LAWS
def test_the_iterate_of_another_solver_is_refused(name: str) -> None:
    solver, (y, problem) = SOLVERS[name](), measured()
    x = problem.initial(y)
    strange = [Iterate(x, x, (x.new_zeros(3, 7, 2, 2),) * parts) for parts in (1, 2, 8, 16, 24)]
    strange += [SOLVERS[other]().init(y, problem) for other in SOLVERS if other != name]
    if solver.init(y, problem).state:
        strange.append(Iterate(x, x, ()))
    for start in strange:
        if _shapes(start) == _shapes(solver.init(y, problem)):
            continue
        with pytest.raises(ValueError, match="start is an iterate of another solver"):
            solver.solve(y, problem, start=start)


def _shapes(iterate: Iterate) -> list[torch.Size]:
    return [part.shape for part in iterate.state]


@_LAWS
def test_bad_input_is_refused_when_it_is_given(name: str) -> None:
    solver, (y, problem) = SOLVERS[name](), measured()

    def asked(solver: Solver, y: Tensor, problem: Problem, steps: object) -> None:
        solver.iterate(y, problem, steps=steps)  # type: ignore[arg-type]

    for steps in (-1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="steps must be a non-negative integer"):
            asked(solver, y, problem, steps)
    with pytest.raises(ValueError, match="NaN or infinite"):
        asked(solver, y * torch.nan, problem, 1)
    with pytest.raises(ValueError, match=r"y .*\(3, 1, 12, 17\).*is.*bytes|divide bytes by 255"):
        asked(solver, y.byte(), problem, 1)
    with pytest.raises(ValueError, match=r"problem must be a rimkit\.Problem, got float"):
        asked(solver, y, 0.1, 1)  # type: ignore[arg-type]
