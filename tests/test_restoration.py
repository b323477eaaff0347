from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cases import uniform

from rimkit.networks import CompactConfig
from rimkit.problem import Denoising
from rimkit.restoration import denoise, restore
from rimkit.rim import RIM, RIMConfig
from rimkit.weights import store


@pytest.fixture
def model() -> RIM:
    torch.manual_seed(0)
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=2)).eval()
    torch.nn.init.normal_(model.network.out.weight, std=0.1)
    return model


def test_a_grey_model_takes_colours_one_by_one(model: RIM) -> None:
    image = uniform(3, 12, 13).float()
    x, sigma = denoise(model, image, sigma=0.1)
    assert sigma == 0.1
    for channel in range(3):
        alone = model(image[channel][None, None], Denoising(0.1))[0, 0]
        torch.testing.assert_close(x[channel], alone, rtol=1e-5, atol=1e-5)


def test_auto_uses_an_estimate_and_says_which(model: RIM) -> None:
    image = 0.5 + 0.1 * torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(0))
    x, sigma = denoise(model, image, sigma="auto")
    assert sigma == pytest.approx(0.1, rel=0.05)
    assert torch.equal(x, denoise(model, image, sigma=sigma)[0])


def test_steps_are_counted(model: RIM) -> None:
    seen: list[float] = []
    denoise(model, uniform(1, 9, 9).float(), sigma=0.1, steps=4, on_step=seen.append)
    assert seen == [0.25, 0.5, 0.75, 1.0]
    denoise(model, uniform(3, 9, 9).float(), sigma=0.1, steps=1, on_step=seen.append)
    assert seen[4:] == pytest.approx([1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("sigma", [-1.0, float("nan"), float("inf"), "25"])
def test_bad_sigma(model: RIM, sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma"):
        denoise(model, uniform(1, 9, 9).float(), sigma=sigma)


def test_bad_images(model: RIM) -> None:
    with pytest.raises(ValueError, match="NaN"):
        denoise(model, torch.full((1, 9, 9), float("nan")))
    with pytest.raises(ValueError, match="8x8"):
        denoise(model, torch.zeros(1, 7, 7), sigma=0.1)
    with pytest.raises(ValueError, match=r"\(C, H, W\)"):
        denoise(model, torch.zeros(9, 9), sigma=0.1)


@pytest.fixture
def saved(model: RIM, tmp_path: Path) -> str:
    path = tmp_path / "model.safetensors"
    store.save(model, path)
    return str(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(12, 13), (12, 13, 3)])
def test_arrays_come_back_in_their_own_kind(
    model: RIM, saved: str, dtype: type, shape: tuple[int, ...]
) -> None:
    white = np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1
    unit = uniform(*shape).numpy()
    array = np.rint(unit * white).astype(dtype) if white > 1 else unit.astype(dtype)
    x = restore(array, sigma=0.1, model=saved)
    assert np.array_equal(x, restore(array, sigma=0.1, model=model))
    assert x.dtype == dtype
    assert x.shape == shape
    image = torch.from_numpy(np.atleast_3d(array).transpose(2, 0, 1).astype(np.float64) / white)
    expected = denoise(model, image.float(), sigma=0.1)[0].numpy().transpose(1, 2, 0)
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
