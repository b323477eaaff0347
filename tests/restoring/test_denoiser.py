"""Images of any size and kind, in the memory there is."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from tests.cases import uniform
from torch import Tensor

import rimkit
from rimkit.footprint import bytes_per_pixel
from rimkit.networks import CompactConfig
from rimkit.precision import Precision
from rimkit.problem import Denoising
from rimkit.restoring import restorer
from rimkit.restoring.arrays import restore
from rimkit.restoring.denoiser import Denoiser, Noisy, Sigma, noise_level
from rimkit.restoring.tiling import Tile
from rimkit.rim import RIM, RIMConfig

DENOISERS = [name for name in rimkit.model_names() if name.startswith("denoise-")]


def run(model: RIM, image: np.ndarray, sigma: Sigma, **options: object) -> np.ndarray:
    values = image.copy()
    Denoiser(model, **options).denoise([Noisy(values, noise_level(values, sigma))])
    return values


def test_a_grey_model_takes_colours_one_by_one(model: RIM) -> None:
    image = uniform(12, 13, 3).float().numpy()
    x = run(model, image, 0.1)
    for channel in range(3):
        y = torch.from_numpy(image[None, None, ..., channel])
        alone = model(y, Denoising(0.1))[0, 0]
        torch.testing.assert_close(torch.from_numpy(x[..., channel]), alone, rtol=1e-5, atol=1e-5)


def test_grey_stays_grey_in_three_channels(model: RIM) -> None:
    image = uniform(12, 13, 1).float().numpy().repeat(3, 2)
    x = run(model, image, 0.1)
    assert np.array_equal(x[..., 0], x[..., 1])
    assert np.array_equal(x[..., 0], x[..., 2])


@pytest.mark.parametrize("quantised", ["no", "unknown", "known", "half"])
def test_files_are_rounded_and_a_model_that_learned_it_is_told(model: RIM, quantised: str) -> None:
    model.training_record = {"task": {"name": "denoising", "quantised": quantised}}
    model.network.out.weight.data *= 100  # so that a grey level shows
    noise = np.random.default_rng(0).normal(0.5, 0.4, (20, 24, 1)).clip(0, 1)
    for kind, white in (("uint8", 255), ("uint16", 65535), ("float32", 1)):
        image = noise.astype("float32") if white == 1 else (noise * white).round().astype(kind)
        levels = white if quantised in ("known", "half") and white > 1 else None
        y = torch.from_numpy((image / white).astype(np.float32)).permute(2, 0, 1)[None]
        with torch.no_grad():
            told, other = (
                model(y, Denoising(0.4, levels=which))[0].permute(1, 2, 0).numpy()
                for which in (levels, None if levels else 255)
            )
        assert np.abs(told - other).max() > 0.01
        expected = told if white == 1 else (told.clip(0, 1) * white).round()
        atol = 1e-5 if white == 1 else 1 + 1e-4 * white
        np.testing.assert_allclose(run(model, image, 0.4), expected, atol=atol)


def test_auto_uses_an_estimate(model: RIM) -> None:
    image = np.random.default_rng(0).normal(0.5, 0.1, (64, 64, 1)).astype(np.float32)
    sigma = noise_level(image)
    assert sigma == pytest.approx(0.1, rel=0.05)
    assert np.array_equal(run(model, image, "auto"), run(model, image, sigma))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_estimate_is_in_units_of_white(dtype: type) -> None:
    white = np.iinfo(dtype).max
    unit = np.random.default_rng(0).normal(0.5, 0.1, (64, 64, 1))
    image = np.rint(unit.clip(0, 1) * white).astype(dtype)
    assert noise_level(image) == pytest.approx(0.1, rel=0.05)


def test_work_is_counted(model: RIM) -> None:
    seen: list[float] = []
    noisy = [Noisy(uniform(9, 9, c).numpy(), 0.1) for c in (1, 3)]
    Denoiser(model, steps=4).denoise(noisy[:1], on_progress=seen.append)
    assert seen == [0.25, 0.5, 0.75, 1.0]
    Denoiser(model, steps=1).denoise(noisy[1:], on_progress=seen.append)
    assert seen[4:] == [1.0]


@pytest.mark.parametrize("sigma", [-1.0, float("nan"), float("inf"), "25"])
def test_bad_sigma(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma"):
        noise_level(np.zeros((9, 9, 1)), sigma)


def test_bad_images(model: RIM) -> None:
    with pytest.raises(ValueError, match="NaN"):
        noise_level(np.full((9, 9, 1), np.nan))
    with pytest.raises(ValueError, match="8x8, got 7x9"):
        noise_level(np.zeros((7, 9, 1)), 0.1)
    colour = RIM(RIMConfig(network=CompactConfig(channels=3, features=8, blocks=1), steps=2))
    with pytest.raises(ValueError, match="takes 3 channels, the image has 1"):
        run(colour.eval(), np.zeros((9, 9, 1)), 0.1)


def test_a_model_in_training_is_refused(model: RIM) -> None:
    with pytest.raises(ValueError, match=r"call model\.eval"):
        run(model.train(), uniform(12, 13, 1).numpy(), 0.1)


def test_a_model_elsewhere_is_refused(model: RIM) -> None:
    with pytest.raises(ValueError, match="on the CPU, but the model is on meta: move it"):
        Denoiser(model.to("meta"))


def test_nothing_to_remove_leaves_every_bit(model: RIM) -> None:
    image = uniform(12, 13, 3).numpy()
    assert np.array_equal(run(model, image, 0.0), image)
    flat = np.full((64, 64, 1), 200, dtype=np.uint8)
    assert noise_level(flat) == 0
    assert np.array_equal(run(model, flat, "auto"), flat)


@pytest.mark.parametrize("level", [0, 1, 64, 128, 200, 254, 255])
@pytest.mark.parametrize("sigma", [1, 15, 25, 50])
@pytest.mark.parametrize("name", DENOISERS)
def test_a_flat_image_stays_flat_whatever_is_believed_of_its_noise(
    name: str, level: int, sigma: int
) -> None:
    channels = rimkit.load(name).config.network.channels
    image = np.full((48, 56, 3) if channels == 3 else (48, 56), level, dtype=np.uint8)
    assert np.array_equal(restore(image, sigma=sigma / 255, model=name), image)


# Large images


def noisy_ramp(height: int, width: int, channels: int) -> np.ndarray:
    clean = np.add.outer(np.linspace(0, 0.5, height), np.linspace(0, 0.5, width))[..., None]
    return clean + np.random.default_rng(0).normal(0, 0.1, (height, width, channels))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [(300, 211, 3), (97, 700, 1), (700, 50, 1)])
def test_large_images_are_solved_in_tiles(
    model: RIM, dtype: type, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = noisy_ramp(*shape)
    if np.issubdtype(dtype, np.integer):
        image = image.clip(0, 1) * np.iinfo(dtype).max
    image = image.astype(dtype)
    solved: list[int] = []

    def spied(self: RIM, y: Tensor, *arguments: object, **options: object) -> object:
        solved.append(y.shape[-1] * y.shape[-2])
        return original(self, y, *arguments, **options)

    original = RIM.iterate
    whole = run(model, image, 0.1)
    monkeypatch.setattr(RIM, "iterate", spied)
    tiled = run(model, image, 0.1, memory=image.nbytes + 1.5e6)
    assert len(solved) > 3 * shape[2]
    assert max(solved) * bytes_per_pixel(model, channels=1) < 1.5e6
    white = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    difference = np.abs(tiled.astype(float) - whole).max() / white
    assert difference <= (1 / 255 if dtype == np.uint8 else 0.5 / 255)


def test_no_band_reads_what_an_earlier_one_has_written(
    model: RIM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts shorter than the overlap: a band looks back over several others."""
    image = noisy_ramp(400, 60, 1).astype(np.float32)
    whole = run(model, image, 0.1)
    monkeypatch.setattr(restorer, "reach", lambda *_, **__: 64)
    budget = image.nbytes + 2.2 * 60 * 180 * bytes_per_pixel(model, channels=1)
    plans: list[Sequence[Tile]] = []
    original = Denoiser._run_tiled
    monkeypatch.setattr(
        Denoiser,
        "_run_tiled",
        lambda self, part, tiles, progress: (
            plans.append(tiles),
            original(self, part, tiles, progress),
        ),
    )
    tiled = run(model, image, 0.1, memory=budget)
    ((first, *others),) = plans
    assert len(others) > 4
    assert first.kept[0].stop < 64
    np.testing.assert_allclose(tiled, whole, atol=1e-4)


