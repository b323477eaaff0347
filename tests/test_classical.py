import pytest
import torch
from tests.cases import uniform

from rimkit.classical import GradientDescent, TotalVariation
from rimkit.noises import GaussianNoise, PoissonNoise
from rimkit.operators import Blur, Identity, Mask, gaussian_kernel
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
    with pytest.raises(ValueError, match="variance_floor"):
        GradientDescent(step_size=1.0, variance_floor=value)
    with pytest.raises(ValueError, match="variance_floor"):
        TotalVariation(weight=1.0, variance_floor=value)


def test_counts_in_the_dark_need_a_variance_floor() -> None:
    gain = 1 / 60
    truth = torch.zeros(2, 1, 24, 24)
    truth[..., 8:, :16] = 0.5
    truth[..., 4:12] += 0.01  # half a count: most pixels see none
    problem = Problem(Identity(), PoissonNoise(gain))
    y = problem.simulate(truth, generator=torch.Generator().manual_seed(0))
    assert (y == 0).float().mean() > 0.3
    solution = TotalVariation(weight=8.0, variance_floor=gain**2).solve(y, problem, keep=True)
    assert solution.trajectory is not None
    error = (solution.trajectory - truth).square().mean((1, 2, 3, 4)).sqrt()
    assert error[-1] < 0.6 * error[0]
    assert error.diff()[100:].max() < 1e-5  # nothing swings
    descent = GradientDescent(step_size=gain**2, variance_floor=gain**2, steps=200)
    x = descent.solve(y, problem).x
    torch.testing.assert_close(x, y, rtol=0, atol=1e-6)  # what the counts say is where it stays
