import dataclasses
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from tests.cases import NETWORK_CASES, ComplexRotation, generator, normal, uniform
from torch import Tensor, nn
from torch.func import functional_call

import rimkit
from rimkit.classical import GradientDescent
from rimkit.networks import CompactConfig, NetworkConfig, PaperConfig
from rimkit.networks.base import State, UpdateNetwork
from rimkit.noises import GaussianNoise, PoissonNoise
from rimkit.operators import Blur, DenseProjection, Identity, Mask, gaussian_kernel
from rimkit.problem import Denoising, Problem
from rimkit.rim import RIM, RIMConfig, score_spread

each_network = pytest.mark.parametrize("network", NETWORK_CASES.values(), ids=NETWORK_CASES.keys())


def small(network: NetworkConfig | None = None, **settings: object) -> RIM:
    torch.manual_seed(0)
    model = RIM(RIMConfig(network=network or CompactConfig(features=8, blocks=1), **settings))
    for parameter in model.network.parameters():
        if parameter.ndim == 4 and not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    return model.eval()


class ConstantTimesScore(UpdateNetwork):
    def __init__(self, config: NetworkConfig, constant: float) -> None:
        super().__init__(config)
        self.constant = constant

    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        return self.constant * score, ()


@dataclasses.dataclass(frozen=True)
class ConstantConfig(NetworkConfig):
    def build(self) -> UpdateNetwork:
        return ConstantTimesScore(self, 0.01)


@pytest.mark.parametrize("size", [(8, 8), (9, 15)])
def test_a_constant_times_the_score_is_gradient_descent(size: tuple[int, int]) -> None:
    floor = {"variance_floor": 0.0, "variance_floor_trained": False}
    model = RIM(RIMConfig(network=ConstantConfig(), score_scale=1.0, steps=7, **floor))
    descent = GradientDescent(step_size=0.01, steps=7)
    problem = Problem(Blur(gaussian_kernel(1.0)), GaussianNoise(0.2))
    y = uniform(2, 1, *size).float()
    ours = model.solve(y, problem, keep=True).trajectory
    theirs = descent.solve(y, problem, keep=True).trajectory
    assert ours is not None
    assert theirs is not None
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert not torch.allclose(ours[0], ours[-1], atol=1e-3)


@each_network
@pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 21), (13, 10)])
def test_any_size_from_8_works(
    network: Callable[[int], NetworkConfig], size: tuple[int, int]
) -> None:
    model = small(network(3))
    y = uniform(2, 3, *size).float()
    x = model(y, Denoising(0.1))
    assert x.shape == y.shape
    assert x.isfinite().all()


def test_a_size_that_the_stride_does_not_divide_is_continued_by_its_border() -> None:
    model, problem, y = small(), Denoising(0.1), uniform(1, 1, 9, 15).float()
    continued = F.pad(y, (0, 1, 0, 1), mode="replicate")
    x = model.solve(continued, problem, steps=1).x
    torch.testing.assert_close(model.solve(y, problem, steps=1).x, x[..., :9, :15])


@each_network
def test_a_batch_never_changes_what_a_sample_gets(
    network: Callable[[int], NetworkConfig],
) -> None:
    model = small(network(1))
    y = uniform(3, 1, 10, 11).float()
    sigma = torch.tensor([0.05, 0.1, 0.2])
    whole = model(y, Denoising(sigma))
    alone = model(y[1:2], Denoising(sigma[1:2]))
    torch.testing.assert_close(whole[1:2], alone, rtol=1e-5, atol=1e-5)


def test_step_reads_like_equations_10_to_12() -> None:
    model = small(link="sigmoid", score_scale=0.3, variance_floor=0.01)
    problem = Denoising(0.2)
    y = uniform(1, 1, 8, 10).float()
    start = model.init(y, problem)
    eta = start.eta.clone().requires_grad_()
    x = torch.sigmoid(eta)
    log_prob = -((y - x) ** 2).sum() / (2 * (0.2**2 + 0.01))
    (gradient,) = torch.autograd.grad(log_prob, eta)
    delta, state = model.network(start.eta, 0.3 * gradient, start.state)
    after = model.step(start, y, problem)
    torch.testing.assert_close(after.eta, start.eta + delta, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after.x, torch.sigmoid(after.eta))
    torch.testing.assert_close(after.state, state, rtol=1e-4, atol=1e-5)


