import pytest
import torch
from tests.cases import LINK_CASES, PROBLEMS, SHAPE, normal, uniform

from rimkit.links import Link
from rimkit.noises import PoissonNoise
from rimkit.problem import Problem

each = pytest.mark.parametrize("link", LINK_CASES.values(), ids=LINK_CASES.keys())


@each
def test_inverse(link: Link) -> None:
    x = uniform(*SHAPE) * 0.9 + 0.05
    torch.testing.assert_close(link(link.inverse(x)), x)


@each
def test_inverse_clamps_into_the_open_range(link: Link) -> None:
    assert link.inverse(torch.tensor([-3.0, 0.0, 1.0, 4.0])).isfinite().all()


@each
def test_pullback_is_what_autograd_finds(link: Link) -> None:
    eta, v = normal(*SHAPE), normal(*SHAPE, seed=1)
    x, pullback = torch.func.vjp(link, eta)
    torch.testing.assert_close(link.pullback(eta, x, v), pullback(v)[0])


@each
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS.keys())
def test_score_through_the_link_is_the_gradient_in_eta(link: Link, problem: Problem) -> None:
    """The chain rule of equation 10, for every operator and noise."""
    eta = normal(*SHAPE).abs() + 0.1
    z = problem.operator.A(link(eta))
    y = problem.noise.sample(z, generator=torch.Generator().manual_seed(1))
    eta.requires_grad_()
    x = link(eta)
    (expected,) = torch.autograd.grad(problem.log_prob(x, y).sum(), eta)
    found = link.pullback(eta, x, problem.score(x, y))
    assert found.isfinite().all()
    # Autograd knows no limit where nothing was seen and nothing was counted.
    known = expected.isfinite()
    assert known.all() or (isinstance(problem.noise, PoissonNoise) and (z == 0).any())
    torch.testing.assert_close(found[known], expected[known])
