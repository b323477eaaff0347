import numpy as np
import pytest
import torch
from tests.cases import uniform

from rimkit.metrics import psnr, ssim

metrics = pytest.importorskip("skimage.metrics", reason="needs scikit-image")


@pytest.mark.parametrize("channels", [1, 3])
def test_agree_with_scikit_image(channels: int) -> None:
    truth = uniform(2, channels, 40, 53)
    x = (truth + 0.1 * (uniform(2, channels, 40, 53, seed=1) - 0.5)).clamp(0, 1)
    for n in range(2):
        a, b = truth[n].numpy(), x[n].numpy()
        expected = metrics.peak_signal_noise_ratio(a, b, data_range=1)
        assert psnr(x, truth)[n].item() == pytest.approx(expected, abs=1e-9)
        expected = metrics.structural_similarity(
            a, b, data_range=1, channel_axis=0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )  # fmt: skip
        assert ssim(x, truth)[n].item() == pytest.approx(expected, abs=1e-9)


def test_one_value_an_image_never_pooled() -> None:
    truth = torch.zeros(2, 1, 16, 16)
    x = truth + torch.tensor([0.1, 0.001]).view(2, 1, 1, 1)
    assert psnr(x, truth).tolist() == pytest.approx([20, 60], abs=1e-4)
    pooled = -10 * np.log10((0.1**2 + 0.001**2) / 2)
    assert psnr(x, truth).mean().item() - pooled > 10


def test_estimates_are_clipped_first() -> None:
    truth = torch.ones(1, 1, 16, 16)
    assert psnr(truth + 5, truth).item() == float("inf")
    assert ssim(truth + 5, truth).item() == pytest.approx(1)


def test_a_truth_that_rounding_has_brought_beyond_white_is_one() -> None:
    truth = torch.full((1, 1, 16, 16), 1 + 5e-4)
    assert psnr(truth, truth).item() > 60


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_shapes_must_agree(metric) -> None:
    with pytest.raises(ValueError, match="the same shape"):
        metric(torch.zeros(1, 1, 16, 16), torch.zeros(1, 3, 16, 16))
    with pytest.raises(ValueError, match="the same shape"):
        metric(torch.zeros(16, 16), torch.zeros(16, 16))


def test_ssim_needs_room_for_its_window() -> None:
    with pytest.raises(ValueError, match="11x11"):
        ssim(torch.zeros(1, 1, 10, 40), torch.zeros(1, 1, 10, 40))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_other_units_are_refused(metric) -> None:
    whole = torch.randint(0, 256, (1, 1, 16, 16), dtype=torch.uint8)
    with pytest.raises(ValueError, match="divide bytes by 255"):
        metric(whole, whole)
    with pytest.raises(ValueError, match=r"truth must lie in \[0, 1\], got"):
        metric(whole.float(), whole.float())


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_arrays_are_no_tensors(metric) -> None:
    image = torch.zeros(1, 1, 16, 16)
    with pytest.raises(ValueError, match=r"torch.Tensors .* got ndarray and Tensor"):
        metric(image.numpy(), image)


def test_no_images_have_no_scores() -> None:
    none = torch.zeros(0, 1, 16, 16)
    assert psnr(none, none).shape == ssim(none, none).shape == (0,)
