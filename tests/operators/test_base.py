from collections.abc import Callable

import pytest
import torch
from tests.cases import normal, uniform
from torch import Tensor

from rimkit import operators
from rimkit.operators import Blur, DenseProjection, Downsampling, Mask, gaussian_kernel
from rimkit.problem import Denoising


class Square:
    """Not linear, and says only A."""

    def A(self, x: Tensor) -> Tensor:
        return x**2


def test_autograd_stands_in_where_only_A_is_given() -> None:
    x, v = normal(2, 1, 3, 4), normal(2, 1, 3, 4, seed=1)
    torch.testing.assert_close(operators.A_vjp(Square(), x, v), 2 * x * v)  # type: ignore[arg-type]


class Luma:
    """Forgets to give every channel its share."""

    def A(self, x: Tensor) -> Tensor:
        return x.mean(1, keepdim=True)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return y / 3


def test_an_adjoint_leads_back_to_the_shape_of_x() -> None:
    with pytest.raises(
        ValueError, match=r"A maps \(2, 3, 4, 5\) to \(2, 1, 4, 5\), but A_adjoint maps it back"
    ):
        operators.adjoint_error(Luma(), normal(2, 3, 4, 5))


def test_a_start_is_asked_for_where_there_is_no_adjoint() -> None:
    with pytest.raises(ValueError, match="initial"):
        operators.initial(Square(), torch.ones(1, 1, 3, 3))  # type: ignore[arg-type]


def test_the_start_has_a_gradient_where_nothing_was_seen() -> None:
    y = torch.zeros(2, 1, 4, 4)
    y[0] = 0.5
    y.requires_grad_()
    start = operators.initial(operators.Blur(operators.gaussian_kernel(0.5)), y)
    (gradient,) = torch.autograd.grad(start.sum(), y)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    "operator",
    [Mask(torch.ones(1, 1, 4, 4)), DenseProjection(0.1 * torch.ones(1, 1, 16).double(), (4, 4))],
    ids=["mask", "row"],
)
def test_the_start_grows_with_the_measurement_however_small(operator: operators.Operator) -> None:
    y = operator.A(0.01 * uniform(2, 1, 4, 4))
    start = operators.initial(operator, y)
    torch.testing.assert_close(operators.initial(operator, 100 * y), 100 * start)


BYTES = torch.full((1, 1, 8, 8), 200, dtype=torch.uint8)


@pytest.mark.parametrize(
    "use",
    [
        lambda: Blur(gaussian_kernel(1.0)).A(BYTES),
        lambda: Mask(torch.ones(1, 1, 8, 8)).A(BYTES),
        lambda: Downsampling(2.0).A(BYTES),
        lambda: Downsampling(2.0).initial(BYTES),
        lambda: Denoising(0.1).simulate(BYTES),
        lambda: Denoising(0.1).initial(BYTES),
        lambda: Denoising(0.1).score(BYTES, BYTES.float()),
        lambda: Denoising(0.1).log_prob(BYTES.float(), BYTES),
    ],
)
def test_whole_numbers_are_refused(use: Callable[[], object]) -> None:
    # Weights would be rounded to whole numbers, and differences of bytes wrap.
    with pytest.raises(ValueError, match=r"floating point.*uint8; divide bytes by 255"):
        use()
