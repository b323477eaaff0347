"""Against MATLAB's own files where they are, and against what must hold anywhere."""

import contextlib
import hashlib
import itertools
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cases import generator, uniform
from torch._subclasses.fake_tensor import FakeTensorMode

from rimkit.data import bsds300
from rimkit.operators import Downsampling, DownsamplingPart, adjoint_error, matlab_imresize, taps
from rimkit.problem import SuperResolution

SCALES = (2, 3, 4)


@pytest.fixture
def small_images() -> Path:
    """The 300 test inputs of Huang et al. (2015), made by MATLAB."""
    folder = Path(os.environ.get("RIMKIT_BSD100_SR", "absent"))
    if not folder.is_dir() or "RIMKIT_BSDS300" not in os.environ:
        pytest.skip("the test inputs are absent: set RIMKIT_BSD100_SR and RIMKIT_BSDS300")
    return folder


def cropped(path: Path, scale: int) -> np.ndarray:
    image = np.asarray(Image.open(path))
    height, width = (side // scale * scale for side in image.shape[:2])
    return image[:height, :width]


@pytest.mark.data
@pytest.mark.parametrize("scale", SCALES)
def test_matlab_to_the_bit(small_images: Path, scale: int) -> None:
    paths = bsds300.image_paths("test")
    assert len(paths) == 100
    for path in paths:
        expected = np.asarray(Image.open(small_images / f"x{scale}" / f"{path.stem}.png"))
        assert np.array_equal(matlab_imresize(cropped(path, scale), 1 / scale), expected), path


@pytest.mark.parametrize(
    ("factor", "digest"),
    [
        (1 / 2, "b53e20c38908cbcf"),
        (1 / 3, "b33f50f2d5b73df3"),
        (1 / 4, "e27d5e5da5e53633"),
        (2, "45a929a139652e3d"),
    ],
)
def test_it_is_what_agreed_with_matlab(factor: float, digest: str) -> None:
    """Without the test images: of noise, in which every border, order and rounding shows."""
    image = np.random.default_rng(0).integers(0, 256, (24, 36, 3), dtype=np.uint8)
    resized = matlab_imresize(image, factor)
    assert hashlib.sha256(resized.tobytes()).hexdigest()[:16] == digest


def test_the_border_is_replicated() -> None:
    ramp = torch.arange(64, dtype=torch.float64).view(1, 1, 8, 8)
    y = Downsampling(2.0).A(ramp)[0, 0]
    # Inside, means between four pixels; at the border the kernel reaches beyond: 4.5 + 9 * 2 / 256.
    assert y[1, 1].item() == pytest.approx(22.5 - 27 / 256)
    assert y[0, 0].item() == pytest.approx(4.5703125)
    assert y[-1, -1].item() == pytest.approx(63 - 4.5703125)


@pytest.mark.data
@pytest.mark.parametrize("scale", SCALES)
def test_the_linear_operator_is_near_it(scale: int) -> None:
    path = bsds300.image_paths("train")[7]
    image = cropped(path, scale)
    x = torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None]
    y = Downsampling(scale).A(x)[0].permute(1, 2, 0).numpy()
    difference = y - matlab_imresize(image, 1 / scale)
    assert 0.2 < difference.std() < 0.6
    assert abs(difference.mean()) < 0.1


@pytest.mark.parametrize("scale", [1, 1.5, 2, 2.5, 3, 3.7, 4])
@pytest.mark.parametrize("side", [8, 9, 23, 64])
def test_a_flat_image_stays_flat_both_ways(scale: float, side: int) -> None:
    operator = Downsampling(scale)
    flat = torch.full((1, 1, side, side), 0.7, dtype=torch.float64)
    larger = operator.initial(flat)
    assert larger.shape[-2:] == (int(side * scale), int(side * scale))
    torch.testing.assert_close(larger, torch.full_like(larger, 0.7))
    torch.testing.assert_close(operator.A(larger), flat)  # and the sizes agree