def test_sigma_reaches_the_network_and_only_through_the_score() -> None:
    model = small()
    y = uniform(1, 1, 10, 10).float()
    problem, other = Denoising(0.1), Denoising(0.2)
    start = model.step(model.init(y, problem), y, problem)
    assert not torch.allclose(
        model.step(start, y, problem).x, model.step(start, y, other).x, atol=1e-6
    )
    still = dataclasses.replace(start, x=y, eta=y)  # here the score is zero at every sigma
    assert torch.equal(model.step(still, y, problem).x, model.step(still, y, other).x)


def test_a_whitened_score_is_sigma_times_the_raw_one() -> None:
    whitened, raw = (
        small(score_scaling=scaling, score_scale=1.0, link="sigmoid")
        for scaling in ("whitened", "raw")
    )
    y, sigma = uniform(2, 1, 9, 10).float(), torch.tensor([0.1, 0.4])
    problem = Denoising(sigma)
    start, here = (
        dataclasses.replace(start, x=start.x + 0.1)
        for start in (raw.init(y, problem), whitened.init(y, problem))
    )
    score = problem.score(start.x, y, variance_floor=raw.variance_floor)
    after = raw.update(start, (sigma**2 + raw.variance_floor).sqrt().view(-1, 1, 1, 1) * score)
    for _ in range(2):  # the spread stays where it is
        here = whitened.step(here, y, problem)
        torch.testing.assert_close(here.x, after.x, atol=1e-5, rtol=0)
        score = problem.score(after.x, y, variance_floor=raw.variance_floor)
        after = raw.update(after, (sigma**2 + raw.variance_floor).sqrt().view(-1, 1, 1, 1) * score)
    assert not torch.allclose(raw.solve(y, problem, steps=2).x, after.x, atol=1e-4)


@pytest.mark.parametrize("p", [0.1, 0.6])
def test_the_spread_of_a_score_is_that_at_the_truth(p: float) -> None:
    generator = torch.Generator().manual_seed(3)
    x = uniform(1000, 1, 8, 8).float()
    operator = DenseProjection.gaussian(p, (8, 8), samples=1000, generator=generator)
    for problem in (Problem(operator, GaussianNoise(2.0)), Denoising(0.3)):
        y = problem.simulate(x, generator=generator)
        seen = problem.score(x, y).square().mean().sqrt()
        found = score_spread(problem, x)
        assert found.shape == (1000, 1, 1, 1)
        assert found.square().mean().sqrt().item() == pytest.approx(seen.item(), rel=0.05)


def test_the_spread_of_a_blur_is_that_of_a_pixel_and_not_of_flat_images() -> None:
    blur, x = Blur(gaussian_kernel(1.0), padding="circular"), torch.zeros(1, 1, 64, 64)
    found = score_spread(Problem(blur, GaussianNoise(0.1)), x).square().item()
    assert found == pytest.approx(blur.kernel.square().sum().item() / 0.1**2, rel=0.1)


def test_the_spread_of_an_operator_that_is_not_linear_is_no_garbage() -> None:
    """Far from the truth the likelihood of x^2 bends upwards, but says as much of x."""

    class Squared:
        def A(self, x: Tensor) -> Tensor:
            return x.square()

    problem, x = Problem(Squared(), GaussianNoise(0.1)), torch.full((2, 1, 8, 8), 0.1)
    found = score_spread(problem, x).flatten()
    torch.testing.assert_close(found, torch.full((2,), 2 * 0.1 / 0.1), rtol=0.02, atol=0)


def test_the_spread_is_that_of_the_score_with_its_floor() -> None:
    model = small(score_scaling="whitened", variance_floor=1e-4)
    *_, spread = model.init(uniform(1, 1, 9, 9).float(), Denoising(0.01)).state
    assert spread.item() == pytest.approx((0.01**2 + 1e-4) ** -0.5, rel=0.01)


