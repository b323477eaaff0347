from typing import Any

import pytest
import torch
from tests.cases import normal, uniform

from rimkit.operators import SaturatingSensor


def test_the_start_is_the_inverse() -> None:
    x = uniform(2, 1, 5, 6)
    sensor = SaturatingSensor()
    torch.testing.assert_close(sensor.initial(sensor.A(x)), x)
    assert sensor.initial(torch.tensor([-0.2, 1.0, 1.4])).isfinite().all()


def test_it_rises_everywhere_and_saturates() -> None:
    sensor = SaturatingSensor()
    x = torch.linspace(-1, 1, 201).double()
    z = sensor.A(x)
    assert (z.diff() > 0).all()
    assert sensor.A(torch.tensor(3.0)) == pytest.approx(1)


def test_the_slope_is_that_of_autograd_below_zero_too() -> None:
    sensor, x, v = SaturatingSensor(), normal(2, 1, 3, 4), normal(2, 1, 3, 4, seed=1)
    assert (x < 0).any()
    torch.testing.assert_close(sensor.A_vjp(x, v), torch.func.vjp(sensor.A, x)[1](v)[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gain": 0.0}, "gain must be positive"),
        ({"gain": float("inf")}, "gain must be positive"),
        ({"gamma": 0.9}, "gamma must be at least 1"),
        ({"gain": "2"}, "gain must be a number, got '2'"),
        ({"gamma": None}, "gamma must be a number, got None"),
    ],
)
def test_refuses_impossible_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SaturatingSensor(**settings)


@pytest.mark.parametrize("gamma", [1.0, 1.8, 2.2])
def test_black_has_a_gradient(gamma: float) -> None:
    sensor, x = SaturatingSensor(gamma=gamma), torch.zeros(1, 1, 2, 2, requires_grad=True)
    for value in (sensor.A(x), sensor.A_vjp(x, torch.ones(1, 1, 2, 2))):
        (gradient,) = torch.autograd.grad(value.sum(), x, allow_unused=True)
        assert gradient is None or gradient.isfinite().all()
