import pytest
import torch
from tests.cases import uniform

from rimkit.estimation import estimate_sigma
from rimkit.problem import Denoising


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_finds_sigma_on_a_photograph(photograph: torch.Tensor, sigma: int) -> None:
    y = Denoising(sigma / 255).simulate(photograph, generator=torch.Generator().manual_seed(0))
    assert estimate_sigma(y).item() * 255 == pytest.approx(sigma, rel=0.1)


def test_nothing_is_found_on_a_flat_image() -> None:
    assert estimate_sigma(torch.full((2, 3, 20, 20), 0.5)).tolist() == [0.0, 0.0]


def test_one_value_an_image() -> None:
    y = uniform(1, 1, 30, 30).float() * torch.tensor([0.1, 1.0, 2.0]).view(3, 1, 1, 1)
    found = estimate_sigma(y)
    torch.testing.assert_close(found, found[1] * torch.tensor([0.1, 1.0, 2.0]))


def test_bad_images() -> None:
    with pytest.raises(ValueError, match="8x8"):
        estimate_sigma(torch.zeros(1, 1, 7, 20))
    with pytest.raises(ValueError, match="NaN"):
        estimate_sigma(torch.full((1, 1, 9, 9), float("nan")))
