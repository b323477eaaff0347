"""Images made larger: any kind, any scale, whole or in tiles."""

import numpy as np
import pytest
import torch
from tests.cases import machine, uniform

from rimkit.classical import GradientDescent
from rimkit.noises import GaussianNoise
from rimkit.operators import Downsampling
from rimkit.problem import Problem, SuperResolution
from rimkit.restoring import restorer
from rimkit.restoring.tiling import solve_tiled
from rimkit.restoring.upscaler import Upscaler
from rimkit.rim import RIM

SIGMA = 0.4 / 255


@pytest.fixture(scope="module")
def grey() -> RIM:
    return machine(1)


@pytest.fixture(scope="module")
def colour() -> RIM:
    return machine(3)


def larger(model: RIM, image: np.ndarray, scale: float, **options: object) -> np.ndarray:
    (x,) = Upscaler(model, scale=scale, sigma=SIGMA, **options).upscale([image])
    return x


def to_y(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.moveaxis(image, 2, 0).copy())[None]


@pytest.mark.parametrize("scale", [1.5, 2, 2.5, 3.7, 4])
def test_the_estimate_is_that_of_the_solver(colour: RIM, scale: float) -> None:
    image = uniform(12, 13, 3).float().numpy()
    x = larger(colour, image, scale)
    assert x.shape == (int(12 * scale + 1e-9), int(13 * scale + 1e-9), 3)
    expected = colour.solve(to_y(image), SuperResolution(scale, sigma=SIGMA)).x
    torch.testing.assert_close(to_y(x), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_whole_numbers_are_rounded_and_clipped(colour: RIM, dtype: type) -> None:
    white = np.iinfo(dtype).max
    image = np.rint(uniform(12, 13, 3).numpy() * white).astype(dtype)
    x = larger(colour, image, 2)
    assert x.dtype == dtype
    floats = larger(colour, image.astype(np.float32) / white, 2)
    assert np.abs(x - floats.clip(0, 1) * white).max() <= 0.5 + 0.01 * (white > 255)


def test_a_grey_model_takes_colours_one_by_one(grey: RIM) -> None:
    image = uniform(12, 13, 3).float().numpy()
    x = larger(grey, image, 3)
    for channel in range(3):
        alone = larger(grey, image[..., channel : channel + 1], 3)
        np.testing.assert_allclose(x[..., channel], alone[..., 0], atol=1e-5)


def test_a_colour_model_is_shown_grey_three_times(colour: RIM) -> None:
    image = uniform(12, 13, 1).float().numpy()
    expected = larger(colour, image.repeat(3, 2), 3).mean(2, keepdims=True)
    np.testing.assert_allclose(larger(colour, image, 3), expected, atol=1e-6)


@pytest.mark.parametrize("scale", [2, 2.5, 4])
def test_transparency_is_interpolated(colour: RIM, scale: float) -> None:
    """Band by band as at once, and the colours do not know of it."""
    image = uniform(70, 13, 4).float().numpy()
    x = larger(colour, image, scale)
    alpha = Downsampling(scale).initial(to_y(image[..., 3:]))[0, 0].clamp(0, 1).numpy()
    np.testing.assert_allclose(x[..., 3], alpha, atol=1e-6)
    np.testing.assert_allclose(x[..., :3], larger(colour, image[..., :3].copy(), scale), atol=1e-5)


@pytest.mark.parametrize("hidden", [0.0, 0.5])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_what_is_hidden_does_not_show(colour: RIM, hidden: float, dtype: type) -> None:
    """A white disc, cut out: no dark fringe, whatever lies under full transparency."""
    rows, columns = np.ogrid[-45:45, -30:30]  # more rows than are looked at together
    alpha = (20.5 - np.hypot(rows, columns)).clip(0, 1)
    image = np.where(alpha > 0, 1.0, hidden)[..., None].repeat(4, 2)
    image[..., 3] = alpha
    white = 255 if dtype == np.uint8 else 1
    image = (image * white).astype(dtype)
    before = image.copy()
    x = larger(colour, image, 3)
    assert np.array_equal(image, before)
    white_disc = larger(colour, np.full_like(image[..., :3], white), 3)
    seen = x[..., 3] > 0
    assert seen.any()
    difference = np.abs(x[..., :3].astype(float) - white_disc)[seen]
    assert difference.max() <= 1.01 * white / 255


def test_full_transparency_everywhere_is_none_to_speak_of(colour: RIM) -> None:
    image = uniform(12, 13, 4).float().numpy()
    image[..., 3] = 0
    x = larger(colour, image, 2)
    assert not x[..., 3].any()
    np.testing.assert_allclose(x[..., :3], larger(colour, image[..., :3].copy(), 2), atol=1e-5)


def test_scale_one_leaves_every_bit(colour: RIM) -> None:
    image = uniform(12, 13, 4).numpy()
    x = larger(colour, image, 1)
    assert np.array_equal(x, image)
    assert x is not image


@pytest.mark.parametrize("scale", [2, 2.5, 3.7])
def test_tiles_are_the_whole_wherever_they_are_cut(scale: float) -> None:
    """Gradient descent looks a kernel further, there and back, at every step."""
    solver = GradientDescent(step_size=0.01, steps=1)
    problem = Problem(Downsampling(scale, size=(96, 150)), GaussianNoise(0.2))
    y = problem.simulate(uniform(1, 1, 96, 150))
    whole = solver.solve(y, problem).x
    tiled = solve_tiled(solver, y, problem, pixels=96 * 104, overlap=24)
    torch.testing.assert_close(tiled, whole)
    wrong = solve_tiled(solver, y, problem, pixels=96 * 56, overlap=0)
    assert not torch.allclose(wrong, whole, atol=1e-4)


@pytest.mark.parametrize(("scale", "channels", "dtype"), [(2.5, 3, np.uint8), (3, 1, np.float32)])
def test_large_results_are_solved_in_tiles(
    colour: RIM, scale: float, channels: int, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, columns = np.ogrid[:80, :100]
    image = (np.sin(rows / 5) + np.cos(columns / 3) + 2)[..., None].repeat(channels, 2) / 4
    image = (image * 255).astype(np.uint8) if dtype == np.uint8 else image.astype(dtype)
    whole = larger(colour, image, scale)
    solved: list[int] = []
    original = RIM.init

    def spied(self: RIM, y: torch.Tensor, problem: Problem) -> object:
        solved.append(y.shape[-1] * y.shape[-2])
        return original(self, y, problem)

    monkeypatch.setattr(RIM, "init", spied)
    monkeypatch.setattr(restorer, "reach", lambda *_, **__: 40)
    upscaler = Upscaler(colour, scale=scale, sigma=SIGMA)
    upscaler.memory = image.nbytes + whole.nbytes + 130**2 * upscaler._bytes_per_pixel * 1.3
    assert upscaler.capacity(image) == 0
    (tiled,) = upscaler.upscale([image])
    assert len(solved) > 3
    assert max(solved) < image.shape[0] * image.shape[1]
    white = 255 if dtype == np.uint8 else 1
    assert np.abs(tiled.astype(float) - whole).max() / white <= 1 / 255


def test_equal_images_go_together(colour: RIM) -> None:
    images = [uniform(12, 13, 3, seed=seed).float().numpy() for seed in range(3)]
    seen: list[float] = []
    upscaler = Upscaler(colour, scale=2, sigma=SIGMA)
    assert upscaler.capacity(images[0]) >= 3
    results = upscaler.upscale(images, on_progress=seen.append)
    assert seen == [0.5, 1.0]
    for image, x in zip(images, results, strict=True):
        np.testing.assert_allclose(x, larger(colour, image, 2), atol=1e-5)


@pytest.mark.parametrize("scale", [0.99, 4.01, 0, -2, float("nan"), float("inf")])
def test_bad_scales(colour: RIM, scale: float) -> None:
    with pytest.raises(ValueError, match="scale is from 1 to 4, got"):
        Upscaler(colour, scale=scale, sigma=SIGMA)


def test_bad_images(colour: RIM) -> None:
    upscaler = Upscaler(colour, scale=3, sigma=SIGMA)
    for image, message in (
        (np.zeros((3, 9, 3)), "at least 4x4, got 3x9"),  # smaller than the kernel
        (np.full((9, 9, 3), np.nan), "NaN"),
        (np.zeros((9, 9, 3), np.int32), "int32"),
        (np.zeros((9, 9, 5)), "1 to 4 channels, got 5"),
    ):
        with pytest.raises(ValueError, match=message):
            upscaler.upscale([image])
    with pytest.raises(ValueError, match="at least 6x6, got 5x9"):  # x would be smaller than 8x8
        Upscaler(colour, scale=1.5, sigma=SIGMA).upscale([np.zeros((5, 9, 3))])
    small = np.full((5, 3, 3), 7, np.uint8)
    assert (Upscaler(colour, scale=1, sigma=SIGMA).upscale([small])[0] == 7).all()  # as it is
    with pytest.raises(ValueError, match="sigma"):
        Upscaler(colour, scale=3, sigma=-1)
    with pytest.raises(ValueError, match="an image of 900x600 needs more memory than the 0 MB"):
        larger(colour, np.zeros((200, 300, 3)), 3, memory=1e5)
