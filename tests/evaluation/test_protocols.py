from pathlib import Path

import pytest
import torch
from tests.cases import uniform

from rimkit.evaluation.protocols import (
    CleanImage,
    ImageScore,
    load_test_images,
    mean_psnr,
    noisy,
    peak_memory,
    score_denoising,
)


def images() -> list[CleanImage]:
    return [CleanImage(str(n), uniform(1, 1, 20, 24, seed=n).float()) for n in range(3)]


def test_noise_is_fixed_by_image_and_level_and_not_clipped() -> None:
    image, other = images()[:2]
    assert torch.equal(noisy(image, 25), noisy(image, 25))
    residual = (noisy(image, 25) - image.x).flatten()
    assert residual.std().item() * 255 == pytest.approx(25, rel=0.1)
    assert not torch.allclose(residual, (noisy(other, 25) - other.x).flatten(), atol=1e-3)
    assert not torch.allclose(residual * 2, (noisy(image, 50) - image.x).flatten(), atol=1e-3)
    assert noisy(image, 50).max() > 1


def test_scores_are_those_of_the_estimate() -> None:
    scores = list(score_denoising(images(), [25, 50], lambda y, sigma: y))
    assert [(score.image, score.sigma) for score in scores[:3]] == [("0", 25), ("0", 50), ("1", 25)]
    # Clipping brings noise of sigma 25 a little above its 20.17 dB.
    assert scores[0].psnr == pytest.approx(20.7, abs=0.6)
    perfect = list(score_denoising(images()[:1], [25], lambda y, sigma: images()[0].x))
    assert perfect[0].psnr == float("inf")


def test_mean_is_over_images_and_over_the_first_ones() -> None:
    scores = [ImageScore(str(n), 25.0, value, 1, 1) for n, value in enumerate([30, 20, 10])]
    assert mean_psnr(scores, sigma=25, images=2) == 25
    assert mean_psnr(scores, sigma=25, images=3) == 20
    with pytest.raises(ValueError, match="3 were scored"):
        mean_psnr(scores, sigma=25, images=68)


def test_peak_memory_is_in_megabytes() -> None:
    assert 50 < peak_memory() < 50_000


@pytest.mark.data
def test_the_68_images_are_the_first_of_the_100() -> None:
    names = [image.name for image in load_test_images(100)]
    assert len(names) == 100
    assert names[:3] == ["101085", "101087", "102061"]
    assert [image.name for image in load_test_images(68)] == names[:68]
    first = next(load_test_images(1)).x
    assert first.shape == (1, 1, *first.shape[2:])
    assert sorted(first.shape[2:]) == [321, 481]


def test_data_are_read_where_the_variable_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RIMKIT_BSDS300", str(tmp_path))
    with pytest.raises(ValueError, match="RIMKIT_BSDS300"):
        list(load_test_images(1))
