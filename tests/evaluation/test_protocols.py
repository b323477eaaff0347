import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.cases import uniform
from torch import Tensor

from rimkit import allocation
from rimkit.evaluation.protocols import (
    CleanImage,
    Condition,
    ImageScore,
    load_test_images,
    memory_of,
    noisy,
    psnr_of,
    score_denoising,
    seconds_of,
    solver_restore,
)
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


def test_seconds_are_those_of_one_image_and_the_first_warms_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, took = [0.0], {"a": iter([100.0, 1.0]), "b": iter([2.0])}

    def restore(name: str) -> None:
        clock[0] += next(took[name])

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    assert seconds_of([lambda: restore("a"), lambda: restore("b")]) == 1.5


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


@pytest.mark.skipif(sys.platform != "linux", reason="others cannot forget an earlier peak")
def test_memory_is_what_a_restoration_holds_at_most_beside_the_process() -> None:
    # In a process of its own: one that has trained keeps what it frees.
    lines = [
        "import torch",
        "from rimkit.evaluation.protocols import memory_of",
        "torch.set_num_threads(1)",
        "torch.ones(50_000_000).sum()",  # more than that, before it
        "print(memory_of(lambda: torch.ones(10_000_000).sum()), memory_of(lambda: None))",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    taken, nothing = map(float, done.stdout.split())
    assert taken == pytest.approx(40, rel=0.1)
    assert nothing == pytest.approx(0, abs=1)


def test_where_an_earlier_peak_is_not_forgotten_memory_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(allocation, "_FORGET", Path("no", "such", "file"))
    assert memory_of(lambda: None) is None


@pytest.mark.data
def test_the_68_images_are_the_first_of_the_100() -> None:
    names = [image.name for image in load_test_images(100)]
    assert len(names) == 100
    assert names[:3] == ["101085", "101087", "102061"]
    assert [image.name for image in load_test_images(68)] == names[:68]
    first = next(load_test_images(1)).x
    assert first.shape == (1, 1, *first.shape[2:])
    assert sorted(first.shape[2:]) == [321, 481]


def test_data_are_read_where_the_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RIMKIT_BSDS300", str(tmp_path))
    with pytest.raises(ValueError, match="RIMKIT_BSDS300"):
        list(load_test_images(1))
