import numpy as np
import pytest
import torch
from tests.cases import uniform
from torch import Tensor

from rimkit.classical import GradientDescent, TotalVariation
from rimkit.networks import AtrousConfig, NetworkConfig, PaperConfig
from rimkit.noises import GaussianNoise
from rimkit.operators import Blur, DenseProjection, gaussian_kernel
from rimkit.problem import Denoising, Problem
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import DivergenceError, Iterate, Solver

PROBLEM = Problem(Blur(gaussian_kernel(0.8)), GaussianNoise(1.0))


class Halving(Solver):
    """Halves x in every step: converges at a known pace."""

    steps = 5

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        return Iterate(y, y, (y,))

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        x = iterate.x / 2
        return Iterate(x, x, (iterate.state[0] + 1,))


def halves(values: list[float]) -> Tensor:
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


@pytest.mark.parametrize("steps", range(10))
def test_exactly_so_many_steps_are_taken(steps: int) -> None:
    y = halves([1.0])
    solution = Halving().solve(y, PROBLEM, steps=steps, keep=True)
    assert solution.trajectory is not None
    assert len(solution.trajectory) == steps + 1
    assert solution.steps_taken.tolist() == [steps]
    assert solution.x.unique().item() == 0.5**steps
    assert len(list(Halving().iterate(y, PROBLEM, steps=steps))) == steps


def test_each_sample_stops_for_itself_and_says_why() -> None:
    # x halves, so a step from x changes it by x / 2.
    y = halves([1.0, 0.25, 0.0])
    solution = Halving().solve(y, PROBLEM, steps=4, tolerance=0.1, keep=True)
    assert solution.reason == ("converged", "converged", "converged")
    # The last one stands from the start, and has a state, which the first step may move alone.
    assert solution.steps_taken.tolist() == [4, 2, 2]
    assert solution.x[:, 0, 0, 0].tolist() == [1 / 16, 1 / 16, 0.0]
    assert Halving().solve(y, PROBLEM, steps=3, tolerance=0.1).reason[0] == "steps"


def test_a_solver_without_a_state_may_stop_after_its_first_step() -> None:
    y = uniform(1, 1, 9, 9)  # where descent stands from the start
    solution = GradientDescent(step_size=1e-3).solve(y, Denoising(0.1), tolerance=0.1)
    assert solution.steps_taken.tolist() == [1]
    assert solution.reason == ("converged",)


def test_a_batch_never_changes_what_a_sample_gets() -> None:
    y = halves([1.0, 0.25])
    together = Halving().solve(y, PROBLEM, steps=6, tolerance=0.1)
    for n in range(2):
        alone = Halving().solve(y[n : n + 1], PROBLEM, steps=6, tolerance=0.1)
        assert torch.equal(together.x[n], alone.x[0])
        assert torch.equal(together.iterate.state[0][n], alone.iterate.state[0][0])
        assert together.steps_taken[n] == alone.steps_taken[0]


def test_on_step_sees_every_step_once_and_what_is_kept() -> None:
    y = halves([1.0, 0.25, 0.0])
    seen: list[tuple[int, Iterate]] = []
    solution = Halving().solve(
        y, PROBLEM, steps=9, tolerance=0.1, keep=True, on_step=lambda *step: seen.append(step)
    )
    assert solution.trajectory is not None
    assert [number for number, _ in seen] == [1, 2, 3, 4]
    assert solution.steps_taken.max() == 4
    # What has stopped is seen as it stays: the estimates, not what a step would make of them.
    assert torch.equal(torch.stack([iterate.x for _, iterate in seen]), solution.trajectory[1:])
    assert seen[-1][1] is solution.iterate
    assert not any(iterate.x.requires_grad for _, iterate in seen)


def test_what_on_step_raises_ends_the_solve() -> None:
    seen = []

    def stop(number: int, iterate: Iterate) -> None:
        seen.append(number)
        if number == 2:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        Halving().solve(halves([1.0]), PROBLEM, steps=5, on_step=stop)
    assert seen == [1, 2]


def test_going_on_is_the_same_as_never_having_stopped() -> None:
    y = uniform(2, 1, 9, 9).float()
    solver = GradientDescent(step_size=0.5)
    half = solver.solve(y, PROBLEM, steps=3)
    rest = solver.solve(y, PROBLEM, steps=4, start=half.iterate)
    assert torch.equal(rest.x, solver.solve(y, PROBLEM, steps=7).x)


