import re
from functools import partial

import numpy as np
import pytest
import torch
from tests.cases import OPERATORS, PROBLEMS, SHAPE, generator, uniform

from rimkit.noises import GaussianNoise
from rimkit.operators import Blur, Identity, gaussian_kernel
from rimkit.problem import Denoising, Problem, SuperResolution, score_error


def test_score_is_equation_15() -> None:
    blur = Blur(gaussian_kernel(1.0).double())
    x, y = uniform(2, 1, 9, 10), uniform(2, 1, 9, 10, seed=1)
    score = Problem(blur, GaussianNoise(0.2)).score(x, y, variance_floor=0.01)
    torch.testing.assert_close(score, blur.A_adjoint(y - blur.A(x)) / (0.2**2 + 0.01))


def test_simulate_is_operator_then_noise() -> None:
    blur = Blur(gaussian_kernel(1.0))
    x = uniform(1, 1, 9, 10).float()
    assert torch.equal(Problem(blur, GaussianNoise(0.0)).simulate(x), blur.A(x))


def test_denoising_is_identity_with_gaussian_noise() -> None:
    problem = Denoising(0.1)
    assert isinstance(problem.operator, Identity)
    assert problem.noise == GaussianNoise(0.1)
    assert isinstance(problem, Problem)


def test_files_made_smaller_are_rounded_to_bytes() -> None:
    noise = SuperResolution(2).noise
    assert isinstance(noise, GaussianNoise)
    assert noise.sigma == pytest.approx(12**-0.5 / 255)


def test_score_error_finds_what_is_wrong() -> None:
    class Gamma:
        def __init__(self, exponent: float) -> None:
            self.exponent = exponent

        def A(self, x: torch.Tensor) -> torch.Tensor:
            return x.clamp(min=1e-3) ** 2.2

        def initial(self, y: torch.Tensor) -> torch.Tensor:
            return y.clamp(min=1e-3) ** (1 / 2.2)

        def A_vjp(self, x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            return self.exponent * x.clamp(min=1e-3) ** 1.2 * v

    x = 0.1 + 0.8 * uniform(2, 1, 8, 9)
    y = Problem(Gamma(2.2), GaussianNoise(0.1)).simulate(x, generator=generator(0))
    right, wrong = (score_error(Problem(Gamma(e), GaussianNoise(0.1)), x, y) for e in (2.2, 0.5))
    assert right.shape == (2,)
    assert right.max() < 1e-14
    torch.testing.assert_close(wrong, torch.full((2,), 1.7 / 2.2).double())
    assert not right.requires_grad


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_the_scores_of_the_library_are_right(name: str) -> None:
    problem = PROBLEMS[name]
    x = 0.1 + 0.8 * uniform(*SHAPE)
    y = problem.simulate(x, generator=generator(1))
    assert score_error(problem, x, y).max() < 1e-9


def test_problems_are_made_of_an_operator_and_a_noise() -> None:
    with pytest.raises(
        ValueError, match=r"a noise must have .* got float; .*GaussianNoise\(sigma\)"
    ):
        Problem(Identity(), 0.1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="an operator must have a method A"):
        Problem(None, GaussianNoise(0.1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got the class Identity"):  # parentheses were forgotten
        Problem(Identity, GaussianNoise(0.1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="got the class GaussianNoise"):
        Problem(Identity(), GaussianNoise)  # type: ignore[arg-type]


def test_grey_levels_for_sigma_are_noticed() -> None:
    with pytest.warns(UserWarning, match="sigma is 25 where white is 1; are these grey levels"):
        Denoising(25)
    with pytest.warns(UserWarning, match="sigma is 50 "):
        Denoising(torch.tensor([0.1, 50.0]))


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_mixed_precisions_and_devices_are_refused(name: str) -> None:
    problem = Problem(OPERATORS[name], GaussianNoise(0.1))
    x = uniform(*SHAPE)
    y = problem.simulate(x, generator=generator())
    assert problem.score(x, y).dtype == torch.float64
    halved = y.to(torch.complex64 if y.is_complex() else torch.float32)
    other = y.real.clone() if y.is_complex() else y.to(torch.complex128)
    for wrong in (halved, other):
        message = rf"{re.escape(str(tuple(y.shape)))}.* of torch.float64, but y .* {wrong.dtype}"
        for call in (problem.score, problem.log_prob, problem.check_fit):
            with pytest.raises(ValueError, match=message):
                call(x, wrong)
    with pytest.raises(ValueError, match=r"is on cpu, but y \(3, .*\) is on meta"):
        problem.score(x, y.to("meta"))


class _Rows:
    """An operator of somebody's own, made of one matrix: nothing is checked in it."""

    def __init__(self, rows: int, columns: int) -> None:
        self.matrix = torch.ones(rows, columns)

    def A(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1) @ self.matrix.mT

    def A_adjoint(self, v: torch.Tensor) -> torch.Tensor:
        return (v @ self.matrix).view(-1, 1, 2, 3)


def test_errors_of_an_operator_say_what_it_was_given() -> None:
    problem = Problem(_Rows(5, 6), GaussianNoise(0.1))
    x, y = torch.rand(2, 1, 2, 3), torch.rand(2, 5)
    assert problem.initial(y).shape == problem.score(x, y).shape == x.shape
    for call, note in (
        (lambda: problem.initial(y[:, :4]), "while a start was computed from y (2, 4)"),
        (lambda: problem.score(x[..., :2], y), "while x (2, 1, 2, 2) was measured"),
        (lambda: problem.check_fit(x[..., :2], y), "while x (2, 1, 2, 2) was measured"),
    ):
        with pytest.raises(RuntimeError) as found:
            call()
        assert found.value.__notes__ == [f"{note} by the operator _Rows"]
    back = Problem(_Rows(5, 6), GaussianNoise(0.1))
    back.operator.A_adjoint = lambda v: v @ torch.ones(4, 6)  # type: ignore[attr-defined]
    with pytest.raises(RuntimeError) as found:
        back.score(x, y)
    note = "while (2, 5) was mapped to x (2, 1, 2, 3) by the operator _Rows"
    assert found.value.__notes__ == [note]
    with pytest.raises(ValueError, match=r"A\(x\) has shape") as plain:
        problem.score(x, y[:, :4])
    assert not hasattr(plain.value, "__notes__")


def test_what_is_no_tensor_is_refused_by_every_function() -> None:
    problem, x = Denoising(0.1), np.zeros((1, 1, 9, 9))
    good = torch.zeros(1, 1, 9, 9)
    functions = [problem.simulate, problem.predict, problem.initial]
    both = [problem.log_prob, problem.score, problem.check_fit]
    calls = [partial(function, x) for function in functions]
    calls += [partial(function, *pair) for function in both for pair in ((x, good), (good, x))]
    calls += [partial(score_error, problem, *pair) for pair in ((x, good), (good, x))]
    for call in calls:
        with pytest.raises(ValueError, match=r"[xy] must be a torch\.Tensor, got ndarray"):
            call()
