import pytest
import torch
from tests.cases import uniform

from rimkit.training.loss import trajectory_loss


def test_is_equation_13_over_the_sum_of_the_weights() -> None:
    x = uniform(2, 1, 4, 5)
    estimates = [uniform(2, 1, 4, 5, seed=t) for t in range(1, 4)]
    errors = [((estimate - x) ** 2).mean() for estimate in estimates]
    loss = trajectory_loss(estimates, x, weights=[1.0, 2.0, 5.0])
    torch.testing.assert_close(loss, (errors[0] + 2 * errors[1] + 5 * errors[2]) / 8)


@pytest.mark.parametrize("weights", [[], [1.0], [1.0, 0.0], [1.0, -1.0], [1.0, 1.0, 1.0]], ids=str)
def test_weights_must_fit(weights: list[float]) -> None:
    x = uniform(1, 1, 4, 4)
    with pytest.raises(ValueError, match="weights"):
        trajectory_loss([x, x], x, weights=weights)
