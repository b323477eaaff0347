"""Patches and measurements are the same for every method, and walks are what solvers do."""

import pytest
import torch
from tests.cases import uniform

from rimkit.classical import GradientDescent, TotalVariation
from rimkit.evaluation.denoising import noisy
from rimkit.evaluation.images import CleanImage
from rimkit.evaluation.projections import (
    PANELS,
    Measured,
    Panel,
    draw_patches,
    measure,
    psnr_by_step,
)
from rimkit.evaluation.transfer import TRANSFERS
from rimkit.metrics import psnr
from rimkit.operators import adjoint_error
from rimkit.problem import Denoising
from rimkit.rim import RIM

IMAGE = CleanImage("7", uniform(1, 1, 40, 51).float())


def test_the_panels_are_those_of_the_paper() -> None:
    assert len(PANELS) == 12
    reals = [round(panel.reals) for panel in PANELS]
    assert reals[:4] == reals[4:8] == [102, 205, 410, 614]
    assert reals[8:] == [194, 368, 655, 859]
    assert [panel.rows for panel in PANELS[8:]] == [102, 205, 410, 614]


def test_patches_are_parts_of_their_image_and_always_the_same() -> None:
    patches = draw_patches(IMAGE, count=20)
    assert patches.shape == (20, 1, 32, 32)
    assert torch.equal(patches, draw_patches(IMAGE, count=20))
    parts = IMAGE.x.unfold(2, 32, 1).unfold(3, 32, 1).flatten(0, 3)
    for patch in patches:
        assert (parts == patch[0]).all((1, 2)).any()
    assert len(patches.flatten(1).unique(dim=0)) > 10
    other = CleanImage("8", IMAGE.x)
    assert not torch.equal(patches, draw_patches(other, count=20))


@pytest.mark.parametrize("ensemble", ["gaussian", "binary", "fourier"])
def test_measurements_are_always_the_same_and_rows_are_fresh(ensemble: str) -> None:
    panel = Panel(ensemble, 0.1)  # type: ignore[arg-type]
    first, second = measure(IMAGE, panel, count=2), measure(IMAGE, panel, count=2)
    assert torch.equal(first.y, second.y)
    same = first.problem.operator.A(first.truth[:1].expand(2, -1, -1, -1))
    assert not torch.equal(same[0], same[1])
    assert not torch.equal(first.y, measure(CleanImage("8", IMAGE.x), panel, count=2).y)


def test_a_walk_is_that_of_the_solver() -> None:
    measured = measure(IMAGE, Panel("fourier", 0.4), count=3)
    solver = TotalVariation(weight=15.0)
    values = psnr_by_step(solver, measured, steps=4)
    estimates = solver.solve(measured.y, measured.problem, steps=4, keep=True).trajectory
    assert estimates is not None
    expected = torch.stack([psnr(x, measured.truth) for x in estimates])
    torch.testing.assert_close(values, expected, rtol=0, atol=0)


def test_a_walk_may_be_one_in_bfloat16(model: RIM) -> None:
    measured = measure(IMAGE, Panel("fourier", 0.4), count=2)
    exact = psnr_by_step(model, measured, steps=2)
    coarse = psnr_by_step(model, measured, steps=2, precision="bfloat16")
    assert not torch.equal(exact, coarse)
    torch.testing.assert_close(exact, coarse, atol=1.0, rtol=0)


def test_a_patch_that_is_met_exactly_does_not_hide_the_others() -> None:
    white = torch.ones(2, 1, 32, 32)
    measured = Measured(white, Denoising(0.1), 1.5 * white)
    values = psnr_by_step(GradientDescent(step_size=1e-3), measured, steps=2)
    assert values.unique().tolist() == [pytest.approx(58.92, abs=0.01)]


def test_a_walk_that_diverges_ends_in_nan() -> None:
    measured = measure(IMAGE, Panel("gaussian", 0.1), count=2)
    values = psnr_by_step(GradientDescent(step_size=1e6), measured, steps=20)
    assert values.shape == (21, 2)
    assert values[:2].isfinite().all()
    assert values[-1].isnan().all()


@pytest.mark.parametrize("problem", TRANSFERS, ids=lambda problem: problem.name)
def test_transfers_are_always_the_same_and_start_near_the_image(problem) -> None:  # type: ignore[no-untyped-def]
    smooth = torch.nn.functional.interpolate(uniform(1, 1, 5, 6).float(), (40, 48), mode="bicubic")
    image = CleanImage("7", smooth.clamp(0, 1))
    first, second = problem.measure(image), problem.measure(image)
    assert torch.equal(first.y, second.y)
    assert not torch.equal(first.y, problem.measure(CleanImage("8", image.x)).y)
    start = first.problem.initial(first.y)
    assert start.shape == image.x.shape
    assert psnr(start, image.x) > 13
    operator = first.problem.operator
    assert adjoint_error(operator, image.x.double()).max() < 1e-6


def test_half_of_the_pixels_are_missing_and_others_in_every_problem() -> None:
    first, second = (
        problem.measure(IMAGE).problem.operator.mask
        for problem in TRANSFERS
        if problem.name.startswith("inpaint")
    )
    assert first.mean().item() == pytest.approx(0.5, abs=0.05)
    assert not torch.equal(first, second)


def test_noise_is_that_of_table_2() -> None:
    problem = next(problem for problem in TRANSFERS if problem.name == "denoise-25")
    assert problem.condition is not None
    assert torch.equal(problem.measure(IMAGE).y, noisy(IMAGE, problem.condition))


@pytest.mark.parametrize("ensemble", ["gaussian", "binary", "fourier"])
def test_solvers_may_be_told_how_bright_images_are(ensemble: str) -> None:
    measured = measure(IMAGE, Panel(ensemble, 0.1), count=3)  # type: ignore[arg-type]
    told = measured.from_grey()
    assert torch.equal(told.y, measured.y)
    starts = [each.problem.initial(each.y) for each in (measured, told)]
    assert (psnr(starts[1], measured.truth) > psnr(starts[0], measured.truth)).all()
    for x in starts:
        expected = measured.problem.score(x, measured.y)
        torch.testing.assert_close(told.problem.score(x, told.y), expected, rtol=0, atol=0)
