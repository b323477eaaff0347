"""Tiled is untiled, wherever the seams lie; what cannot be tiled says so."""

import math

import numpy as np
import pytest
import torch
from tests.cases import uniform
from torch import Tensor

import rimkit
from rimkit.classical import GradientDescent, TotalVariation
from rimkit.networks import CompactConfig
from rimkit.noises import GaussianNoise, PoissonNoise
from rimkit.operators import Blur, Identity, Mask, gaussian_kernel
from rimkit.problem import Denoising, Problem, SuperResolution
from rimkit.restoring.tiling import inside, plan, reach, solve_tiled
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import Iterate, Solver
from rimkit.trained import trained_sigma

HALF_LEVEL = 0.5 / 255
DENOISERS = [name for name in rimkit.model_names() if name.startswith("denoise-")]
UPSCALERS = [name for name in rimkit.model_names() if name == "super-resolution"]


@pytest.mark.parametrize("size", [(40, 300), (201, 64), (97, 131), (500, 333), (8, 8)])
@pytest.mark.parametrize(("side", "overlap"), [(72, 8), (96, 16), (144, 40), (80, 3)])
def test_tiles_cover_everything_once(size: tuple[int, int], side: int, overlap: int) -> None:
    height, width = size
    total = torch.zeros(size)
    image = torch.arange(height * width).view(size)
    tiles = plan(height, width, pixels=side**2, overlap=overlap)
    assert len({image[tile.outer].shape for tile in tiles}) == 1
    for tile in tiles:
        total[tile.kept] += tile.weight
        assert torch.equal(image[tile.outer][inside(tile)], image[tile.kept])
        assert image[tile.outer].numel() <= side**2
        for outer, kept, length in zip(tile.outer, tile.kept, size, strict=True):
            assert outer.start % 8 == 0
            assert outer.start == 0 or kept.start - outer.start >= overlap
            assert outer.stop == length or outer.stop - kept.stop >= overlap
    torch.testing.assert_close(total, torch.ones(size))


def test_tiles_of_overlap_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="too small for an overlap of 48"):
        plan(500, 500, pixels=100**2, overlap=48)
    with pytest.raises(ValueError, match=r"at least (\d+) are needed") as caught:
        plan(500, 70, pixels=1, overlap=48)
    smallest = int(str(caught.value).split("at least ")[1].split()[0])
    assert len(plan(500, 70, pixels=smallest, overlap=48)) > 1
    with pytest.raises(ValueError, match="too small"):
        plan(500, 70, pixels=smallest - 1, overlap=48)
    assert len(plan(100, 100, pixels=100**2, overlap=48)) == 1


def test_a_local_solver_is_tiled_to_the_bit() -> None:
    y = uniform(2, 1, 90, 110)
    solver = GradientDescent(step_size=0.01, steps=5)
    whole = solver.solve(y, Denoising(0.2)).x
    tiled = solve_tiled(solver, y, Denoising(0.2), pixels=56**2, overlap=0)
    torch.testing.assert_close(tiled, whole)


def test_missing_pixels_start_from_those_of_the_tile() -> None:
    y = uniform(2, 1, 90, 110)
    seen = (uniform(1, 1, 90, 110, seed=1) > 0.3).double()
    problem = Problem(Mask(seen), GaussianNoise(0.2))
    solver = GradientDescent(step_size=0.01, steps=5)
    whole = solver.solve(y, problem).x
    off = (solve_tiled(solver, y, problem, pixels=88**2, overlap=16) - whole).abs()
    assert off[seen.expand_as(off) == 1].max() < 1e-12
    assert off.max() < 0.02
    assert off.mean() < 1e-4


def test_blur_is_tiled_with_the_overlap_of_its_kernel() -> None:
    problem = Problem(Blur(gaussian_kernel(1.0).double()), GaussianNoise(0.2))
    y = problem.simulate(uniform(1, 1, 90, 110))
    solver = GradientDescent(
        step_size=0.01, steps=2
    )  # each step looks a kernel further, there and back
    whole = solver.solve(y, problem).x
    torch.testing.assert_close(solve_tiled(solver, y, problem, pixels=88**2, overlap=16), whole)
    wrong = solve_tiled(solver, y, problem, pixels=56**2, overlap=0)
    assert not torch.allclose(wrong, whole, atol=1e-4)


def test_tiles_take_as_many_steps_as_the_whole() -> None:
    problem = Problem(Blur(gaussian_kernel(1.0).double()), GaussianNoise(0.3))
    y, solver = uniform(1, 1, 90, 110), GradientDescent(step_size=0.01, steps=2)
    tiled = solve_tiled(solver, y, problem, pixels=88**2, overlap=16, steps=1)
    torch.testing.assert_close(tiled, solver.solve(y, problem, steps=1).x)
    assert not torch.allclose(tiled, solver.solve(y, problem).x, atol=1e-3)


