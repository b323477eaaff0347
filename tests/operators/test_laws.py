"""What every operator must satisfy."""

import pytest
import torch
from tests.cases import OPERATORS, SHAPE, generator, normal, uniform

from rimkit import operators, tree
from rimkit.operators import (
    Blur,
    LinearOperator,
    Mask,
    Operator,
    SaturatingSensor,
    gaussian_kernel,
)

LINEAR = {
    name: operator for name, operator in OPERATORS.items() if isinstance(operator, LinearOperator)
}
WITHOUT_A_START = {
    k: operator for k, operator in LINEAR.items() if not hasattr(operator, "initial")
}
each = pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS.keys())
each_linear = pytest.mark.parametrize("operator", LINEAR.values(), ids=LINEAR.keys())


@each_linear
def test_adjoint(operator: Operator) -> None:
    # Relative, per sample, in float64: an absolute tolerance or a mean would let errors cancel.
    error = operators.adjoint_error(operator, normal(*SHAPE), generator=generator(3))
    assert error.shape == SHAPE[:1]
    assert error.max() < 1e-14


@each_linear
def test_linear(operator: Operator) -> None:
    # Complex measurements, too, are linear in real numbers alone.
    x, other = normal(*SHAPE, seed=3), normal(*SHAPE, seed=4)
    a, b = normal(2, 3, 1, 1, 1, seed=5)
    both = operator.A(a * x + b * other)

    def scaled(numbers: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return numbers.view(-1, *(1,) * (z.ndim - 1)) * z

    torch.testing.assert_close(
        both, scaled(a, operator.A(x)) + scaled(b, operator.A(other)), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("name", ["blur-replicate", "smaller-3", "complex"])
def test_a_wrong_adjoint_is_noticed_in_the_sample_that_has_it(name: str) -> None:
    class Wrong:
        def A(self, x: torch.Tensor) -> torch.Tensor:
            return OPERATORS[name].A(x)

        def A_adjoint(self, y: torch.Tensor) -> torch.Tensor:
            x = OPERATORS[name].A_adjoint(y)
            return torch.cat([x[:1], x[1:2].roll(1, -1), x[2:]])

    error = operators.adjoint_error(Wrong(), normal(*SHAPE), generator=generator(3))
    assert error[1] > 1e-3
    assert error[[0, 2]].max() < 1e-14


def test_what_is_not_linear_has_no_adjoint() -> None:
    sensor = SaturatingSensor()
    assert isinstance(sensor, Operator)
    assert not isinstance(sensor, LinearOperator)
    with pytest.raises(ValueError, match="SaturatingSensor has no A_adjoint"):
        operators.adjoint_error(sensor, normal(*SHAPE))  # type: ignore[arg-type]


def test_the_error_of_nothing_is_nothing() -> None:
    blank = Mask(torch.zeros(1, 1, 4, 4).double())
    assert operators.adjoint_error(blank, normal(2, 1, 4, 4)).tolist() == [0.0, 0.0]


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


@each
def test_samples_can_be_taken_and_joined(operator: Operator) -> None:
    whole = normal(*SHAPE, seed=3), operator
    z = operator.A(whole[0])
    first, rest = tree.take(whole, slice(0, 1)), tree.take(whole, slice(1, 3))
    for (x, part), expected in (
        (rest, z[1:]),
        (first, z[:1]),
        (tree.join([rest, first]), z[[1, 2, 0]]),
    ):
        torch.testing.assert_close(part.A(x), expected)


@pytest.mark.parametrize("operator", WITHOUT_A_START.values(), ids=WITHOUT_A_START.keys())
def test_initial_minimises_the_residual_along_the_adjoint(operator: Operator) -> None:
    y = operator.A(normal(*SHAPE, seed=3))
    start = operators.initial(operator, y)
    assert start.shape == SHAPE
    assert start.dtype == torch.float64

    def residual(scale: float) -> torch.Tensor:
        return (y - scale * operator.A(start)).abs().square().flatten(1).sum(1)

    assert (residual(1.0) < residual(0.99)).all()
    assert (residual(1.0) < residual(1.01)).all()


def test_a_blur_starts_as_bright_as_the_image_was() -> None:
    flat = torch.full(SHAPE, 0.7).double()
    sharper = torch.tensor([[[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]]).double()
    kernels = uniform(3, 5, 3, seed=1), gaussian_kernel(1.0).double(), sharper, -sharper
    for kernel in kernels:
        blur = Blur(kernel)
        torch.testing.assert_close(blur.initial(blur.A(flat)), flat)
    edges = torch.tensor([[[0.0, 0.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]]).double()
    assert not Blur(edges).initial(normal(*SHAPE)).any()


@each
def test_initial_of_nothing_is_zero(operator: Operator) -> None:
    nothing = torch.zeros_like(operator.A(normal(*SHAPE)))
    assert torch.equal(operators.initial(operator, nothing), torch.zeros(SHAPE).double())
