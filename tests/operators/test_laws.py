"""What every operator must satisfy."""

import pytest
import torch
from tests.cases import OPERATORS, SHAPE, normal, uniform

from rimkit import operators
from rimkit.operators import Blur, Downsampling, Operator, gaussian_kernel

each = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS.keys())

WITHOUT_A_START = {
    name: operator
    for name, operator in OPERATORS.items()
    if not isinstance(operator, Blur | Downsampling)
}


def inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Re<a, b> per sample."""
    return (a.conj() * b).real.flatten(1).sum(1)


@each
def test_adjoint(operator: Operator) -> None:
    # Relative, per sample, in float64: an absolute tolerance or a mean would let errors cancel.
    x = normal(*SHAPE, seed=3)
    z = operator.A(x)
    y = normal(*z.shape, seed=4)
    if z.is_complex():
        y = torch.complex(y, normal(*z.shape, seed=5))
    left, right = inner(z, y), inner(x, operator.A_adjoint(y))
    scale = z.abs().flatten(1).norm(dim=1) * y.abs().flatten(1).norm(dim=1)
    assert ((left - right).abs() / scale).max() < 1e-14


@each
def test_adjoint_is_what_autograd_finds(operator: Operator) -> None:
    x = normal(*SHAPE, seed=3)
    z, pullback = torch.func.vjp(operator.A, x)
    v = normal(*z.shape, seed=4).to(z.dtype)
    torch.testing.assert_close(operators.A_vjp(operator, x, v), pullback(v)[0])


@each
def test_samples_do_not_mix(operator: Operator) -> None:
    x = normal(*SHAPE, seed=3)
    changed = x.clone()
    changed[1] += 1
    z, z_changed = operator.A(x), operator.A(changed)
    assert torch.equal(z[[0, 2]], z_changed[[0, 2]])
    assert not torch.equal(z[1], z_changed[1])


@pytest.mark.parametrize("operator", WITHOUT_A_START.values(), ids=WITHOUT_A_START.keys())
def test_initial_minimises_the_residual_along_the_adjoint(operator: Operator) -> None:
    y = operator.A(normal(*SHAPE, seed=3))
    start = operators.initial(operator, y)
    assert start.shape == SHAPE
    assert start.dtype == torch.float64

    def residual(scale: float) -> torch.Tensor:
        return (y - scale * operator.A(start)).abs().square().flatten(1).sum(1)

    assert (residual(1.0) <= residual(0.99)).all()
    assert (residual(1.0) <= residual(1.01)).all()


def test_a_blur_starts_as_bright_as_the_image_was() -> None:
    flat = torch.full(SHAPE, 0.7).double()
    for kernel in (uniform(3, 5, 3, seed=1), gaussian_kernel(1.0).double()):
        blur = Blur(kernel)
        torch.testing.assert_close(blur.initial(blur.A(flat)), flat)
    edges = torch.tensor([[[0.0, 0.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]]).double()
    assert not Blur(edges).initial(normal(*SHAPE)).any()


@each
def test_initial_of_nothing_is_zero(operator: Operator) -> None:
    nothing = torch.zeros_like(operator.A(normal(*SHAPE)))
    assert torch.equal(operators.initial(operator, nothing), torch.zeros(SHAPE).double())
