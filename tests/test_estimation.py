import contextlib
import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cases import normal, uniform

from rimkit import estimation
from rimkit.estimation import estimate_sigma, noise_apart
from rimkit.problem import Denoising


def noisy(clean: torch.Tensor, sigma: float) -> torch.Tensor:
    return Denoising(sigma / 255).simulate(clean, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma", [5, 15, 25, 50])
def test_finds_sigma_on_a_photograph(photograph: torch.Tensor, sigma: int) -> None:
    y = noisy(photograph, sigma)
    assert estimate_sigma(y).item() * 255 == pytest.approx(sigma, rel=0.05)


@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_finds_sigma_where_noise_was_clipped_and_rounded(
    photograph: torch.Tensor, sigma: int
) -> None:
    dark = 0.5 * photograph  # so that much of the noise is cut off
    y = (noisy(dark, sigma).clamp(0, 1) * 255).round()
    assert (y == 0).float().mean() > (0.001 if sigma == 15 else 0.01)
    assert estimate_sigma(y.to(torch.uint8)).item() == pytest.approx(sigma, rel=0.06)
    assert estimate_sigma(y).item() == pytest.approx(sigma, rel=0.06)


def test_finds_sigma_where_white_was_clipped(photograph: torch.Tensor) -> None:
    y = noisy(0.5 + 0.5 * photograph, 50).clamp(0, 1)
    assert (y == 1).float().mean() > 0.01
    assert estimate_sigma(y).item() * 255 == pytest.approx(50, rel=0.06)


def test_finds_sigma_where_most_patches_were_clipped(photograph: torch.Tensor) -> None:
    y = noisy(photograph, 0.5 * 255).clamp(0, 1)
    assert estimate_sigma(y).item() == pytest.approx(0.5, rel=0.2)


def test_a_few_pixels_of_the_brightest_level_are_not_clipped() -> None:
    image = uniform(1, 100, 400)
    image[0, 0, :3] = 2.0
    assert estimation._clipped_at(image) == (-math.inf, math.inf)


@pytest.mark.parametrize(("below", "above"), [(0.5, 40.0), (40.0, 0.5), (1.0, 2.0)])
def test_the_variance_that_clipping_leaves_is_that_of_clipped_draws(
    below: float, above: float
) -> None:
    draws = normal(200_000).clamp(-below, above)
    sides = (torch.tensor(side, dtype=torch.float64) for side in (below, above))
    found = estimation._variance_left(*sides).item()
    assert found == pytest.approx(draws.var().item(), rel=0.02)


def test_all_of_a_large_image_is_looked_at() -> None:
    y = 0.5 + 0.1 * normal(1, 1, 400, 400, dtype=torch.float32)
    y[..., :140, :] = 0.5  # with more patches than are looked at
    assert estimate_sigma(y).item() == pytest.approx(0.1, rel=0.05)


def test_all_channels_are_looked_at() -> None:
    y = 0.5 + 0.1 * normal(1, 3, 64, 64, dtype=torch.float32)
    y[:, 0] = 0.5
    assert estimate_sigma(y).item() == pytest.approx(0.1, rel=0.05)


def test_finds_little_where_there_is_no_noise(photograph: torch.Tensor) -> None:
    assert estimate_sigma(photograph).item() * 255 < 1.5


def test_flat_parts_do_not_count(photograph: torch.Tensor) -> None:
    y = noisy(photograph, 25)
    whole = estimate_sigma(y)
    y[..., : y.shape[-2] // 2, :] = 1.0
    torch.testing.assert_close(estimate_sigma(y), whole, rtol=0.05, atol=0)


def test_nothing_is_found_on_a_flat_image() -> None:
    assert estimate_sigma(torch.full((2, 3, 20, 20), 0.5)).tolist() == [0.0, 0.0]


def test_what_is_drawn_has_no_noise() -> None:
    strokes = uniform(1, 1, 40, 60) > 0.8
    drawn = 255 * strokes.repeat_interleave(4, 2).repeat_interleave(2, 3).to(torch.uint8)
    assert estimate_sigma(drawn).item() == 0.0


@pytest.mark.parametrize("beyond", [0.5, 1.0, 1.5, 2.0])
@pytest.mark.parametrize("share", [0.55, 0.85])
@pytest.mark.parametrize("night", [False, True])
def test_finds_sigma_where_most_of_an_image_is_over_or_underexposed(
    photograph: torch.Tensor, beyond: float, share: float, night: bool
) -> None:
    sigma = 15
    x = 0.1 + 0.7 * photograph
    x[..., : round(share * x.shape[-2]), :] = 1 + beyond * sigma / 255
    y = noisy(1 - x if night else x, sigma).clamp(0, 1)
    assert estimate_sigma((255 * y).round().to(torch.uint8)).item() == pytest.approx(15, rel=0.06)
    deep = (65535 * y).round().to(torch.uint16)
    assert estimate_sigma(deep).item() / 257 == pytest.approx(15, rel=0.06)


@pytest.mark.parametrize("sigma", [0, 15])
def test_a_drawn_page_has_no_noise_though_a_photograph_in_it_has(
    photograph: torch.Tensor, sigma: float
) -> None:
    strokes = uniform(1, 1, 100, 100) > 0.8
    page = 1 - strokes.repeat_interleave(4, 2).repeat_interleave(2, 3).float()
    picture = photograph[..., :100, :120]
    page[..., :100, :120] = noisy(picture, sigma).clamp(0, 1) if sigma else picture
    assert estimate_sigma((255 * page).round().to(torch.uint8)).item() == 0.0


def test_one_value_an_image() -> None:
    y = uniform(1, 1, 30, 30).float() * torch.tensor([0.1, 1.0, 2.0]).view(3, 1, 1, 1)
    found = estimate_sigma(y)
    torch.testing.assert_close(found, found[1] * torch.tensor([0.1, 1.0, 2.0]))


def test_bad_images() -> None:
    with pytest.raises(ValueError, match="8x8"):
        estimate_sigma(torch.zeros(1, 1, 7, 20))
    with pytest.raises(ValueError, match="NaN"):
        estimate_sigma(torch.full((1, 1, 9, 9), float("nan")))


def test_an_estimate_has_a_finite_gradient(photograph: torch.Tensor) -> None:
    noise = torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0))
    y = (photograph + 0.1 * noise).requires_grad_()
    (gradient,) = torch.autograd.grad(estimate_sigma(y).sum(), y)
    assert gradient.isfinite().all()
    assert gradient.any()