@pytest.mark.parametrize("dtype", [">f4", "f8", "f4"])
def test_grey_levels_are_noticed_whether_sigma_is_said_or_not(dtype: str) -> None:
    image = np.random.default_rng(0).normal(128, 25, (64, 64, 1))
    assert noise_level((image / 255).astype(dtype)) == pytest.approx(25 / 255, rel=0.1)
    for sigma in ("auto", 25 / 255):
        with pytest.raises(ValueError, match="grey levels of 255"):
            noise_level(image.astype(dtype), sigma)
    image[:8] *= 10  # highlights are none
    noise_level((image / 255).astype(dtype), 0.1)


@pytest.mark.parametrize("memory", [0, -1.0, float("nan"), float("inf")])
def test_memory_is_a_number_of_bytes(model: RIM, memory: float) -> None:
    with pytest.raises(ValueError, match=f"memory is a positive number of bytes, got {memory:g}"):
        Denoiser(model, memory=memory)


def test_memory_as_the_command_line_takes_it_is_refused_in_words(model: RIM) -> None:
    with pytest.raises(ValueError, match="number of bytes, got 1GB"):
        Denoiser(model, memory="1GB")  # type: ignore[arg-type]


def test_too_little_memory_is_said(model: RIM) -> None:
    with pytest.raises(ValueError, match="an image of 400x300 needs more memory than the 0 MB"):
        run(model, np.zeros((300, 400, 1)), 0.1, memory=1e5)


