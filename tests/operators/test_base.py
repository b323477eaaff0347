import pytest
import torch
from tests.cases import normal
from torch import Tensor

from rimkit import operators


class Square:
    """Not linear, and says only A."""

    def A(self, x: Tensor) -> Tensor:
        return x**2


def test_autograd_stands_in_where_only_A_is_given() -> None:
    x, v = normal(2, 1, 3, 4), normal(2, 1, 3, 4, seed=1)
    torch.testing.assert_close(operators.A_vjp(Square(), x, v), 2 * x * v)  # type: ignore[arg-type]


def test_a_start_is_asked_for_where_there_is_no_adjoint() -> None:
    with pytest.raises(ValueError, match="initial"):
        operators.initial(Square(), torch.ones(1, 1, 3, 3))  # type: ignore[arg-type]