def test_the_device_of_the_first_call_is_not_kept() -> None:
    estimation._cosines.cache_clear()
    y = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.device("meta"), contextlib.suppress(Exception):
        estimate_sigma(y)
    assert estimate_sigma(y) > 0


def test_noise_is_apart_where_every_channel_has_its_own(photograph: torch.Tensor) -> None:
    clean = photograph.expand(2, 3, -1, -1)
    shared = noisy(photograph.flip(3), 25).flip(3).expand(1, 3, -1, -1)  # draws of its own
    half = (noisy(clean[:1], 25) + shared) / 2  # covariance half of the variance
    found = noise_apart(torch.cat([noisy(clean, 25), shared, half]))
    assert found.tolist() == pytest.approx([1, 1, 0, 0.5], abs=0.05)


def test_noise_of_half_the_resolution_in_colours_is_shared(photograph: torch.Tensor) -> None:
    y = (255 * noisy(photograph.expand(1, 3, -1, -1), 25)).clamp(0, 255).byte()
    found = []
    for subsampling in ("4:4:4", "4:2:0"):
        file = io.BytesIO()
        values = y[0].permute(1, 2, 0).numpy()
        Image.fromarray(values).save(file, "JPEG", quality=95, subsampling=subsampling)
        stored = torch.tensor(np.asarray(Image.open(file))).permute(2, 0, 1)[None]
        found.append(noise_apart(stored).item())
    assert found[0] > 0.9
    assert found[1] < 0.15


def test_noise_is_apart_where_none_is_seen_or_compared() -> None:
    assert noise_apart(torch.full((1, 3, 16, 16), 0.5)).item() == 1
    with pytest.raises(ValueError, match="at least 2 channels"):
        noise_apart(torch.zeros(1, 1, 16, 16))
    with pytest.raises(ValueError, match="8x8"):
        noise_apart(torch.zeros(1, 3, 7, 20))


@pytest.mark.parametrize("y", [np.zeros((1, 1, 9, 9)), torch.zeros(1, 1, 9, 9, dtype=torch.cfloat)])
def test_what_is_no_real_tensor_is_refused(y: Any) -> None:
    for function in (estimate_sigma, noise_apart):
        with pytest.raises(ValueError, match=r"y must be (a torch\.Tensor, got ndarray|real, got)"):
            function(y)