def test_one_dark_pixel_of_counts_does_not_silence_the_score() -> None:
    y = 0.1 + 0.8 * uniform(1, 1, 9, 9).float()
    y[..., 0, 0] = 1 / 120
    counts = Problem(Identity(), PoissonNoise(60))
    without = small(score_scaling="whitened", variance_floor=0.0, variance_floor_trained=False)
    with pytest.raises(ValueError, match=r"not finite near the start: counts with A\(x\) close"):
        without.init(y, counts)
    machine = small(score_scaling="whitened", variance_floor=1e-4)
    assert 0 < machine.init(y, counts).state[-1] < 1e4


def test_the_spread_is_estimated_by_a_probe_that_no_operator_is_made_of() -> None:
    """Of rows that are signs: a probe equal to one of them sees much more than it should."""
    size = 32, 32
    for seed in range(4):
        rows = DenseProjection.binary(0.4, size, samples=1, generator=generator(seed))
        problem = Problem(rows, GaussianNoise(1.0))
        y = rows.A(uniform(1, 1, *size).float())
        *_, spread = small(score_scaling="whitened", variance_floor=1e-4).init(y, problem).state
        curvature = rows.matrix.square().sum() / (1 + 1e-4) / (32 * 32)
        assert spread.item() == pytest.approx(curvature.sqrt().item(), rel=0.15)


def test_a_score_without_a_spread_is_whitened_to_something_finite() -> None:
    unseen = Problem(Mask(torch.zeros(1, 1, 9, 9)), GaussianNoise(0.1))
    assert small(score_scaling="whitened")(torch.zeros(1, 1, 9, 9), unseen).isfinite().all()


@pytest.mark.parametrize("scaling", ["raw", "whitened"])
def test_the_estimate_has_its_gradient_in_sigma_and_in_the_floor(scaling: str) -> None:
    model = small(score_scaling=scaling, variance_floor=1e-2).double()
    mask = (uniform(1, 1, 9, 9) > 0.3).double()
    y = uniform(1, 1, 9, 9, seed=1) * mask

    def estimate(sigma: Tensor, phi: Tensor) -> Tensor:
        changed = {"phi_epsilon": phi}
        solved: Tensor = functional_call(
            model, changed, (y, Problem(Mask(mask), GaussianNoise(sigma)))
        )
        return solved

    sigma = torch.tensor([0.1], dtype=torch.float64, requires_grad=True)
    phi = model.phi_epsilon.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(estimate, (sigma, phi), atol=1e-6)


def test_half_precision_is_raised_whoever_takes_the_steps() -> None:
    model, problem = small(), Denoising(0.1)
    y = uniform(1, 1, 9, 9).bfloat16()
    start = model.init(y, problem)
    assert start.eta.dtype == torch.float32
    following = model.step(start, y, problem)
    assert torch.equal(following.x, model.solve(y.float(), problem, steps=1).x)


def test_the_spread_does_not_depend_on_autocast() -> None:
    operator = DenseProjection.gaussian(
        0.5, (16, 16), samples=2, generator=torch.Generator().manual_seed(0)
    )
    problem = Problem(operator, GaussianNoise(1.0))
    y = problem.simulate(uniform(2, 1, 16, 16).float())
    model = small(score_scaling="whitened")
    expected = model.init(y, problem).state[-1]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.init(y, problem).state[-1], expected)


def test_a_whitened_score_is_for_every_noise() -> None:
    x = 0.2 + 0.6 * uniform(2, 1, 16, 16).float()
    problem = Problem(Identity(), PoissonNoise(1 / 60))
    y = problem.simulate(x, generator=torch.Generator().manual_seed(0))
    spread = score_spread(problem, x)
    assert spread.square().mean().item() == pytest.approx((60 / x).mean().item(), rel=0.2)
    assert small(score_scaling="whitened")(y, problem).isfinite().all()


