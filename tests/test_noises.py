import numpy as np
import pytest
import torch
from tests.cases import NOISES, SHAPE, normal, uniform
from torch import Tensor

from rimkit.noises import GaussianNoise, Noise, PoissonNoise, QuantisedGaussianNoise

each = pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES.keys())


def measured(noise: Noise) -> tuple[Tensor, Tensor]:
    z = uniform(*SHAPE, seed=6) + 0.1
    return z, noise.sample(z, generator=torch.Generator().manual_seed(7))


@each
def test_score_is_the_gradient_of_log_prob(noise: Noise) -> None:
    # Batch above one and a gain that is not one: sums over the batch, or a squared gain, show.
    z, y = measured(noise)
    z.requires_grad_()
    (gradient,) = torch.autograd.grad(noise.log_prob(z, y).sum(), z)
    torch.testing.assert_close(noise.score(z, y), gradient)


@each
def test_log_prob_is_one_value_a_sample_and_samples_do_not_mix(noise: Noise) -> None:
    z, y = measured(noise)
    changed = z.clone()
    changed[1] *= 2
    before, after = noise.log_prob(z, y), noise.log_prob(changed, y)
    assert before.shape == (3,)
    assert torch.equal(before[[0, 2]], after[[0, 2]])
    assert before[1] != after[1]


@each
def test_truth_is_the_likeliest_in_the_mean(noise: Noise) -> None:
    # E[score] = 0 at the true z: simulation and likelihood agree.
    z = torch.full((3, 1, 400, 400), 0.7, dtype=torch.float64)
    y = noise.sample(z, generator=torch.Generator().manual_seed(0))
    score = noise.score(z, y).flatten(1)
    assert (score.mean(1).abs() < 5 * score.std(1) / 400).all()


@each
def test_same_seed_same_noise(noise: Noise) -> None:
    assert torch.equal(measured(noise)[1], measured(noise)[1])


@each
def test_a_variance_floor_shrinks_the_score(noise: Noise) -> None:
    z, y = measured(noise)
    assert (noise.score(z, y, variance_floor=0.1).abs() < noise.score(z, y).abs()).any()
    assert (noise.score(z, y, variance_floor=0.1).abs() <= noise.score(z, y).abs()).all()


@pytest.mark.parametrize("sigma", [0.01, 1.0, 3.0])
def test_halving_sigma_multiplies_the_score_by_four(sigma: float) -> None:
    # At every sigma: a score over max(sigma, 1) would pass at 3 and fail at 0.01.
    z, y = normal(2, 1, 4, 5), normal(2, 1, 4, 5, seed=1)
    ratio = GaussianNoise(sigma / 2).score(z, y) / GaussianNoise(sigma).score(z, y)
    torch.testing.assert_close(ratio, torch.full_like(ratio, 4.0))


def test_complex_noise_has_sigma_on_both_parts() -> None:
    z = torch.zeros(1, 200, 200, dtype=torch.complex128)
    y = GaussianNoise(0.5).sample(z, generator=torch.Generator().manual_seed(0))
    assert y.real.std().item() == pytest.approx(0.5, rel=0.02)
    assert y.imag.std().item() == pytest.approx(0.5, rel=0.02)
    expected = -(y.abs() ** 2).sum() / (2 * 0.25)
    assert GaussianNoise(0.5).log_prob(z, y).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("noise", [PoissonNoise(0.1), QuantisedGaussianNoise(0.1)])
@pytest.mark.parametrize("question", ["sample", "log_prob", "score"])
def test_noise_of_real_values_says_so(noise: Noise, question: str) -> None:
    z = torch.zeros(1, 4, dtype=torch.complex64)
    given = [z] if question == "sample" else [z, z]
    with pytest.raises(ValueError, match=r"Noise needs real values, got z \(1, 4\) of"):
        getattr(noise, question)(*given)


def test_poisson_has_variance_gain_times_z() -> None:
    z = torch.full((1, 1, 300, 300), 2.0)
    y = PoissonNoise(0.1).sample(z, generator=torch.Generator().manual_seed(0))
    assert y.mean().item() == pytest.approx(2.0, rel=0.01)
    assert y.var().item() == pytest.approx(0.2, rel=0.03)


def test_nothing_is_counted_where_it_is_darker_than_black() -> None:
    z = torch.tensor([[-1.0, 400.0]])
    dark, bright = PoissonNoise(0.5).sample(z, generator=torch.Generator().manual_seed(0))[0]
    assert dark == 0 < bright


