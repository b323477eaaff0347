import pytest
import torch
from tests.cases import uniform

from rimkit.training.loss import DISTANCES, log_mse, motion, trajectory_loss


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


def test_distances() -> None:
    x = uniform(2, 1, 4, 5)
    estimate = x + torch.tensor([0.1, -0.3]).view(2, 1, 1, 1)
    values = {
        name: trajectory_loss([estimate], x, weights=[3.0], distance=name).item()
        for name in DISTANCES
    }
    assert values["mse"] == pytest.approx((0.01 + 0.09) / 2)
    assert values["l1"] == pytest.approx(0.2)
    decibels = (-10 * torch.tensor([0.01, 0.09]).log10()).mean().item()
    assert -10 * values["log-mse"] / torch.tensor(10.0).log().item() == pytest.approx(
        decibels, abs=1e-3
    )


def test_a_perfect_estimate_has_finite_gradients() -> None:
    x = uniform(2, 1, 4, 5)
    for name in DISTANCES:
        estimate = x.clone().requires_grad_()
        trajectory_loss([estimate], x, weights=[1.0], distance=name).backward()
        assert estimate.grad is not None
        assert estimate.grad.isfinite().all()


def test_a_perfect_estimate_is_a_tenth_of_a_grey_level_away() -> None:
    assert log_mse(torch.zeros(2, 1, 4, 4)).exp().item() == pytest.approx((0.1 / 255) ** 2)


def test_motion_is_the_change_in_a_step_over_the_error() -> None:
    x = uniform(2, 1, 4, 5)
    path = [x + 0.5, x + torch.tensor([0.3, 0.5]).view(2, 1, 1, 1), x + 0.1]
    expected = [(0.2**2 + 0.2**2) / 2 / 0.1**2, (0 + 0.4**2) / 2 / 0.1**2]
    assert motion(path, x).tolist() == pytest.approx(expected, rel=1e-3)


def test_an_estimate_does_not_come_to_rest_by_getting_worse() -> None:
    x = uniform(2, 1, 4, 5)
    before, after = x - 0.1, (x + 0.05).requires_grad_()
    motion([before, after], x).sum().backward()
    assert after.grad is not None
    # Downhill is towards where it was, by the change alone: though that is further from the truth,
    # and the share of the error that moved would fall the other way, too.
    assert (after.grad > 0).all()
    assert motion([x, x], x).tolist() == [0, 0]