def test_equal_images_go_together(model: RIM) -> None:
    images = [noisy_ramp(20, 24, 1) for _ in range(5)]
    alone = [run(model, image, 0.02 * (1 + i)) for i, image in enumerate(images)]
    small = Denoiser(model, memory=3.5 * (20 * 24) * (8 + 2 * bytes_per_pixel(model, channels=1)))
    assert 2 <= small.capacity(images[0]) <= 3
    small.denoise([Noisy(image, 0.02 * (1 + i)) for i, image in enumerate(images)])
    for image, expected in zip(images, alone, strict=True):
        np.testing.assert_allclose(image, expected, atol=1e-5)


def test_bfloat16_is_close(model: RIM) -> None:
    image = noisy_ramp(40, 48, 1).astype(np.float32)
    x = run(model, image, 0.1)
    half = run(model, image, 0.1, precision="bfloat16")
    assert not np.array_equal(half, x)
    assert np.abs(half - x).max() < 0.05


@pytest.mark.parametrize("fastest", ["float32", "bfloat16"])
def test_auto_is_the_fastest_precision(
    model: RIM, monkeypatch: pytest.MonkeyPatch, fastest: Precision
) -> None:
    monkeypatch.setattr("rimkit.restoring.restorer.fastest_precision", lambda: fastest)
    image = noisy_ramp(40, 48, 1).astype(np.float32)
    x = run(model, image, 0.1, precision="auto")
    np.testing.assert_array_equal(x, run(model, image, 0.1, precision=fastest))


@pytest.mark.parametrize("dtype", [">u2", "<u2", ">f4", ">f8"])
def test_bytes_in_any_order(dtype: str) -> None:
    image = np.random.default_rng(0).random((16, 16, 1))
    image = (image if "f" in dtype else image * 65535).astype(dtype)
    assert noise_level(image) == pytest.approx(
        noise_level(image.astype(image.dtype.newbyteorder("=")))
    )


@pytest.mark.parametrize("sigma", [float("nan"), -0.1, 25.0])
def test_an_image_is_checked_where_it_is_made(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma"):
        Noisy(np.zeros((16, 16, 1)), sigma)


def test_images_of_other_kinds_are_refused(model: RIM) -> None:
    with pytest.raises(ValueError, match="int32"):
        Denoiser(model).denoise([Noisy(np.zeros((16, 16, 1), dtype=np.int32), 0.1)])


def test_images_of_two_shapes_and_unknown_precisions(model: RIM) -> None:
    images = [Noisy(np.zeros((16, side, 1)), 0.1) for side in (16, 24)]
    with pytest.raises(ValueError, match="the same shape and depth"):
        Denoiser(model).denoise(images)
    with pytest.raises(ValueError, match="precision is one of auto, float32, bfloat16"):
        Denoiser(model, precision="bf16")  # type: ignore[arg-type]


def test_flat_pixels_keep_all_digits_of_float64(model: RIM) -> None:
    image = np.full((16, 16, 1), 0.1)
    Denoiser(model).denoise([Noisy(image, 0.1)])
    assert (image == 0.1).all()


@pytest.mark.parametrize("name", DENOISERS)
def test_little_noise_stays(name: str) -> None:
    model = rimkit.load(name)
    image = uniform(16, 16, model.config.network.channels, dtype=torch.float32).numpy()
    least = Denoiser(model).least_sigma
    assert least == pytest.approx(1.25 / 255)
    assert np.array_equal(run(model, image, 0.99 * least), image)
    assert not np.array_equal(run(model, image, least), image)


def test_models_for_less_noise_take_it_away(model: RIM) -> None:
    assert Denoiser(model).least_sigma == 0  # nothing is said
    model.training_record = {"task": {"name": "denoising", "sigma": [0.0, 2.2]}}
    assert Denoiser(model).least_sigma == pytest.approx(0.05 / 255)
    model.training_record = {"task": {"name": "random-projections", "sigma": 1.0}}
    assert Denoiser(model).least_sigma == 0