def test_whitened_scores_make_a_batch_of_its_samples() -> None:
    model = small(score_scaling="whitened")
    y, sigma = uniform(2, 1, 9, 10).float(), torch.tensor([0.1, 0.4])
    together = model(y, Denoising(sigma))
    for n in range(2):
        alone = model(y[n : n + 1], Denoising(sigma[n : n + 1]))
        torch.testing.assert_close(together[n : n + 1], alone, atol=1e-6, rtol=0)


def test_the_variance_floor_is_trained() -> None:
    model = small().train()
    y = uniform(1, 1, 10, 10).float()
    model(y, Denoising(0.01)).square().sum().backward()
    assert model.phi_epsilon.grad is not None
    assert model.phi_epsilon.grad.abs() > 0
    assert model.variance_floor.item() == pytest.approx(1e-4, rel=1e-3)


def test_a_floor_that_is_not_trained_is_no_weight() -> None:
    y, problem = uniform(1, 1, 10, 10).float(), Denoising(0.02)
    trained, fixed = small().train(), small(variance_floor_trained=False).train()
    assert trained.state_dict().keys() - fixed.state_dict().keys() == {"phi_epsilon"}
    assert not fixed.state_dict().keys() - trained.state_dict().keys()
    assert fixed.variance_floor.item() == pytest.approx(1e-4)
    torch.testing.assert_close(fixed(y, problem), trained(y, problem), rtol=1e-3, atol=1e-4)
    fixed(y, problem).square().sum().backward()
    assert all(parameter.grad is not None for parameter in fixed.parameters())


def test_without_a_floor_the_score_is_that_of_the_noise() -> None:
    model = small(variance_floor=0.0, variance_floor_trained=False, score_scale=1.0)
    y = uniform(1, 1, 10, 10).float()
    start = model.init(y, Denoising(0.1))
    start = dataclasses.replace(start, x=start.x + 0.1)
    after = model.step(start, y, Denoising(0.1))
    assert torch.equal(after.x, model.update(start, (y - start.x) / 0.1**2).x)
    assert model(y, Denoising(1 / 255)).isfinite().all()
    with pytest.raises(ValueError, match=r"sigma = 0.* needs a solver with a positive variance fl"):
        model(y, Denoising(0.0))
    for levels in (None, 255):
        sigma = torch.tensor([0.1, 0.0])
        with pytest.raises(ValueError, match="the score is not finite at the start"):
            model(y.expand(2, -1, -1, -1), Denoising(sigma, levels=levels))


@pytest.mark.parametrize("floor", [0.0, 1e-4])
def test_a_fixed_floor_stays_what_it_is_in_bf16(floor: float) -> None:
    settings = {"variance_floor": floor, "variance_floor_trained": False}
    whole, half = small(**settings), small(**settings).to(torch.bfloat16)
    assert torch.equal(half.variance_floor, whole.variance_floor)
    y = uniform(1, 1, 9, 8).float()
    x = half(y, Denoising(0.1))
    assert half.init(y, Denoising(0.1)).state[0].dtype == torch.bfloat16
    assert (x - whole(y, Denoising(0.1))).abs().max() < 0.02


def test_each_step_gets_its_own_gradient() -> None:
    """Steps with weights of their own: a reverse pass that is off by one step would show."""
    model = small(steps=4).double()
    problem = Denoising(0.1)
    y, truth = uniform(1, 1, 8, 8), uniform(1, 1, 8, 8, seed=1)
    name = "network.enter.weight"
    weight = dict(model.named_parameters())[name].detach()

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *arguments: object) -> object:
            return self.model.step(*arguments)

    step = Step()

    def loss(shifts: Tensor) -> Tensor:
        iterate = model.init(y, problem)
        total = torch.zeros((), dtype=torch.float64)
        for t in range(4):
            moved = {f"model.{name}": weight + shifts[t]}
            iterate = functional_call(step, moved, (iterate, y, problem))
            total = total + (t + 1) * (iterate.x - truth).square().mean()
        return total

    shifts = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(shifts), shifts)
    for t in range(4):
        nudge = torch.zeros(4, dtype=torch.float64)
        nudge[t] = 1e-5
        slope = (loss(nudge) - loss(-nudge)) / 2e-5
        assert gradient[t].item() == pytest.approx(slope.item(), rel=1e-4)
    assert len({round(value, 8) for value in gradient.tolist()}) == 4


