import pytest
import torch
from tests.cases import uniform

from rimkit.classical import GradientDescent, TotalVariation
from rimkit.noises import GaussianNoise
from rimkit.operators import Blur, Mask, gaussian_kernel
from rimkit.problem import Denoising, Problem


def test_gradient_descent_reaches_least_squares() -> None:
    blur = Blur(gaussian_kernel(0.6).double(), padding="circular")
    x = uniform(1, 1, 10, 12)
    y = blur.A(x)
    problem = Problem(blur, GaussianNoise(0.1))
    solution = GradientDescent(step_size=0.01).solve(y, problem, steps=3000)
    torch.testing.assert_close(solution.x, x, rtol=0, atol=1e-4)


@pytest.mark.parametrize("sigma", [0.05, 0.2])
def test_total_variation_is_the_model_of_rudin_osher_and_fatemi(
    photograph: torch.Tensor, sigma: float
) -> None:
    restoration = pytest.importorskip("skimage.restoration")
    clean = photograph[..., 50:130, 60:150]
    y = Denoising(sigma).simulate(clean, generator=torch.Generator().manual_seed(0)).double()
    weight = 10.0
    ours = TotalVariation(weight=weight).solve(y, Denoising(sigma), steps=600).x
    theirs = restoration.denoise_tv_chambolle(
        y[0, 0].numpy(), weight=weight * sigma**2, eps=1e-9, max_num_iter=800
    )

    def energy(x: torch.Tensor) -> float:
        down = torch.diff(x, dim=-2, append=x[..., -1:, :])
        right = torch.diff(x, dim=-1, append=x[..., -1:])
        total_variation = (down**2 + right**2).sqrt().sum()
        return ((y - x).square().sum() / (2 * sigma**2) + weight * total_variation).item()

    reference = torch.from_numpy(theirs)[None, None]
    assert energy(ours) <= energy(reference) * 1.005
    assert (ours - reference).square().mean().sqrt() < 5e-3
    assert energy(ours) < 0.9 * energy(y)


def test_total_variation_fills_in_what_is_missing() -> None:
    truth = torch.zeros(1, 1, 24, 24).double()
    truth[..., 12:] = 1
    mask = (uniform(1, 1, 24, 24) > 0.4).double()
    problem = Problem(Mask(mask), GaussianNoise(0.05))
    y = problem.simulate(truth, generator=torch.Generator().manual_seed(0))
    x = TotalVariation(weight=20.0).solve(y, problem, steps=1000).x
    assert (x - truth).square().mean().sqrt() < 0.08
    assert (y - truth).square().mean().sqrt() > 0.3


def test_total_variation_without_weight_is_least_squares() -> None:
    y = uniform(2, 1, 9, 9)
    x = TotalVariation(weight=0.0).solve(y, Denoising(0.1), steps=50).x
    torch.testing.assert_close(x, y, rtol=0, atol=1e-6)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_impossible_settings(value: float) -> None:
    with pytest.raises(ValueError, match="step_size"):
        GradientDescent(step_size=value)
    with pytest.raises(ValueError, match="weight"):
        TotalVariation(weight=value)