@pytest.mark.parametrize("sigma", [0.3, 0.02, 2e-4])
@pytest.mark.parametrize("y", [0.0, 0.4, 1.0])
def test_a_file_has_a_score_however_far_it_is(sigma: float, y: float) -> None:
    # From 20 to 15,000 standard deviations away: chances are zero there, and their ratio is not.
    noise = QuantisedGaussianNoise(sigma)
    z = torch.linspace(-2, 3, 501, dtype=torch.float64)[None]
    level = torch.full_like(z, round(y * 255) / 255)
    score = noise.score(z, level)
    single = noise.score(z.float(), level.float())
    assert score.isfinite().all()
    error = 5e-7 / sigma**2 + 1e-4 / sigma  # of z and of a chance, in single precision
    torch.testing.assert_close(single.double(), score, rtol=1e-4, atol=error)
    gaussian = GaussianNoise(sigma).score(z, level)
    distance = (z - level).abs()
    beyond = (z < 0) & (y == 0) | (z > 1) & (y == 1)
    clipped = beyond & (distance > 2 * sigma)
    assert (score[clipped].abs() < gaussian[clipped].abs() / 10).all()
    pulled = ~beyond & (distance > 0.1) & (distance > 4 * sigma)
    torch.testing.assert_close(score[pulled], gaussian[pulled], rtol=0.06, atol=0)


@pytest.mark.parametrize("sigma", [0.3, 0.02, 2e-4])
@pytest.mark.parametrize("y", [0.0, 0.4, 1.0])
def test_training_goes_through_the_score_of_a_file(sigma: float, y: float) -> None:
    # The bins of black and white have an edge at infinity, and far tails overflow: neither may
    # turn gradients into NaN. They agree with differences of the score.
    z = torch.linspace(-0.5, 1.5, 41, dtype=torch.float64)[None].requires_grad_()
    level = torch.full_like(z, round(y * 255) / 255).detach()
    noise = QuantisedGaussianNoise(sigma)
    floor = torch.tensor(1e-4, dtype=torch.float64, requires_grad=True)

    def score(z: Tensor, floor: Tensor) -> Tensor:
        return noise.score(z, level, variance_floor=floor)

    for_z, for_floor = torch.autograd.grad(score(z, floor).sum(), (z, floor))
    step = 1e-7
    slope = (score(z + step, floor) - score(z - step, floor)) / (2 * step)
    torch.testing.assert_close(for_z, slope.detach(), rtol=1e-3, atol=1e-3)
    slope = (score(z, floor + step) - score(z, floor - step)).sum() / (2 * step)
    torch.testing.assert_close(for_floor, slope.detach(), rtol=1e-3, atol=1e-3)
    z, level, floor = (t.detach().float().requires_grad_() for t in (z, level, floor))
    for gradient in torch.autograd.grad(score(z, floor).sum(), (z, floor)):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("sigma", [0.002, 0.1, 0.4])
@pytest.mark.parametrize("levels", [255, 4095, 65535])
def test_bins_of_any_width_keep_their_digits(sigma: float, levels: int) -> None:
    # At 65,535 levels the difference of two chances has none left in single precision.
    noise = QuantisedGaussianNoise(sigma, levels)
    z = torch.linspace(-0.2, 1.2, 281, dtype=torch.float64)[None]
    for y in (0.0, round(0.4 * levels) / levels, 1.0):
        level = torch.full_like(z, y)
        near = z[(z - level).abs() < 5 * sigma][None].requires_grad_()
        here = torch.full_like(near, y)
        (expected,) = torch.autograd.grad(noise.log_prob(near, here).sum(), near)
        torch.testing.assert_close(noise.score(near, here), expected, rtol=1e-4, atol=1e-5 / sigma)
        single = noise.score(near.float(), here.float()).double()
        error = 2e-7 / sigma**2 + 3e-5 / sigma  # of z, and of a chance
        torch.testing.assert_close(single, noise.score(near, here), rtol=1e-5, atol=error)


@pytest.mark.parametrize("sigma", [0.041, 0.08, 0.2])
def test_near_y_the_short_way_keeps_six_digits(sigma: float) -> None:
    noise = QuantisedGaussianNoise(sigma)
    z = torch.linspace(-0.2, 1.2, 2801, dtype=torch.float64)[None]
    y = torch.full_like(z, round(0.4 * 255) / 255)
    z = z[(z - y).abs() < 6 * sigma][None]
    y = y[:, : z.shape[1]]
    every = torch.full_like(z, sigma)
    long = noise._bent_score(z, y, every)
    torch.testing.assert_close(noise.score(z, y), long, rtol=1e-12, atol=1e-12)
    short = noise.score(z.float(), y.float())
    torch.testing.assert_close(short.double(), long, rtol=4e-6, atol=2e-7 / sigma**2)
    assert not torch.equal(short, noise._bent_score(z.float(), y.float(), every.float()))


def test_a_black_pixel_may_have_been_anything_below() -> None:
    noise = QuantisedGaussianNoise(0.1)
    y, z = torch.zeros(1, 3), torch.tensor([[-0.5, 0.0, 0.2]])
    score = noise.score(z, y)[0]
    assert score[0].abs() < 1e-3
    assert -8.2 < score[1] < -7.4  # sqrt(2 / pi) / sigma, nearly: half the chance is below
    assert score[2] < -20


