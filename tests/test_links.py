import pytest
import torch
from tests.cases import LINK_CASES, NOISES, OPERATORS, SHAPE, normal, uniform

from rimkit.links import Link
from rimkit.operators import Blur
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
@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS.keys())
@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())
def test_score_through_the_link_is_the_gradient_in_eta(link, operator, noise) -> None:
    """The chain rule of equation 10, for every operator and noise."""
    problem = Problem(operator, noise)
    eta = normal(*SHAPE).abs() + 0.1
    z = operator.A(link(eta))
    if "poisson" in _name(noise) and (z.is_complex() or (z < 0).any()):
        pytest.skip("Poisson rates are real and not negative")
    y = noise.sample(z, generator=torch.Generator().manual_seed(1))
    eta.requires_grad_()
    x = link(eta)
    (expected,) = torch.autograd.grad(problem.log_prob(x, y).sum(), eta)
    found = link.pullback(eta, x, problem.score(x, y))
    assert found.isfinite().all()
    # Autograd knows no limit where nothing was seen and nothing was counted.
    known = expected.isfinite()
    assert known.all() or ("poisson" in _name(noise) and (z == 0).any())
    torch.testing.assert_close(found[known], expected[known])


def _name(noise: object) -> str:
    return next(name for name, case in NOISES.items() if case is noise)


def test_the_law_above_saw_poisson_through_blur() -> None:
    blur = OPERATORS["blur-replicate"]
    assert isinstance(blur, Blur)
    assert (blur.A(normal(*SHAPE).abs() + 0.1) > 0).all()