def test_a_size_that_is_whole_but_for_rounding_is_whole() -> None:
    operator = Downsampling(2.3)
    assert operator.A(torch.zeros(1, 1, 69, 69)).shape[-2:] == (30, 30)
    assert operator.initial(torch.zeros(1, 1, 50, 50)).shape[-2:] == (115, 115)


@pytest.mark.parametrize("scale", [2, 3, 2.5])
def test_a_slope_is_where_it_was(scale: float) -> None:
    """Pixels are areas: a pixel of y lies over the middle of those of x that it covers."""
    size = 60
    slope = torch.arange(size, dtype=torch.float64).expand(1, 1, 8, size)
    y = Downsampling(scale).A(slope)[0, 0, 0]
    expected = (torch.arange(len(y)) + 0.5) * scale - 0.5
    inside = slice(4, len(y) - 4)  # away from the border
    # A kernel widened by a fraction is sampled off its middle.
    torch.testing.assert_close(y[inside], expected[inside].double(), rtol=0, atol=0.02)
    back = Downsampling(scale, size=(8, size)).initial(Downsampling(scale).A(slope))[0, 0, 0]
    torch.testing.assert_close(back[20:40], slope[0, 0, 0, 20:40], rtol=0, atol=0.02)


@pytest.mark.parametrize("scale", [1, 1.3, 2, 2.5, 3, 3.7, 4])
def test_a_part_is_what_the_whole_does_there(scale: float) -> None:
    """At any window, on the grid of the scale or not; beyond the reach of the kernel."""
    size = (96, 117)
    whole = Downsampling(scale, size)
    x = uniform(1, 2, *size)
    y = whole.A(x)
    window = slice(8, 96), slice(24, 96)  # one side is the image's own
    part, measured = whole.crop(y, window)
    reach = 2 * math.ceil(2 * scale)  # the kernel's, there and back
    inner = slice(reach, None), slice(reach, -reach)
    beyond = slice(5, None), slice(5, -5)  # as much, in pixels of y
    torch.testing.assert_close(part.A(x[..., *window])[..., *beyond], measured[..., *beyond])
    for there, here in (
        (whole.A_adjoint(y), part.A_adjoint(measured)),
        (whole.initial(y), part.initial(measured)),
    ):
        torch.testing.assert_close(here[..., *inner], there[..., *window][..., *inner])


def test_windows_may_be_open() -> None:
    whole = Downsampling(2.0, (16, 20))
    y = whole.A(uniform(1, 1, 16, 20))
    part, measured = whole.crop(y, (slice(None), slice(0, 8)))
    assert (part.window, measured.shape) == (((0, 16), (0, 8)), (1, 1, 8, 4))


def test_a_score_needs_the_size_of_an_image_that_its_y_does_not_tell() -> None:
    x = uniform(1, 1, 17, 16)
    for size in (None, (17, 16)):
        problem = SuperResolution(2.0, size=size)
        y = problem.simulate(x, generator=generator())
        if size is None:
            with pytest.raises(
                ValueError, match=r"adjoint returns \(1, 1, 18, 16\): .* their size"
            ):
                problem.score(x, y)
        else:
            assert problem.score(x, y).shape == x.shape


def test_the_parts_of_a_cut_share_y_out() -> None:
    for scale in (1.5, 2, 2.5, 3.7):
        size = (200, 96)
        rows = [
            DownsamplingPart(scale, size, ((first, first + 40), (0, 96))).measured[0]
            for first in range(0, 200, 40)
        ]
        assert rows[0].start == 0
        assert rows[-1].stop == math.ceil(200 / scale)
        assert all(a.stop == b.start for a, b in itertools.pairwise(rows))


def test_scale_one_changes_nothing() -> None:
    x = uniform(2, 3, 9, 11)
    operator = Downsampling(1)
    for y in (operator.A(x), operator.A_adjoint(x), operator.initial(x)):
        torch.testing.assert_close(y, x)