def test_a_file_has_levels_from_black_to_white() -> None:
    z = torch.full((1, 100_000), 0.5)
    y = QuantisedGaussianNoise(0.3, levels=10).sample(z, generator=torch.Generator().manual_seed(0))
    values, counts = y.unique(return_counts=True)
    torch.testing.assert_close(values, torch.arange(11) / 10)
    chances = QuantisedGaussianNoise(0.3, levels=10).log_prob(
        torch.full((11, 1), 0.5), values[:, None]
    )
    assert chances.exp().sum().item() == pytest.approx(1)
    torch.testing.assert_close(counts / 100_000, chances.exp(), atol=5e-3, rtol=0)
    with pytest.raises(ValueError, match="levels must be a positive integer"):
        QuantisedGaussianNoise(0.3, levels=0)


@pytest.mark.parametrize(
    "sigma",
    [
        -0.1,
        float("nan"),
        float("inf"),
        "25",
        True,
        None,
        torch.tensor([1]),
        torch.tensor([0.1, float("nan")]),
        torch.tensor([0.1, -1.0]),
        torch.ones(2, 1, 1, 1),
    ],
    ids=str,
)
def test_impossible_sigma_is_refused(sigma: object) -> None:
    with pytest.raises(ValueError, match="sigma must be a non-negative finite number"):
        GaussianNoise(sigma)  # type: ignore[arg-type]


def test_single_numbers_of_any_kind_are_floats() -> None:
    for sigma in (torch.tensor(0.5), np.float32(0.5), np.array(0.5)[()]):
        assert GaussianNoise(sigma).sigma == 0.5


def test_poisson_where_nothing_was_counted() -> None:
    z = torch.tensor([[0.0, 1e-6, 2.0]])
    score = PoissonNoise(0.5).score(z, torch.zeros(1, 3))
    torch.testing.assert_close(score, torch.full((1, 3), -2.0))


def test_zero_is_legal_for_sigma_and_not_for_a_gain() -> None:
    z, y = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    assert GaussianNoise(0).score(z, y, variance_floor=0.5).unique().item() == 2
    for gain in (0.0, torch.tensor([0.1, 0.0])):
        with pytest.raises(ValueError, match="gain must be a positive"):
            PoissonNoise(gain)


def test_counts_below_zero_are_no_likelier_than_zero() -> None:
    noise, z = PoissonNoise(0.1), torch.tensor([[-1.0], [-1e-3], [0.0], [0.5]], requires_grad=True)
    dark = torch.zeros(4, 1)
    assert noise.log_prob(z, dark).tolist() == pytest.approx([0, 0, 0, -5])
    assert noise.score(z, dark).flatten().tolist() == pytest.approx([0, 0, -10, -10])
    for value in (noise.log_prob(z, dark), noise.score(z, dark)):
        (gradient,) = torch.autograd.grad(value.sum(), z)
        assert gradient.isfinite().all()
    assert noise.log_prob(torch.zeros(1, 1), torch.ones(1, 1)).item() == -torch.inf
    below = torch.full((4, 1), -0.2)  # as where a dark level was taken off
    assert noise.log_prob(z, below)[:3].tolist() == [0, 0, 0]
    assert noise.score(z, below).flatten()[:3].tolist() == pytest.approx([0, 0, -10])
    value = noise.log_prob(z[3:], below[3:])
    (gradient,) = torch.autograd.grad(value.sum(), z)
    assert gradient[3].item() == pytest.approx(noise.score(z[3:], below[3:]).item())
    assert noise.log_prob(below, below).tolist() == [0] * 4


def test_without_noise_the_truth_is_certain() -> None:
    z = torch.tensor([[0.5, 0.5], [0.5, 0.4]])
    assert GaussianNoise(0).log_prob(z, torch.full((2, 2), 0.5)).tolist() == [0, -torch.inf]


def test_a_level_that_is_learned_keeps_its_gradient() -> None:
    sigma = torch.tensor(0.1, requires_grad=True)
    z = torch.zeros(3, 1, 2, 2)
    GaussianNoise(sigma).log_prob(z, z + 0.1).sum().backward()
    assert sigma.grad is not None
    assert sigma.grad > 0


def test_without_noise_a_file_cannot_be_another() -> None:
    noise = QuantisedGaussianNoise(torch.tensor([0.0, 0.1]))
    z = torch.full((2, 1), 0.502, requires_grad=True)
    for level, sure in ((128, 0.0), (129, -torch.inf)):
        found = noise.log_prob(z, torch.full((2, 1), level / 255))
        assert found[0] == sure
        assert found[1].isfinite()
        assert torch.autograd.grad(found[1], z)[0][1].isfinite()