def test_what_cannot_be_tiled_says_so() -> None:
    class Projection:
        def A(self, x: Tensor) -> Tensor:
            return x

        def A_adjoint(self, y: Tensor) -> Tensor:
            return y

    y = uniform(1, 1, 90, 110)
    for operator, message in (
        (Blur(gaussian_kernel(1.0).double(), padding="circular"), "circular Blur cannot"),
        (Projection(), "Projection cannot be solved in tiles"),
    ):
        problem = Problem(operator, GaussianNoise(0.2))
        with pytest.raises(ValueError, match=message):
            solve_tiled(
                GradientDescent(step_size=0.01, steps=2), y, problem, pixels=56**2, overlap=0
            )


@pytest.mark.parametrize("sigma", [0.0, 15.0, 50.0])
@pytest.mark.parametrize("kind", ["photograph", "flat", "noise", "edges", "borders"])
@pytest.mark.parametrize("name", DENOISERS)
def test_a_shipped_model_is_tiled_within_half_a_level(
    name: str, kind: str, sigma: float, photograph: Tensor
) -> None:
    model = rimkit.load(name)
    channels = model.config.network.channels
    level = sigma / 255
    overlap = reach(model, level, channels=channels)
    height, width = 200, 231
    x = {
        "photograph": photograph,
        "flat": torch.full((1, 1, height, width), 1.0),
        "noise": torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(1)),
        "edges": (torch.arange(width) // 8 % 2).float().expand(1, 1, height, width),
        "borders": torch.from_numpy(
            np.add.outer(np.arange(height) // 40 % 2, np.arange(width) // 56 % 2) % 2
        ).float()[None, None],
    }[kind].expand(-1, channels, -1, -1)
    problem = Denoising(level)
    y = problem.simulate(x, generator=torch.Generator().manual_seed(2))
    whole = model.solve(y, problem).x
    for side in (2 * overlap + 56, 2 * overlap + 96):
        tiled = solve_tiled(model, y, problem, pixels=side**2, overlap=overlap)
        assert (tiled - whole).abs().max() < HALF_LEVEL


@pytest.mark.parametrize("scale", [2, 2.5, 4])
@pytest.mark.parametrize("kind", ["photograph", "flat", "noise", "edges"])
@pytest.mark.parametrize("name", UPSCALERS)
def test_a_shipped_upscaler_is_tiled_within_half_a_level(
    name: str, kind: str, scale: float, photograph: Tensor
) -> None:
    model = rimkit.load(name)
    sigma = trained_sigma(model.training_record)
    overlap = reach(model, sigma, channels=3, scale=scale)
    size = 200, 231
    small = size_of_y(size, scale)
    y = {
        "photograph": photograph[..., : small[0], : small[1]],
        "flat": torch.full((1, 1, *small), 1.0),
        "noise": torch.rand(1, 1, *small, generator=torch.Generator().manual_seed(1)),
        "edges": (torch.arange(small[1]) // 4 % 2).float().expand(1, 1, *small),
    }[kind].expand(-1, 3, -1, -1)
    problem = SuperResolution(scale, size=size, sigma=sigma)
    whole = model.solve(y, problem).x
    tiled = solve_tiled(model, y, problem, pixels=(2 * overlap + 72) ** 2, overlap=overlap)
    assert (tiled - whole).abs().max() < HALF_LEVEL


def size_of_y(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return math.ceil(size[0] / scale), math.ceil(size[1] / scale)


class Shifting(Solver):
    """Moves the image to the right by a hundred times sigma in every step."""

    steps = 1

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        return Iterate(y, y, ())

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        assert isinstance(problem.noise, GaussianNoise)
        x = iterate.x.roll(round(100 * problem.noise.sigma), -1)
        return Iterate(x, x, ())


@pytest.mark.parametrize(
    ("sigma", "steps", "expected"), [(0.1, None, 16), (0.1, 3, 32), (0.3, None, 32), (0.4, 2, 80)]
)
def test_reach_is_that_of_all_steps_at_this_noise(
    sigma: float, steps: int | None, expected: int
) -> None:
    assert reach(Shifting(), sigma, steps=steps) == expected


def test_a_solver_that_sees_too_far_has_no_reach() -> None:
    with pytest.raises(ValueError, match="sees further than 128 pixels"):
        reach(Shifting(), 0.5, steps=3)


def test_reach_ends() -> None:
    assert 8 <= reach(rimkit.load("denoise-gray"), 25 / 255) <= 64
    assert reach(GradientDescent(step_size=0.001, steps=3), 0.1) == 0


def test_a_solver_that_looks_at_the_whole_image_is_not_cut() -> None:
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), score_scaling="whitened"))
    y = torch.rand(1, 1, 200, 200)
    with pytest.raises(ValueError, match="looks at the whole image"):
        solve_tiled(model.eval(), y, Denoising(0.1), pixels=100**2, overlap=8)
    with pytest.raises(ValueError, match="looks at the whole image"):
        rimkit.restore(y[0, 0].numpy(), sigma=0.1, model=model, memory=5e6)


def test_total_variation_is_not_cut() -> None:
    # Its steps follow the brightest part of an image of counts: tiles would be solved otherwise.
    problem = Problem(Identity(), PoissonNoise(1e-3))
    y = torch.full((1, 1, 64, 64), 0.5)
    solver = TotalVariation(weight=5.0, variance_floor=1e-6)
    with pytest.raises(ValueError, match="whole image"):
        solve_tiled(solver, y, problem, pixels=48**2, overlap=0)