def test_iterate_solve_and_forward_agree() -> None:
    y = uniform(1, 1, 9, 9).float()
    solver = GradientDescent(step_size=0.5, steps=6)
    *_, last = solver.iterate(y, PROBLEM)
    assert torch.equal(last.x, solver.solve(y, PROBLEM).x)
    assert torch.equal(last.x, solver(y, PROBLEM))


def test_gradients_flow_through_forward_and_not_through_solve() -> None:
    y = uniform(1, 1, 9, 9).float().requires_grad_()
    solver = GradientDescent(step_size=0.5, steps=2)
    assert solver(y, PROBLEM).requires_grad
    assert not solver.solve(y, PROBLEM).x.requires_grad
    assert next(iter(solver.iterate(y, PROBLEM))).x.requires_grad


def test_a_consumer_of_iterate_keeps_its_own_grad_mode() -> None:
    for _ in GradientDescent(step_size=0.5).iterate(uniform(1, 1, 9, 9), PROBLEM, steps=2):
        assert torch.is_grad_enabled()


def test_a_solver_without_a_step_cannot_be_built() -> None:
    class Half(Solver):
        def init(self, y: Tensor, problem: Problem) -> Iterate:
            return Iterate(y, y, ())

    with pytest.raises(TypeError, match="step"):
        Half()  # type: ignore[abstract]


def test_divergence_is_an_error_and_not_convergence() -> None:
    y = uniform(1, 1, 9, 9)
    for run in (
        lambda solver: solver.solve(y, PROBLEM, steps=2000, tolerance=1e-3),
        lambda solver: list(solver.iterate(y, PROBLEM, steps=2000)),
        lambda solver: solver(y, PROBLEM),
    ):
        with pytest.raises(DivergenceError, match="no longer finite after step"):
            run(GradientDescent(step_size=50.0, steps=2000))


def test_a_start_does_not_excuse_a_bad_measurement() -> None:
    y = uniform(1, 1, 9, 9)
    solver = GradientDescent(step_size=0.5)
    start = solver.init(y, PROBLEM)
    with pytest.raises(ValueError, match="NaN"):
        solver.solve(y * float("nan"), PROBLEM, start=start)


def test_a_measurement_of_another_shape_than_the_start_is_refused() -> None:
    y = uniform(2, 1, 9, 9)
    solver = GradientDescent(step_size=0.5)
    start = solver.init(y, PROBLEM)
    for other in (y[:1], y[..., :1]):
        with pytest.raises(ValueError, match=r"A\(x\) has shape \(2, 1, 9, 9\), but y"):
            solver.solve(other, PROBLEM, start=start)
        with pytest.raises(ValueError, match=r"A\(x\) has shape \(2, 1, 9, 9\), but y"):
            PROBLEM.log_prob(y, other)


def test_a_number_of_its_own_steps_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="steps must be a non-negative integer, got -1"):
        GradientDescent(step_size=0.5, steps=-1)(uniform(2, 1, 9, 9), PROBLEM)


@pytest.mark.parametrize("solver", [GradientDescent(step_size=0.1), TotalVariation(weight=5.0)])
def test_classical_solvers_do_not_mix_samples(solver: Solver) -> None:
    y = uniform(3, 1, 12, 14)
    blur = Blur(uniform(3, 3, 3, seed=1) / 9)
    whole = solver.solve(y, Problem(blur, GaussianNoise(0.3)), steps=20).x
    last = Problem(Blur(blur.kernel[2:]), GaussianNoise(0.3))
    torch.testing.assert_close(whole[2:], solver.solve(y[2:], last, steps=20).x)