def test_iterate_and_score_stay_in_float32_under_autocast() -> None:
    model = small()
    problem = Problem(Blur(gaussian_kernel(1.0)), GaussianNoise(0.05))
    y = uniform(1, 1, 12, 12).float()
    seen = {}
    original = model.network.forward

    def spy(eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        seen["score"] = score
        delta, state = original(eta, score, state)
        seen["delta"] = delta.dtype
        return delta, state

    model.network.forward = spy  # type: ignore[method-assign]
    start = model.init(y, problem)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.init(y, problem).x, start.x)
        after = model.step(start, y, problem)
    assert seen["delta"] is torch.bfloat16
    assert {after.eta.dtype, after.x.dtype, after.state[0].dtype} == {torch.float32}
    expected = 0.05 * problem.score(start.x, y, variance_floor=model.variance_floor)
    assert torch.equal(seen["score"], expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_estimate_has_the_dtype_of_y(dtype: torch.dtype) -> None:
    model = small()
    y = uniform(1, 1, 9, 8).to(dtype)
    x = model(y, Denoising(0.1))
    assert x.dtype == dtype
    solution = model.solve(y, Denoising(0.1), keep=True)
    assert solution.trajectory is not None
    assert solution.x.dtype == solution.trajectory.dtype == dtype
    assert (x.double() - model(y.double(), Denoising(0.1))).abs().max() < 0.02


def test_complex_measurements_give_real_images() -> None:
    phase = torch.polar(torch.ones(1, 1, 8, 8), normal(1, 1, 8, 8, dtype=torch.float32))
    problem = Problem(ComplexRotation(phase), GaussianNoise(0.1))
    truth = uniform(2, 1, 8, 8).float()
    y = problem.simulate(truth, generator=torch.Generator().manual_seed(0))
    assert y.is_complex()
    model = small()
    assert model(y, problem).dtype == torch.float32
    start = model.solve(y, problem, steps=0).x
    assert start.dtype == torch.float32
    assert (start - truth).square().mean().sqrt() < 0.15


def test_starts() -> None:
    y = uniform(1, 1, 8, 8).float()
    start = small(start="initial", link="sigmoid").init(y, Denoising(0.1))
    torch.testing.assert_close(start.x, y.clamp(1 / 1024, 1 - 1 / 1024))
    assert small(start="zeros").init(y, Denoising(0.1)).eta.abs().max() == 0


def test_trained_weights_wonder_at_images_in_grey_levels() -> None:
    y, model = 255 * uniform(1, 1, 16, 16).float(), rimkit.load("denoise-gray")
    with pytest.warns(UserWarning, match="reaches 25.* where white is 1; are these grey"):
        model.solve(y, Denoising(0.1), steps=0)
    small().solve(y, Denoising(0.1), steps=0)  # not trained: any unit will do
    model.solve(y / 255 + 0.5 * torch.randn_like(y), Denoising(0.5), steps=0)


def test_a_start_is_of_the_same_machine() -> None:
    y, problem, model = uniform(1, 1, 8, 8).float(), Denoising(0.1), small()
    own = model.solve(y, problem, steps=1)
    again = model.solve(y, problem, steps=1, start=own.iterate)
    assert torch.equal(again.x, model.solve(y, problem, steps=2).x)
    others = (GradientDescent(step_size=1e-3), small(score_scaling="whitened"))
    for other in others:
        begun = other.init(y, problem)
        with pytest.raises(ValueError, match="an iterate of another solver"):
            model.solve(y, problem, start=begun)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_spread_has_the_precision_of_the_start(dtype: torch.dtype) -> None:
    model = small(score_scaling="whitened", variance_floor=3e-3).to(torch.bfloat16)
    floor = model.variance_floor.to(dtype).item()
    *_, spread = model.init(uniform(1, 1, 9, 9).to(dtype), Denoising(0.05)).state
    assert spread.item() == pytest.approx((0.05**2 + floor) ** -0.5, rel=1e-6)


def test_masked_pixels_take_part() -> None:
    mask = torch.ones(1, 1, 12, 12)
    mask[..., 4:8, 4:8] = 0
    x = small()(uniform(1, 1, 12, 12).float(), Problem(Mask(mask), GaussianNoise(0.05)))
    assert x.isfinite().all()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.zeros(1, 1, 7, 9), "at least 8x8, got 7x9"),
        (torch.zeros(1, 1, 1, 1), "at least 8x8"),
        (torch.zeros(1, 3, 9, 9), r"takes 1 channel\(s\), got 3"),
        (torch.full((1, 1, 9, 9), float("nan")), "NaN or infinite"),
        (torch.full((1, 1, 9, 9), float("inf")), "NaN or infinite"),
        (torch.zeros(9, 9), r"\(N, C, H, W\)"),
        (torch.zeros(0, 1, 9, 9), "non-empty"),
        (torch.zeros(1, 1, 9, 9, dtype=torch.uint8), "divide bytes by 255"),
    ],
    ids=["7x9", "1x1", "channels", "nan", "inf", "rank", "empty", "bytes"],
)
def test_bad_measurements(y: Tensor, message: str) -> None:
    for call in (small().forward, small().solve):
        with pytest.raises(ValueError, match=message):
            call(y, Denoising(0.1))


