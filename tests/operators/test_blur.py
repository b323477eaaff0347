import numpy as np
import pytest
import torch
from scipy import ndimage
from tests.cases import normal

from rimkit.operators import Blur, DenseProjection, Downsampling, gaussian_kernel


@pytest.mark.parametrize(("padding", "mode"), [("circular", "wrap"), ("replicate", "nearest")])
def test_is_the_convolution_of_scipy(padding: str, mode: str) -> None:
    x, kernel = normal(2, 3, 9, 12), normal(2, 3, 5, seed=1)
    z = Blur(kernel, padding=padding).A(x)  # type: ignore[arg-type]
    expected = [
        [ndimage.convolve(plane.numpy(), kernel[n].numpy(), mode=mode) for plane in x[n]]
        for n in range(2)
    ]
    torch.testing.assert_close(z, torch.from_numpy(np.array(expected)))


@pytest.mark.parametrize("shape", [(3, 3), (1, 2, 3), (1, 3, 4), (1, 1, 3, 3)])
def test_refuses_kernels_without_a_middle(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="odd"):
        Blur(torch.ones(shape))


def test_refuses_what_is_no_kernel_and_no_image() -> None:
    for kernel in (torch.zeros(1, 3, 3), torch.full((1, 3, 3), float("nan"))):
        with pytest.raises(ValueError, match="finite and not zero everywhere"):
            Blur(kernel)
    with pytest.raises(ValueError, match="radius of a kernel"):
        gaussian_kernel(1.0, radius=1.5)  # type: ignore[arg-type]
    blur = Blur(torch.ones(3, 3, 3))
    for use in (blur.A, blur.A_adjoint):
        with pytest.raises(ValueError, match=r"for 3 samples .* shape \(2, 1, 8, 8\)"):
            use(torch.ones(2, 1, 8, 8))
        with pytest.raises(ValueError, match=r"\(N, C, H, W\), got \(1, 8, 8\)"):
            use(torch.ones(1, 8, 8))


def test_refuses_unknown_padding() -> None:
    with pytest.raises(ValueError, match="reflect"):
        Blur(torch.ones(1, 3, 3), padding="reflect")  # type: ignore[arg-type]


def test_gaussian_kernel_sums_to_one_and_has_its_width() -> None:
    kernel = gaussian_kernel(1.5)[0].double()
    offsets = torch.arange(len(kernel)) - len(kernel) // 2
    assert kernel.sum().item() == pytest.approx(1)
    assert (kernel.sum(0) * offsets**2).sum().item() == pytest.approx(1.5**2, rel=0.05)


def test_numbers_of_numpy_are_numbers() -> None:
    assert gaussian_kernel(1.0, radius=np.int64(3)).shape == (1, 7, 7)
    assert Downsampling(2, size=(np.int64(8), np.int64(8))).size == (8, 8)
    drawn = torch.Generator().manual_seed(0)
    assert DenseProjection.gaussian(np.float32(0.5), (4, 4), generator=drawn).matrix.shape[-2] == 8


@pytest.mark.parametrize("std", [0.0, -1.0, float("nan"), float("inf")])
def test_gaussian_kernel_refuses_impossible_widths(std: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        gaussian_kernel(std)
    with pytest.raises(ValueError, match="must be a number, got '2'"):
        gaussian_kernel("2")  # type: ignore[arg-type]
