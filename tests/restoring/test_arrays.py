"""numpy in, numpy out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cases import machine, uniform

from rimkit.classical import TotalVariation
from rimkit.problem import Denoising
from rimkit.restoring.arrays import restore
from rimkit.rim import RIM
from rimkit.weights import store


@pytest.fixture
def saved(model: RIM, tmp_path: Path) -> str:
    path = tmp_path / "model.safetensors"
    store.save(model, path)
    return str(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2", np.float32, np.float64])
@pytest.mark.parametrize("shape", [(12, 13), (12, 13, 3)])
def test_arrays_come_back_in_their_own_kind(
    model: RIM, saved: str, dtype: str | type, shape: tuple[int, ...]
) -> None:
    white = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    unit = uniform(*shape).numpy()
    array = np.rint(unit * white).astype(dtype) if white > 1 else unit.astype(dtype)
    x = restore(array, sigma=0.1, model=saved)
    assert np.array_equal(x, restore(array, sigma=0.1, model=model))
    assert x.dtype == dtype
    assert x.shape == shape
    image = torch.from_numpy(np.atleast_3d(array).transpose(2, 0, 1).astype(np.float64) / white)
    solved = [model.solve(plane[None, None], Denoising(0.1)).x[0, 0] for plane in image.float()]
    expected = torch.stack(solved, 2).numpy()
    expected = expected.clip(0, 1) if white > 1 else expected
    tolerance = 0.51 / 255 if dtype == np.uint8 else 2e-5
    assert np.abs(np.atleast_3d(x) / white - expected).max() < tolerance


def test_bad_arrays(saved: str) -> None:
    for array, message in [
        (np.zeros((9, 9), dtype=np.int32), "int32"),
        (np.zeros((9, 9), dtype=bool), "bool"),
        (np.zeros((9, 9, 4)), "got shape"),
        (np.zeros(9), "got shape"),
        (np.full((9, 9), np.nan), "NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            restore(array, sigma=0.1, model=saved)


def test_a_sigma_in_grey_levels_is_noticed(saved: str) -> None:
    with pytest.raises(ValueError, match="grey levels of 255"):
        restore(np.zeros((9, 9)), sigma=25, model=saved)


@pytest.mark.parametrize("shape", [(40, 30), (40, 30, 3)])
def test_progress_is_a_share_that_rises_to_one(model: RIM, shape: tuple[int, ...]) -> None:
    array = uniform(*shape).numpy()
    shares: list[float] = []
    x = restore(array, sigma=0.1, model=model, on_progress=shares.append)
    assert np.array_equal(x, restore(array, sigma=0.1, model=model))
    assert len(shares) == model.steps
    assert shares == sorted(shares)
    assert shares[0] > 0
    assert shares[-1] == 1
    shares.clear()
    restore(array, sigma=0, model=model, on_progress=shares.append)
    assert not shares


def test_what_on_progress_raises_ends_the_work(model: RIM) -> None:
    def stop(share: float) -> None:
        raise KeyError(f"{share:g}")

    with pytest.raises(KeyError, match=r"0\.5"):
        restore(uniform(12, 12).numpy(), sigma=0.1, model=model, on_progress=stop)


TASK = {"task": {"name": "super-resolution", "sigma": 0.4}}


@pytest.mark.parametrize("shape", [(12, 13), (12, 13, 3)])
def test_arrays_are_made_larger(model: RIM, tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = str(tmp_path / "larger.safetensors")
    store.save(model, Path(path), training=TASK)
    array = np.rint(uniform(*shape).numpy() * 255).astype(np.uint8)
    x = restore(array, scale=2.5, model=path)
    assert x.dtype == np.uint8
    assert x.shape == (30, 32, *shape[2:])
    assert np.array_equal(x, restore(array, scale=2.5, model=path, sigma=0.4 / 255))


def test_a_model_for_something_else_is_refused(model: RIM) -> None:
    array = np.zeros((12, 13))
    model.training_record = TASK
    with pytest.raises(ValueError, match="trained for super-resolution, not for denoising"):
        restore(array, sigma=0.1, model=model)
    model.training_record = {"task": {"sigma": [0.0, 55.0]}}  # before tasks had names
    with pytest.raises(ValueError, match="trained for denoising, not for super-resolution"):
        restore(array, scale=2, model=model)
    with pytest.raises(ValueError, match="from 1 to 4, got nan"):
        restore(array, scale=float("nan"), model=model)


def test_what_is_no_model_or_number_is_said() -> None:
    array = np.zeros((12, 13))
    with pytest.raises(ValueError, match="a RIM; got TotalVariation"):
        restore(array, sigma=0.1, model=TotalVariation(weight=1.0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scale must be a number, got '2'"):
        restore(array, scale="2")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"sigma must be a non-negative finite number.*; got '25'"):
        restore(array, sigma="25")  # type: ignore[arg-type]


def test_whole_numbers_are_levels_of_noise(model: RIM) -> None:
    image = np.full((12, 9), 0.5, np.float32)
    assert restore(image, sigma=1, model=model).shape == (12, 9)


def test_grey_levels_are_noticed_with_a_scale_too() -> None:
    with pytest.raises(ValueError, match="are these grey levels of 255"):
        restore(np.zeros((12, 9), np.uint8), scale=2, sigma=25.0)


@pytest.mark.parametrize("image", ["photo.png", torch.zeros(8, 8), Image.new("L", (9, 8))])
def test_what_is_no_array_is_said(image: object) -> None:
    with pytest.raises(ValueError, match=r"a numpy array, got .*numpy.asarray"):
        restore(image)  # type: ignore[arg-type]


def test_missing_pixels_are_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "fills.safetensors"
    store.save(machine(3), path, training={"task": {"name": "inpainting", "sigma": [0.3, 25.0]}})
    missing = uniform(12, 13).numpy() < 0.3
    for shape in [(12, 13), (12, 13, 3)]:
        image = (uniform(*shape).numpy() * 255).astype(np.uint8)
        before = image.copy()
        x = restore(image, missing=missing, model=str(path))
        assert np.array_equal(image, before)
        assert x.shape == image.shape
        assert np.array_equal(x[~missing], image[~missing])
        assert not np.array_equal(x[missing], image[missing])
        assert not np.array_equal(restore(image, missing=missing, sigma=0.1, model=str(path)), x)
    with pytest.raises(ValueError, match="cannot be combined"):
        restore(image, missing=missing, scale=2)
    with pytest.raises(ValueError, match="booleans"):
        restore(image, missing=missing.astype(int), model=str(path))
    with pytest.raises(ValueError, match="not for inpainting"):
        restore(image, missing=missing, model="denoise-color")


def test_channels_that_share_their_noise_are_for_the_grey_model(
    monkeypatch: pytest.MonkeyPatch, model: RIM
) -> None:
    taken = []

    def load(name: str) -> RIM:
        taken.append(name)
        return model if name == "denoise-gray" else machine(channels=3)

    monkeypatch.setattr("rimkit.weights.load", load)
    random = np.random.default_rng(0)
    apart = random.normal(128, 25, (32, 32, 3)).clip(0, 255).astype(np.uint8)
    shared = np.repeat(apart[..., :1], 3, axis=2)
    faint = np.repeat(random.normal(128, 2, (32, 32, 1)).astype(np.uint8), 3, axis=2)
    found = [restore(array) for array in (apart, shared, faint, apart[..., 0])]
    assert taken == ["denoise-color", "denoise-gray", "denoise-color", "denoise-gray"]
    assert np.array_equal(found[1], np.repeat(found[3][..., None], 3, axis=2))
    taken.clear()
    restore(shared, model="denoise-color")
    assert taken == ["denoise-color"]
