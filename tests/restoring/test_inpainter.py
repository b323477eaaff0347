"""Missing pixels: any kind of image, whole or in tiles."""

import numpy as np
import pytest
import torch
from tests.cases import generator, machine, uniform

import rimkit
from rimkit.noises import GaussianNoise
from rimkit.operators import Mask
from rimkit.operators.filling import fill, fill_from, halved
from rimkit.problem import Problem
from rimkit.restoring.holes import GuessedMask, Holed, mask_of
from rimkit.restoring.inpainter import Inpainter
from rimkit.restoring.tiling import plan
from rimkit.rim import RIM

SIGMA = 0.3 / 255


@pytest.fixture(scope="module")
def grey() -> RIM:
    return machine(1)


@pytest.fixture(scope="module")
def colour() -> RIM:
    return machine(3)


def holes(*size: int, share: float = 0.4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(size) < share


def filled(model: RIM, image: np.ndarray, missing: np.ndarray, **options: object) -> np.ndarray:
    x = image.copy()
    Inpainter(model, **options).fill([Holed(x, missing)])
    return x


def to_y(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.moveaxis(image, 2, 0).copy())[None]


def solved(model: RIM, image: np.ndarray, missing: np.ndarray, sigma: float) -> np.ndarray:
    mask = Mask(torch.from_numpy(~missing)[None, None].float())
    problem = Problem(mask, GaussianNoise(sigma))
    x = model.solve(mask.A(to_y(image)), problem).x
    return np.moveaxis(x[0].numpy(), 0, 2)


def test_holes_get_the_estimate_of_the_solver_and_the_rest_stays(colour: RIM) -> None:
    image, missing = uniform(21, 18, 3).float().numpy(), holes(21, 18)
    x = filled(colour, image, missing)
    assert np.array_equal(x[~missing], image[~missing])
    expected = solved(colour, image, missing, SIGMA)
    np.testing.assert_allclose(x[missing], expected[missing], atol=1e-5)


def test_with_noise_all_pixels_are_estimated(colour: RIM) -> None:
    image, missing = uniform(21, 18, 3).float().numpy(), holes(21, 18)
    x = filled(colour, image, missing, sigma=0.1)
    np.testing.assert_allclose(x, solved(colour, image, missing, 0.1), atol=1e-5)
    assert (x[~missing] != image[~missing]).mean() > 0.9
    assert np.array_equal(filled(colour, image, missing, sigma=0), filled(colour, image, missing))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_what_stands_in_a_hole_does_not_matter(colour: RIM, dtype: type) -> None:
    floating = np.issubdtype(dtype, np.floating)
    white = 1 if floating else np.iinfo(dtype).max
    image = (uniform(21, 18, 3).numpy() * white).astype(dtype)
    missing = holes(21, 18)
    other = image.copy()
    other[missing] = np.nan if floating else white
    x = filled(colour, image, missing)
    assert x.dtype == dtype
    assert np.array_equal(x, filled(colour, other, missing))
    assert np.array_equal(x[~missing], image[~missing])


def test_whole_numbers_are_those_of_floats_rounded_and_clipped(colour: RIM) -> None:
    image = np.rint(uniform(21, 18, 3).numpy() * 255).astype(np.uint8)
    missing = holes(21, 18)
    floats = filled(colour, (image / 255).astype(np.float32), missing)
    difference = np.abs(filled(colour, image, missing) - floats.clip(0, 1) * 255)
    assert difference.max() <= 1.0  # the first guess is rounded, too


def test_a_grey_model_takes_colours_one_by_one(grey: RIM) -> None:
    image, missing = uniform(21, 18, 3).float().numpy(), holes(21, 18)
    x = filled(grey, image, missing)
    for channel in range(3):
        alone = filled(grey, image[..., channel : channel + 1], missing)
        np.testing.assert_allclose(x[..., channel], alone[..., 0], atol=1e-5)


def test_a_colour_model_is_shown_grey_three_times(colour: RIM) -> None:
    image, missing = uniform(21, 18, 1).float().numpy(), holes(21, 18)
    expected = solved(colour, image.repeat(3, 2), missing, SIGMA).mean(2, keepdims=True)
    x = filled(colour, image, missing)
    np.testing.assert_allclose(x[missing], expected[missing], atol=1e-5)


def test_images_with_other_holes_are_filled_together(colour: RIM) -> None:
    images = [uniform(21, 18, 3, seed=seed).float().numpy() for seed in range(3)]
    missing = [holes(21, 18, seed=seed) for seed in range(2)] + [np.zeros((21, 18), bool)]
    together = [image.copy() for image in images]
    shares: list[float] = []
    Inpainter(colour).fill(
        [Holed(x, m) for x, m in zip(together, missing, strict=True)], on_progress=shares.append
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1
    for x, image, hole in zip(together, images, missing, strict=True):
        np.testing.assert_allclose(x, filled(colour, image, hole), atol=1e-5)
    assert np.array_equal(together[2], images[2])


def test_the_level_of_a_model_for_something_else_is_the_task_s_own() -> None:
    model = machine(3)
    for record, expected in (
        ({}, 0.3),
        ({"task": {"name": "super-resolution", "sigma": 0.4}}, 0.3),
        ({"task": {"sigma": [0.0, 55.0]}}, 0.3),
        ({"task": {"name": "inpainting", "sigma": [0.5, 20.0]}}, 0.5),
    ):
        model.training_record = record
        assert Inpainter(model).sigma == pytest.approx(expected / 255)


def test_views_and_other_byte_orders_are_filled_in_place(colour: RIM) -> None:
    image = np.rint(uniform(3, 18, 21).numpy() * 65535).astype(">u2")
    missing = holes(21, 18)
    view = image.T
    expected = filled(colour, np.ascontiguousarray(view).astype(np.uint16), missing)
    Inpainter(colour).fill([Holed(view, missing)])
    assert np.array_equal(image.T, expected)


def test_the_part_of_an_image_has_the_likelihood_of_what_is_seen(colour: RIM) -> None:
    mask = Mask(torch.from_numpy(~holes(21, 18))[None, None].float())
    x = uniform(1, 3, 21, 18).float()
    guessed = GuessedMask(mask.mask, uniform(1, 1, 21, 18, seed=3).float())
    y = mask.A(x)
    assert torch.equal(guessed.initial(y), guessed.guess.expand_as(y))
    ours, other = (Problem(operator, GaussianNoise(0.1)) for operator in (guessed, mask))
    assert torch.equal(ours.log_prob(x, y), other.log_prob(x, y))
    assert torch.equal(ours.score(x, y), other.score(x, y))


@pytest.mark.parametrize("sigma", [None, 0.02])
def test_tiles_are_like_the_whole(
    colour: RIM, sigma: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.rint(uniform(150, 132, 3).numpy() * 255).astype(np.uint8)
    missing = holes(150, 132)
    missing[60:100, 20:110] = True
    whole = filled(colour, image, missing, sigma=sigma)
    seen = []

    def counted(*arguments: object, **options: object) -> list[object]:
        seen.extend(tiles := plan(*arguments, **options))  # type: ignore[arg-type]
        return tiles  # type: ignore[return-value]

    monkeypatch.setattr("rimkit.restoring.restorer.plan", counted)
    little = Inpainter(colour, sigma=sigma)
    little.memory = image.nbytes + missing.nbytes + 90**2 * little._bytes_per_pixel
    assert little.capacity(image) == 0
    tiled = image.copy()
    little.fill([Holed(tiled, missing)])
    assert len(seen) > 1
    assert np.abs(tiled.astype(int) - whole).max() <= 1


@pytest.mark.parametrize("sigma", [None, 20 / 255])
def test_the_shipped_model_is_tiled_within_a_level(
    photograph: torch.Tensor, sigma: float | None
) -> None:
    values = np.rint(photograph[0, 0, :, :, None].numpy() * 255).astype(np.uint8)
    missing = holes(200, 231, share=0.3)
    missing[70:110, 60:190] = True
    written = []
    for memory in (1e9, None):
        inpainter = Inpainter(rimkit.load("inpainting"), sigma=sigma)
        inpainter.memory = memory or values.nbytes * 2 + 150**2 * inpainter._bytes_per_pixel
        assert (inpainter.capacity(values) > 0) == (memory is not None)
        written.append(values.copy())
        inpainter.fill([Holed(written[-1], missing)])
    whole, tiled = (x.astype(int) for x in written)
    assert np.abs(whole - tiled).max() <= 1
    error = np.abs(whole - values)[missing & (np.arange(200)[:, None] > 120)].mean()
    guess = Holed(values.copy(), missing)
    guess.guess()
    first = np.abs(guess.values.astype(int) - values)[missing & (np.arange(200)[:, None] > 120)]
    assert sigma is not None or error < 0.8 * first.mean()


def test_a_large_hole_is_guessed_from_the_whole_image() -> None:
    y = torch.linspace(0, 1, 200).expand(1, 2, 173, 200).clone()
    mask = Mask.scattered(0.5, (173, 200), generator=generator()).mask
    mask[..., 30:140, 40:160] = 0
    means, share = halved(y, mask)
    coarse = fill(means, share)
    x = fill_from(y, mask, coarse)
    torch.testing.assert_close(x, fill(y, mask), atol=1e-5, rtol=0)
    seen = mask.expand_as(y) == 1
    assert torch.equal(x[seen], y[seen])
    assert (x - y).abs()[..., 80, 60:140].max() < 0.3


def test_a_part_of_a_guess_is_the_guess_of_the_part() -> None:
    mask = Mask.scattered(0.5, (16, 16), generator=generator()).mask
    whole = GuessedMask(mask, uniform(1, 1, 16, 16))
    y = whole.A(whole.guess)
    part, seen = whole.crop(y, (slice(0, 8), slice(4, 12)))
    assert isinstance(part, GuessedMask)
    assert torch.equal(part.initial(seen), whole.initial(y)[..., 0:8, 4:12])


def test_the_guess_in_bands_is_that_of_the_whole_image() -> None:
    values = np.random.default_rng(0).random((304, 216, 3)).astype(np.float32)
    missing = np.random.default_rng(1).random((304, 216)) < 0.9
    missing[40:200, 30:180] = True
    guessed = values.copy()
    Holed(guessed, missing).guess()
    y = torch.from_numpy(values).movedim(2, 0)[None]
    x = fill(y, mask_of(missing))[0].movedim(0, 2).numpy()
    np.testing.assert_allclose(guessed, x, atol=1e-5)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (np.zeros((21, 17), bool), "got .21, 17."),
        (np.zeros((21, 18), np.uint8), "uint8"),
        (np.zeros((21, 18, 3), bool), "21, 18, 3"),
        (np.ones((21, 18), bool), "all pixels are missing"),
    ],
)
def test_bad_holes(missing: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Holed(np.zeros((21, 18, 3), np.uint8), missing)


def test_bad_images_and_levels(colour: RIM) -> None:
    none = np.zeros((21, 18), bool)
    with pytest.raises(ValueError, match="takes 3 channels, the image has 2"):
        Inpainter(colour).fill([Holed(np.zeros((21, 18, 2), np.uint8), none)])
    with pytest.raises(ValueError, match="NaN or infinite values where nothing is missing"):
        Inpainter(colour).fill([Holed(np.full((21, 18, 3), np.nan), holes(21, 18))])
    with pytest.raises(ValueError, match="the same shape and depth"):
        Inpainter(colour).fill(
            [Holed(np.zeros((21, 18, 3), kind), holes(21, 18)) for kind in (np.uint8, np.uint16)]
        )
    with pytest.raises(ValueError, match="are these grey levels"):
        Inpainter(colour).fill([Holed(np.full((21, 18, 3), 9.0), holes(21, 18))])
    for sigma in (-1.0, 25.0):
        with pytest.raises(ValueError, match="sigma"):
            Inpainter(colour, sigma=sigma)
