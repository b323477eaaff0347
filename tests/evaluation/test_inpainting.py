"""The protocol of missing pixels: the same holes for all, noise where it is asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.cases import uniform

from rimkit.data.patches import seeded
from rimkit.evaluation.images import CleanImage, load_test_images
from rimkit.evaluation.inpainting import (
    DENSITY,
    FEW,
    HOLES,
    MANY,
    STROKES,
    WIDTH,
    Holes,
    score,
)
from rimkit.operators import Mask
from rimkit.problem import Problem
from rimkit.tasks import InpaintingTask

QUIET = [holes for holes in HOLES if not holes.sigma]
(NOISY,) = (holes for holes in HOLES if holes.sigma)


def image(name: str = "7", *, height: int = 90, width: int = 110) -> CleanImage:
    values = (uniform(1, 3, height, width, seed=int(name)) * 255).round()
    return CleanImage(name, values.float() / 255)


@pytest.mark.parametrize("holes", HOLES, ids=lambda holes: holes.name)
def test_everybody_sees_the_same(holes: Holes) -> None:
    first, again, other = holes.measure(image()), holes.measure(image()), holes.measure(image("8"))
    assert torch.equal(first.mask, again.mask)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.mask, other.mask)
    assert (first.y[:, :, first.missing] == 0).all()


@pytest.mark.parametrize("holes", QUIET, ids=lambda holes: holes.name)
def test_without_noise_what_is_seen_is_the_file(holes: Holes) -> None:
    seen = holes.measure(image())
    values = (seen.y[0].permute(1, 2, 0) * 255).double().numpy()
    np.testing.assert_allclose(values[~seen.missing], seen.truth[~seen.missing], atol=1e-4)


def test_noise_is_on_what_is_seen() -> None:
    given = image()
    seen = NOISY.measure(given)
    noise = (seen.y - given.x)[:, :, ~seen.missing] * 255
    assert noise.std().item() == pytest.approx(10, rel=0.02)
    assert abs(noise.mean().item()) < 0.3
    assert seen.y.min() < 0, "it is not clipped"


def test_as_many_pixels_are_missing_as_is_said() -> None:
    shares = {holes.name: holes.measure(image()).share for holes in HOLES}
    assert shares.pop("strokes") == pytest.approx(0.24, abs=0.1)
    expected = {"half": 0.5, "four-fifths": 0.8, "half-noisy": 0.5}
    assert shares == pytest.approx(expected, abs=0.02)


def test_holes_are_those_at_which_a_training_is_watched() -> None:
    task = InpaintingTask()
    assert task.validation_shares == (FEW, MANY)
    x = image().x
    measured = task.validation()["strokes"](x, seeded(3))
    problem = measured[0]
    assert isinstance(problem, Problem)
    assert isinstance(problem.operator, Mask)
    drawn = STROKES.draw((90, 110), seeded(3))
    assert torch.equal(drawn.mask, problem.operator.mask)
    assert (task.validation_density, task.width) == (DENSITY, WIDTH)


@pytest.mark.parametrize("holes", HOLES, ids=lambda holes: holes.name)
def test_estimates_are_rounded_and_what_is_seen_is_put_back_without_noise(holes: Holes) -> None:
    seen = holes.measure(image())
    x = torch.full_like(seen.y, 100.4 / 255)
    x[:, 0], x[:, 1] = -0.2, 1.3
    estimate = seen.settle(x)
    assert (estimate[seen.missing] == [0, 255, 100]).all()
    kept = (estimate[~seen.missing] == seen.truth[~seen.missing]).all()
    assert kept == (holes.sigma == 0)
    assert holes.sigma == 0 or (estimate[~seen.missing] == [0, 255, 100]).all()


def test_scores_are_of_all_pixels_and_channels() -> None:
    seen = QUIET[0].measure(image())
    assert score(seen.truth, seen) == (math.inf, pytest.approx(1))
    estimate = seen.truth.copy()
    estimate[0, 0, 2] ^= 128
    psnr, ssim = score(estimate, seen)
    assert psnr == pytest.approx(10 * math.log10(255**2 * seen.truth.size / 128**2), abs=1e-4)
    assert ssim < 1
    with pytest.raises(ValueError, match="the truth is"):
        score(estimate[1:], seen)


@pytest.mark.data
def test_strokes_cover_a_quarter_of_a_test_image() -> None:
    (first,) = load_test_images(1, channels=3)
    seen = STROKES.measure(first)
    assert seen.truth.shape[2] == 3
    assert seen.share == pytest.approx(0.24, abs=0.04)