def test_y_on_another_device_is_refused() -> None:
    with pytest.raises(ValueError, match=r"y \(1, 1, 9, 9\) is on cpu, but the model is on meta"):
        small().to("meta").init(torch.zeros(1, 1, 9, 9), Denoising(0.1))


def test_sigma_zero_is_legal() -> None:
    assert small()(uniform(1, 1, 9, 9).float(), Denoising(0.0)).isfinite().all()


@pytest.mark.parametrize(
    "settings",
    [
        {"link": "tanh"},
        {"steps": 0},
        {"score_scale": 0.0},
        {"score_scale": float("nan")},
        {"variance_floor": 0.0},
        {"variance_floor": -1e-4, "variance_floor_trained": False},
        {"variance_floor": float("inf"), "variance_floor_trained": False},
        {"start": "noise"},
    ],
    ids=str,
)
def test_bad_configurations(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        RIMConfig(**settings)  # type: ignore[arg-type]


def test_a_table_is_no_configuration() -> None:
    with pytest.raises(ValueError, match="must be a RIMConfig, got dict"):
        RIM({})  # type: ignore[arg-type]


def test_paper_network_in_a_machine_keeps_one_set_of_statistics() -> None:
    model = RIM(RIMConfig(network=PaperConfig(features=4, hidden=6), link="sigmoid")).train()
    model(uniform(2, 1, 8, 8).float(), Denoising(0.1))
    assert model.network.down_norm.num_batches_tracked == model.steps  # type: ignore[union-attr]


def test_a_network_in_bf16_gets_what_it_takes() -> None:
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=2)).eval()
    model.network.bfloat16()
    y = uniform(1, 1, 16, 16).float()
    assert model.solve(y, Denoising(0.1)).x.dtype == torch.float32


def test_floors_of_any_size() -> None:
    for floor in (1e-6, 1.0, 1000.0):
        assert RIM(RIMConfig(variance_floor=floor)).variance_floor.item() == pytest.approx(floor)


def test_an_estimate_that_has_left_the_measurement_is_said() -> None:
    model = rimkit.load("random-projections")
    x = torch.nn.functional.interpolate(uniform(1, 1, 6, 6).float(), (48, 48), mode="bicubic")
    problem = Problem(Blur(gaussian_kernel(1.5)), GaussianNoise(1 / 255))
    y = problem.simulate(x.clamp(0, 1), generator=generator(0))
    both = torch.cat([y, y])
    for solver in (model, rimkit.SelfEnsemble(model)):
        said = r"much worse than the start did \(samples \[0, 1\] of 2\)"
        with pytest.warns(UserWarning, match=said) as warnings:
            solver.solve(both, problem)
        assert warnings[0].filename == __file__  # who asked, not what is between
    model.solve(y, Denoising(0.1))  # where it is at home nothing is said
    model.training_record = {}
    model.solve(y, problem)  # nor where nothing is known
