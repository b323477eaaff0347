"""The protocol of super-resolution, against what was published and against what must hold."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rimkit.evaluation import published
from rimkit.evaluation.super_resolution import (
    bicubic,
    difference_sigma,
    load_pairs,
    luma,
    make_pair,
    score_luma,
)
from rimkit.pixels import from_unit

SIZES = {2: (320, 480), 2.5: (320, 480), 3: (321, 480), 3.7: (318, 481), 4: (320, 480)}


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_luma_is_that_of_matlab() -> None:
    colours = [[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]]
    assert luma(np.uint8([colours])).tolist() == [[16, 235, 81, 145, 41, 126]]


@pytest.mark.parametrize(("scale", "size"), SIZES.items())
def test_small_images_tell_the_size_of_the_truth(scale: float, size: tuple[int, int]) -> None:
    pair = make_pair("a", noise(321, 481, 3), scale)
    assert pair.truth.shape == (*size, 3)
    assert pair.problem(0.1).initial(pair.y).shape == (1, 3, *size)
    height, width = pair.small.shape[:2]
    assert size == (int(height * scale + 1e-9), int(width * scale + 1e-9))
    assert bicubic(pair).shape == pair.truth.shape


def test_scores_leave_the_border_out() -> None:
    pair = make_pair("a", noise(48, 51, 3), 3)
    assert score_luma(pair.truth, pair) == (float("inf"), pytest.approx(1))
    framed = pair.truth.copy()
    framed[:3] = framed[:, :3] = framed[-3:] = framed[:, -3:] = 0
    assert score_luma(framed, pair)[0] == float("inf")
    framed[3, 3] ^= 255
    assert score_luma(framed, pair)[0] < 60
    with pytest.raises(ValueError, match="the truth is"):
        score_luma(pair.small, pair)


def test_estimates_are_rounded_and_clipped() -> None:
    x = torch.tensor([-0.1, 0.4 / 255, 0.6 / 255, 2.0]).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    assert from_unit(x[0])[0, :, 2].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("scale", [2, 3, 3.7])
def test_files_are_a_part_of_a_level_from_the_linear_operator(
    photograph: Tensor, scale: float
) -> None:
    image = (photograph[0] * 255).byte().permute(1, 2, 0).numpy().repeat(3, 2)
    assert 0.25 < difference_sigma(make_pair("a", image, scale)) < 0.6


@pytest.mark.data
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bicubic_row_is_the_published_one(scale: int) -> None:
    theirs = published.super_resolution_images()
    for pair in load_pairs(scale, 2):
        psnr, ssim = score_luma(bicubic(pair), pair)
        expected = theirs["Bicubic", scale, pair.image]
        assert psnr == pytest.approx(expected[0], abs=1e-4)
        assert ssim == pytest.approx(expected[1], abs=2e-5)


def test_published_images_have_the_published_means() -> None:
    by_image = published.super_resolution_images()
    assert len(by_image) == 1200
    found = 0
    for row in published.super_resolution():
        scores = [
            s for (m, scale, _), s in by_image.items() if (m, scale) == (row.method, row.scale)
        ]
        if scores:
            found += 1
            assert len(scores) == 100
            psnr, ssim = np.mean(scores, 0)
            assert psnr == pytest.approx(row.psnr.value, abs=0.006)
            assert ssim == pytest.approx(row.ssim.value, abs=0.0001)
    assert found == 12
    ours = [row.psnr.value for row in published.super_resolution() if row.method == "RIM"]
    assert ours == [31.39, 28.51, 27.01]