@pytest.mark.parametrize("steps", [-1, 1.5, True, "3"])
def test_bad_steps(steps: object) -> None:
    with pytest.raises(ValueError, match="non-negative integer"):
        Halving().solve(halves([1.0]), PROBLEM, steps=steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("tolerance", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_tolerances(tolerance: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        Halving().solve(halves([1.0]), PROBLEM, tolerance=tolerance)


def test_no_variance_and_no_floor_is_refused_before_the_first_step() -> None:
    with pytest.raises(ValueError, match="sigma = 0"):
        GradientDescent(step_size=0.1)(uniform(1, 1, 9, 9), Denoising(0.0))


@pytest.mark.parametrize(
    "solver", [GradientDescent(step_size=0.005, steps=4), TotalVariation(weight=5.0, steps=4)]
)
def test_every_solver_has_gradients(solver: Solver) -> None:
    y = uniform(2, 1, 6, 7).requires_grad_()
    (gradient,) = torch.autograd.grad(solver(y, Denoising(0.1)).sum(), y)
    assert gradient.isfinite().all()
    assert gradient.any()


def test_whole_numbers_of_numpy_are_numbers_of_steps() -> None:
    assert Halving().solve(halves([1.0]), PROBLEM, steps=np.int64(2)).steps_taken.tolist() == [2]


def test_a_measurement_of_another_shape_has_no_score() -> None:
    x = torch.zeros(3, 1, 8, 8)
    with pytest.raises(ValueError, match=r"\(3, 1, 8, 8\), but y has shape \(3, 1, 1, 1\)"):
        Denoising(0.1).score(x, x[..., :1, :1])


def test_a_dual_variable_that_moves_first_is_not_convergence() -> None:
    x = uniform(2, 1, 16, 16, seed=4)
    problem = Denoising(0.1)
    y = problem.simulate(x, generator=torch.Generator().manual_seed(0))
    solution = TotalVariation(weight=8.0).solve(y, problem, tolerance=1e-4)
    assert solution.steps_taken.min() > 5
    assert not torch.equal(solution.x, y)


@pytest.mark.parametrize("config", [PaperConfig(features=4, hidden=4), AtrousConfig(features=4)])
def test_batch_norm_in_training_mode_is_refused(config: NetworkConfig) -> None:
    model = RIM(RIMConfig(network=config, steps=2))
    y = uniform(2, 1, 8, 8, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"training mode: call eval\(\)"):
        model.solve(y, Denoising(0.1))
    assert model.eval().solve(y, Denoising(0.1)).x.shape == y.shape


def test_a_sample_that_diverges_is_named() -> None:
    problem = Denoising(torch.tensor([0.1, 1e-3]))
    solver = GradientDescent(step_size=0.005, steps=400)
    with pytest.raises(DivergenceError, match=r"samples \[1\] of 2"):
        solver.solve(uniform(2, 1, 8, 8) + 0.1, Problem(Blur(gaussian_kernel(1.0)), problem.noise))


@pytest.mark.parametrize(
    "solver", [GradientDescent(step_size=0.005), TotalVariation(weight=5.0), RIM().eval()]
)
def test_complex_y_of_a_real_operator_is_refused(solver: Solver) -> None:
    y = torch.complex(*torch.rand(2, 1, 1, 8, 8))
    with pytest.raises(ValueError, match="signals must be real"):
        solver.solve(y, Denoising(0.1))


def test_autocast_does_not_reach_problems_and_classical_solvers() -> None:
    generator = torch.Generator().manual_seed(0)
    operator = DenseProjection.gaussian(0.5, (8, 8), generator=generator)
    for problem in (Problem(operator, GaussianNoise(0.1)), PROBLEM):
        x = uniform(1, 1, 8, 8, dtype=torch.float32)
        y = problem.simulate(x, generator=torch.Generator().manual_seed(0))
        expected = TotalVariation(weight=3.0).solve(y, problem, steps=5).x
        likelihood = problem.log_prob(x, y)
        with torch.autocast("cpu", torch.bfloat16):
            again = problem.simulate(x, generator=torch.Generator().manual_seed(0))
            assert torch.equal(again, y)
            assert torch.equal(problem.log_prob(x, y), likelihood)
            assert torch.equal(TotalVariation(weight=3.0).solve(y, problem, steps=5).x, expected)


@pytest.mark.parametrize("use", [lambda s, y, p: s(y, p), lambda s, y, p: s.solve(y, p)])
def test_what_is_no_tensor_or_no_problem_is_said(use) -> None:  # type: ignore[no-untyped-def]
    solver = GradientDescent(step_size=0.1)
    with pytest.raises(ValueError, match=r"y must be a torch\.Tensor, got ndarray"):
        use(solver, np.zeros((1, 1, 8, 8)), Denoising(0.1))
    with pytest.raises(ValueError, match=r"got float; .* use rimkit.Denoising"):
        use(solver, torch.zeros(1, 1, 8, 8), 0.1)


def test_a_start_that_is_no_iterate_is_said() -> None:
    y = torch.zeros(1, 1, 8, 8)
    with pytest.raises(
        ValueError, match=r"start must be a rimkit.Iterate, got Tensor: .*Iterate\(x, x"
    ):
        GradientDescent(step_size=0.1).solve(y, Denoising(0.1), start=y)  # type: ignore[arg-type]