def test_colours_and_grey_alike() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)
    whole = matlab_imresize(image, 1 / 3)
    assert whole.shape == (10, 14, 3)
    for channel in range(3):
        assert np.array_equal(matlab_imresize(image[..., channel], 1 / 3), whole[..., channel])
    assert matlab_imresize(image, 2).shape == (60, 82, 3)


def test_what_makes_no_sense_is_refused() -> None:
    for scale in (0.5, 0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="scale must be at least 1"):
            Downsampling(scale)
    for number in ("2", torch.tensor(2.0)):
        with pytest.raises(ValueError, match="scale must be a number, got"):
            Downsampling(number)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"x must have shape \(N, C, H, W\), got \(5,\)"):
        Downsampling(2).A(torch.zeros(5))
    for size in ((0, 4), (8,), (3, 8, 8), (8.0, 8.0), 8):
        with pytest.raises(ValueError, match=r"must be two positive integers \(H, W\), got"):
            Downsampling(2, size=size)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"x must have size \(8, 8\), got shape \(1, 1, 9, 8\)"):
        Downsampling(2, size=(8, 8)).A(torch.zeros(1, 1, 9, 8))
    with pytest.raises(ValueError, match=r"8x9 needs a y of 4x5, got shape \(1, 1, 4, 4\)"):
        Downsampling(2, size=(8, 9)).A_adjoint(torch.zeros(1, 1, 4, 4))
    part = DownsamplingPart(2, (16, 16), ((0, 8), (4, 16)))
    assert part.A(torch.zeros(1, 1, 8, 12)).shape == (1, 1, 4, 6)
    with pytest.raises(
        ValueError, match=r"x of this window must be 8x12, got shape \(1, 1, 12, 12\)"
    ):
        part.A(torch.zeros(1, 1, 12, 12))
    for function in (part.A_adjoint, part.initial):
        with pytest.raises(
            ValueError, match=r"y of this window must be 4x6, got shape \(1, 1, 7, 6\)"
        ):
            function(torch.zeros(1, 1, 7, 6))
    for window in (((0, 80), (0, 8)), ((3, 3), (0, 8)), ((-1, 4), (0, 8))):
        with pytest.raises(
            ValueError, match=r"window must be a non-empty part of an image of \(16, 16\)"
        ):
            DownsamplingPart(2, (16, 16), window)
    with pytest.raises(ValueError, match="scale must be at least 1"):
        DownsamplingPart(0.5, (16, 16), ((0, 8), (0, 8)))
    with pytest.raises(ValueError, match="8-bit image"):
        matlab_imresize(np.zeros((8, 8)), 0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="positive and finite"):
        matlab_imresize(np.zeros((8, 8), np.uint8), 0)


def test_what_is_kept_of_an_inference_may_be_differentiated() -> None:
    operator = Downsampling(3)
    with torch.inference_mode():
        operator.A_adjoint(operator.A(uniform(1, 1, 33, 27)))
        operator.initial(uniform(1, 1, 11, 9))
    x = uniform(1, 1, 33, 27).requires_grad_()
    y = operator.A(x)
    (operator.A_adjoint(y).square().sum() + operator.initial(y).square().sum()).backward()
    assert x.grad is not None


def test_an_export_that_fails_breaks_nothing_after_it() -> None:
    class Smaller(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return Downsampling(2.3).A(x)

    x = torch.rand(1, 1, 21, 17, generator=torch.Generator().manual_seed(0))
    with contextlib.suppress(Exception):
        torch.export.export(Smaller(), (x,))
    taps.smaller.cache_clear()
    with FakeTensorMode() as mode:
        Downsampling(2.3).A_adjoint(Downsampling(2.3).A(mode.from_tensor(torch.ones(1, 1, 21, 17))))
    assert Downsampling(2.3).A(x).isfinite().all()
    assert adjoint_error(Downsampling(2.3, (21, 17)), x.double()) < 1e-14
