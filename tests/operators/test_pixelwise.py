import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tests.cases import generator, uniform

from rimkit.operators import (
    Blur,
    DenseProjection,
    FourierMask,
    FourierProjection,
    Identity,
    Mask,
)


def test_identity_starts_at_the_measurement() -> None:
    y = torch.rand(2, 1, 8, 8)
    assert Identity().initial(y) is y


def test_mask_hides_what_is_missing() -> None:
    mask = torch.tensor([[1.0, 0.0], [0.0, 1.0]])[None, None]
    assert Mask(mask).A(torch.full((1, 3, 2, 2), 5.0))[0, 2].tolist() == [[5, 0], [0, 5]]


@pytest.mark.parametrize(
    ("mask", "value"),
    [
        ((2, 1, 4, 6), (1, 1, 4, 6)),
        ((1, 3, 4, 6), (1, 1, 4, 6)),
        ((1, 1, 4, 6), (1, 1, 1, 6)),
        ((1, 1, 4, 6), (1, 1, 6, 4)),
        ((1, 1, 4, 6), (4, 6)),
        ((1, 1, 4, 6), (1, 1, 1, 4, 6)),
    ],
)
@pytest.mark.parametrize("operator", [Mask, FourierMask])
def test_masks_make_no_image_larger(
    operator: type[Mask | FourierMask], mask: tuple[int, ...], value: tuple[int, ...]
) -> None:
    for use in (operator(torch.ones(mask)).A, operator(torch.ones(mask)).A_adjoint):
        with pytest.raises(ValueError, match=re.escape(str(value))):
            use(torch.ones(value, dtype=torch.complex64))


def test_mask_refuses_other_shapes_and_values() -> None:
    with pytest.raises(ValueError, match="shape"):
        Mask(torch.ones(4, 4))
    with pytest.raises(ValueError, match="hold only 0"):
        Mask(torch.full((1, 1, 4, 4), 0.5))


def test_missing_pixels_start_at_means_of_those_nearby() -> None:
    mask = (uniform(2, 1, 21, 22) > 0.5).float()
    operator = Mask(mask)
    flat = torch.tensor([0.2, 0.7, 0.9]).view(1, 3, 1, 1).expand(2, 3, 21, 22)
    torch.testing.assert_close(operator.initial(operator.A(flat)), flat)
    y = operator.A(uniform(2, 3, 21, 22).float())
    start = operator.initial(y)
    seen = mask.expand_as(y) == 1
    assert torch.equal(start[seen], y[seen])
    assert y[seen].min() <= start.min()
    assert start.max() <= y[seen].max()
    rising = torch.linspace(0, 1, 22).expand(2, 3, 21, 22)
    assert (operator.initial(operator.A(rising)) - rising).abs().mean() < 0.01


def test_large_holes_start_at_the_nearest_means() -> None:
    mask = torch.ones(1, 1, 64, 96)
    mask[..., 20:50, 30:70] = 0
    left = (torch.arange(96) < 48).float().expand(1, 1, 64, 96)
    start = Mask(mask).initial(left * mask)
    assert start[..., 35, 32].item() > 0.9
    assert start[..., 35, 67].item() < 0.1


def test_where_nothing_is_seen_the_start_is_black_and_has_a_gradient() -> None:
    mask = torch.ones(2, 1, 9, 8)
    mask[1] = 0
    y = torch.full((2, 1, 9, 8), 0.5, requires_grad=True)
    start = Mask(mask).initial(y)
    assert start[0].eq(0.5).all()
    assert start[1].eq(0).all()
    (gradient,) = torch.autograd.grad(start.sum(), y)
    assert torch.equal(gradient, mask)


def test_scattered_pixels_are_missing_at_their_share() -> None:
    mask = Mask.scattered(torch.tensor([0.0, 0.3, 0.9]), (60, 70), samples=3, generator=generator())
    assert mask.mask.shape == (3, 1, 60, 70)
    shares = 1 - mask.mask.mean((1, 2, 3))
    torch.testing.assert_close(shares, torch.tensor([0.0, 0.3, 0.9]), atol=0.03, rtol=0)
    two = Mask.scattered(0.5, (60, 70), samples=2, generator=generator()).mask
    assert not torch.equal(two[0], two[1])


