import pytest
import torch
from tests.cases import uniform
from torch import Tensor

from rimkit.evaluation.denoising import (
    Condition,
    ImageScore,
    noisy,
    psnr_of,
    score_denoising,
    solver_restore,
)
from rimkit.evaluation.images import CleanImage
from rimkit.noises import GaussianNoise, Noise, QuantisedGaussianNoise
from rimkit.problem import Problem
from rimkit.rim import RIM
from rimkit.solver import Iterate, Solver


def images() -> list[CleanImage]:
    return [CleanImage(str(n), uniform(1, 1, 20, 24, seed=n).float()) for n in range(3)]


LOW, HIGH = Condition(25), Condition(50)


def test_noise_is_fixed_by_image_and_level_and_not_clipped() -> None:
    image, other = images()[:2]
    assert torch.equal(noisy(image, LOW), noisy(image, LOW))
    residual = (noisy(image, LOW) - image.x).flatten()
    assert residual.std().item() * 255 == pytest.approx(25, rel=0.1)
    assert not torch.allclose(residual, (noisy(other, LOW) - other.x).flatten(), atol=1e-3)
    assert not torch.allclose(residual * 2, (noisy(image, HIGH) - image.x).flatten(), atol=1e-3)
    assert noisy(image, HIGH).max() > 1


def test_an_image_of_any_name_has_noise_of_its_own() -> None:
    first, second = (CleanImage(name, torch.full((1, 1, 9, 9), 0.5)) for name in ("camera", "²"))
    assert torch.equal(noisy(first, LOW), noisy(first, LOW))
    assert not torch.equal(noisy(first, LOW), noisy(second, LOW))


def test_quantised_is_the_same_noise_as_a_file_holds_it() -> None:
    image = images()[0]
    plain, quantised = noisy(image, HIGH), noisy(image, Condition(50, quantised=True))
    grey = quantised * 255
    torch.testing.assert_close(grey, grey.round(), atol=1e-4, rtol=0)
    assert (quantised - plain.clamp(0, 1)).abs().max() <= 0.5001 / 255
    assert quantised.min() == 0
    assert quantised.max() == 1


def test_scores_are_those_of_the_estimate() -> None:
    scores = list(score_denoising(images(), [LOW, HIGH], lambda y, condition: y))
    assert [(s.image, s.condition) for s in scores[:3]] == [("0", LOW), ("0", HIGH), ("1", LOW)]
    # Clipping brings noise of sigma 25 a little above its 20.17 dB.
    assert scores[0].psnr == pytest.approx(20.7, abs=0.6)
    perfect = list(score_denoising(images()[:1], [LOW], lambda y, condition: images()[0].x))
    assert perfect[0].psnr == float("inf")


def test_a_solver_knows_of_levels_where_it_is_told_to() -> None:
    class Spy(Solver):
        steps = 1

        def init(self, y: Tensor, problem: Problem) -> Iterate:
            seen.append(problem.noise)
            return Iterate(y, y, ())

        def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
            return iterate

    seen: list[Noise] = []
    y = images()[0].x
    for knows in (False, True):
        restore = solver_restore(Spy(), knows_levels=knows)
        for quantised in (False, True):
            restore(y, Condition(25, quantised))
    plain, files = GaussianNoise(25 / 255), QuantisedGaussianNoise(25 / 255)
    assert seen == [plain, plain, plain, files]


def test_a_solver_computes_in_bfloat16_where_it_is_told_to(model: RIM) -> None:
    y = images()[0].x
    exact, coarse = (
        solver_restore(model, precision=precision)(y, LOW) for precision in ("float32", "bfloat16")
    )
    assert not torch.equal(exact, coarse)
    torch.testing.assert_close(exact, coarse, atol=0.05, rtol=0)


def test_a_mean_is_over_the_first_images_of_one_condition() -> None:
    scores = [
        ImageScore(str(n), 25.0, quantised, value + quantised, 1)
        for n, value in enumerate([30, 20, 10])
        for quantised in (False, True)
    ]
    assert psnr_of(scores, LOW, images=2) == [30, 20]
    assert psnr_of(scores, Condition(25, quantised=True)) == [31, 21, 11]
    with pytest.raises(ValueError, match="3 were scored"):
        psnr_of(scores, LOW, images=68)
