"""The same problem in other units: what is linear does not notice, and noise becomes less."""

import pytest
import torch
from tests.cases import generator, uniform
from torch import Tensor

from rimkit.classical import GradientDescent
from rimkit.contrast import AtContrast
from rimkit.footprint import bytes_per_pixel
from rimkit.noises import GaussianNoise, Noise, PoissonNoise, QuantisedGaussianNoise
from rimkit.operators import (
    ORIENTATIONS,
    Blur,
    DenseProjection,
    Identity,
    Mask,
    Operator,
    Oriented,
    SaturatingSensor,
)
from rimkit.problem import Denoising, Problem, score_error
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import Iterate, Solver

OPERATORS: dict[str, Operator] = {
    "identity": Identity(),
    "mask": Mask((uniform(2, 1, 9, 12) > 0.5).double()),
    "blur": Blur(uniform(1, 5, 3) / 8, padding="replicate"),
    "projection": DenseProjection(uniform(2, 30, 108) / 10, (9, 12)),
    "oriented": Oriented(Identity(), ORIENTATIONS[6]),
}


class Watch(Solver):
    """Stays at the start, and keeps what it was given."""

    steps = 2

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        self.given = (y, problem)
        x = problem.initial(y)
        return Iterate(x, x, ())

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        assert torch.equal(y, self.given[0])
        return iterate


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
@pytest.mark.parametrize("contrast", [0.2, torch.tensor([0.2, 1.0], dtype=torch.float64)])
def test_the_solver_is_given_a_measurement_of_the_faded_image(
    operator: Operator, contrast: Tensor | float
) -> None:
    x = uniform(2, 1, 9, 12)
    problem = Problem(operator, GaussianNoise(0.1))
    y = problem.simulate(x, generator=generator())
    solver = Watch()
    AtContrast(solver, contrast).solve(y, problem)
    given, faded = solver.given
    each = torch.as_tensor(contrast, dtype=torch.float64).expand(2).view(2, 1, 1, 1)
    clean = 0.5 + each * (x - 0.5)
    noise = (y - operator.A(x)) * each.view(2, *(1,) * (y.ndim - 1))
    torch.testing.assert_close(given, operator.A(clean) + noise)
    assert isinstance(faded.noise, GaussianNoise)
    sigma = torch.as_tensor(faded.noise.sigma, dtype=torch.float64).expand(2)
    torch.testing.assert_close(sigma, 0.1 * each.flatten())


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_what_is_linear_does_the_same_in_all_units(operator: Operator) -> None:
    problem = Problem(operator, GaussianNoise(0.1))
    y = problem.simulate(uniform(2, 1, 9, 12), generator=generator())

    class FromGrey(GradientDescent):
        """Starts where the units do not matter."""

        def init(self, y: Tensor, problem: Problem) -> Iterate:
            grey = torch.full_like(problem.initial(y), 0.5)
            return Iterate(grey, grey, ())

        def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
            score = problem.score(iterate.x, y)
            assert isinstance(problem.noise, GaussianNoise)
            eta = iterate.x + 0.1 * problem.noise.sigma**2 * score
            return Iterate(eta, eta, ())

    solver = FromGrey(step_size=0.1, steps=5)
    expected = solver.solve(y, problem).x
    assert (expected - 0.5).abs().max() > 0.02
    torch.testing.assert_close(AtContrast(solver, 0.3).solve(y, problem).x, expected)


@pytest.mark.parametrize("contrast", [0.3, torch.tensor([0.2, 1.0], dtype=torch.float64)])
@pytest.mark.parametrize(
    "noise", [PoissonNoise(1 / 60), QuantisedGaussianNoise(0.1), GaussianNoise(0.1)], ids=repr
)
@pytest.mark.parametrize("name", ["identity", "mask", "blur"])
def test_every_noise_is_faded(name: str, noise: Noise, contrast: Tensor | float) -> None:
    x, other = uniform(2, 1, 9, 12), uniform(2, 1, 9, 12, seed=1)
    problem = Problem(OPERATORS[name], noise)
    y = problem.simulate(x, generator=generator())
    solver = Watch()
    AtContrast(solver, contrast).solve(y, problem)
    given, faded = solver.given
    each = torch.as_tensor(contrast, dtype=torch.float64).expand(2).view(2, 1, 1, 1)
    clean, point = 0.5 + each * (x - 0.5), 0.5 + each * (other - 0.5)
    # What is drawn, how likely it is, and where that leads.
    torch.testing.assert_close(faded.simulate(clean, generator=generator()), given)
    torch.testing.assert_close(
        faded.log_prob(point, given) - faded.log_prob(clean, given),
        problem.log_prob(other, y) - problem.log_prob(x, y),
    )
    torch.testing.assert_close(each * faded.score(point, given), problem.score(other, y))
    assert score_error(faded, point, given).max() < 1e-12
    # A floor is one of the variance in these units.
    floor = 0.01
    torch.testing.assert_close(
        each[:1] * faded.score(point, given, variance_floor=floor)[:1],
        problem.score(other, y, variance_floor=floor / each[0].item() ** 2)[:1],
    )


def test_a_machine_at_full_contrast_is_the_machine_and_at_less_is_not() -> None:
    torch.manual_seed(0)
    model = RIM(RIMConfig(score_scaling="whitened", steps=3)).double()
    for parameter in model.parameters():  # new ones move nothing
        torch.nn.init.normal_(parameter, std=0.05)
    y = uniform(2, 1, 16, 16)
    problem = Denoising(torch.tensor([0.1, 0.2], dtype=torch.float64))
    whole = AtContrast(model, 1.0)
    torch.testing.assert_close(whole.solve(y, problem).x, model.solve(y, problem).x)
    less = AtContrast(model, 0.3)
    found = less.solve(y, problem)
    counts = Problem(Identity(), PoissonNoise(1 / 60))
    seen = counts.simulate(y, generator=generator())
    torch.testing.assert_close(whole.solve(seen, counts).x, model.solve(seen, counts).x)
    assert (less.solve(seen, counts).x - model.solve(seen, counts).x).abs().max() > 1e-3
    assert less.steps == 3
    assert less.looks_at_all
    assert (found.x - model.solve(y, problem).x).abs().max() > 1e-3
    again = less.solve(y, problem, steps=1)
    torch.testing.assert_close(less.solve(y, problem, steps=2, start=again.iterate).x, found.x)
    assert bytes_per_pixel(less, channels=1) >= bytes_per_pixel(model, channels=1)


def test_what_it_cannot_be_asked_is_named() -> None:
    for contrast in (0.0, 1.5, float("nan"), torch.tensor([0.5, -1.0])):
        with pytest.raises(ValueError, match=r"contrast must lie in \(0, 1\]"):
            AtContrast(Watch(), contrast)
    y = uniform(2, 1, 9, 12)
    sensor = Problem(SaturatingSensor(), GaussianNoise(0.1))
    for problem in (sensor, Problem(Oriented(sensor.operator, ORIENTATIONS[1]), sensor.noise)):
        with pytest.raises(ValueError, match="only with a linear operator, one with A_adjoint"):
            AtContrast(Watch(), 0.5).solve(y, problem)
    with pytest.raises(ValueError, match="3 samples, but 2"):
        AtContrast(Watch(), torch.full((3,), 0.5)).solve(y, Denoising(0.1))