def test_a_stroke_is_as_wide_and_long_as_asked() -> None:
    for width, length in ((7.0, 40.0), (1.0, 25.0)):
        for seed in range(20):
            mask = Mask.strokes(
                1, (200, 220), width=(width,) * 2, length=(length,) * 2, generator=generator(seed)
            )
            rows, columns = (mask.mask[0, 0] == 0).nonzero().unbind(1)
            if len(rows) == 0 or {0, 199} & set(rows.tolist()) or {0, 219} & set(columns.tolist()):
                continue  # it leaves the image
            area = width * length + torch.pi * width**2 / 4
            assert abs(len(rows) - area) < 0.1 * area + 12
            far = torch.stack((rows, columns), 1).float()
            assert torch.pdist(far).max() == pytest.approx(length + width - 1, abs=1.6)


def test_every_sample_has_its_own_number_of_strokes() -> None:
    counts = torch.tensor([0, 1, 30])
    mask = Mask.strokes(counts, (64, 64), samples=3, generator=generator()).mask
    shares = 1 - mask.mean((1, 2, 3))
    assert shares[0] == 0
    assert 0 <= shares[1] < 0.2
    assert 0.2 < shares[2] < 1


def test_draws_refuse_other_shares_and_numbers_of_samples() -> None:
    for share in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"lie in \[0, 1\]"):
            Mask.scattered(share, (9, 9), generator=generator())
    with pytest.raises(ValueError, match=r"share must be a number or one per sample \(1,\)"):
        Mask.scattered(torch.tensor([0.5, 0.5]), (9, 9), generator=generator())
    with pytest.raises(ValueError, match=r"count must be a number or one per sample \(3,\)"):
        Mask.strokes(torch.tensor([1, 2]), (9, 9), samples=3, generator=generator())
    with pytest.raises(ValueError, match="counts must be non-negative integers, got"):
        Mask.strokes(-1, (9, 9), generator=generator())
    for count in (2.7, True):
        with pytest.raises(ValueError, match="counts must be non-negative integers, got"):
            Mask.strokes(count, (9, 9), generator=generator())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="length must be a range 0 <= low <= high, got 60"):
        Mask.strokes(1, (9, 9), generator=generator(), length=(60.0, 0.0))
    with pytest.raises(ValueError, match=r"width must be \(smallest, largest\), in pixels, got 3"):
        Mask.strokes(1, (9, 9), generator=generator(), width=3)  # type: ignore[arg-type]
    for width in ((-1.0, 2.0), (1.0, math.inf)):
        with pytest.raises(ValueError, match="width must be a range 0 <= low <= high"):
            Mask.strokes(1, (9, 9), generator=generator(), width=width)


def test_a_stroke_is_drawn_whole_wherever_it_lies() -> None:
    """Against the distance of every pixel of the image to the segment."""
    size, width, length = (50, 70), (2.0, 9.0), (5.0, 40.0)
    down, across = torch.meshgrid(torch.arange(50.0), torch.arange(70.0), indexing="ij")
    for seed in range(40):
        drawn = torch.rand((5, 1, 1, 1), generator=generator(seed)).flatten().tolist()
        row, column, angle, far, wide = drawn
        top, left, turn = 50 * row, 70 * column, 2 * math.pi * angle
        end = length[0] + far * (length[1] - length[0])
        sine, cosine = math.sin(turn), math.cos(turn)
        along = ((down - top) * sine + (across - left) * cosine).clamp(0, end)
        distance = (down - top - along * sine).hypot(across - left - along * cosine)
        radius = (width[0] + wide * (width[1] - width[0])) / 2
        mask = Mask.strokes(1, size, width=width, length=length, generator=generator(seed))
        sure = (distance - radius).abs() > 1e-4
        assert torch.equal((mask.mask[0, 0] == 0)[sure], (distance <= radius)[sure])


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: Mask(np.ones((1, 1, 4, 4))), "a mask"),  # type: ignore[arg-type]
        (lambda: FourierMask(np.ones((1, 1, 4, 4))), "a mask"),  # type: ignore[arg-type]
        (lambda: Blur(np.ones((1, 3, 3))), "a kernel"),  # type: ignore[arg-type]
        (lambda: DenseProjection(np.ones((1, 2, 4)), (2, 2)), "a matrix"),  # type: ignore[arg-type]
        (lambda: FourierProjection(np.arange(4)[None], (2, 2)), "rows"),  # type: ignore[arg-type]
    ],
)
def test_arrays_of_numpy_are_refused(build: Callable[[], object], name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be a torch\.Tensor, got ndarray"):
        build()


@pytest.mark.parametrize(("size", "samples"), [((0, 6), 1), ((4, -6), 1), ((4, 6), 0)])
def test_masks_of_nothing(size: tuple[int, int], samples: int) -> None:
    for draw in (Mask.scattered, Mask.strokes):
        with pytest.raises(ValueError, match="positive integer"):
            draw(1, size, samples=samples, generator=generator())
