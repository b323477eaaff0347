from typing import Any

import pytest
import torch
from tests.cases import generator, uniform

from rimkit.operators import FourierMask, line_mask


def test_all_frequencies_give_the_image_back() -> None:
    x = uniform(2, 1, 9, 12)
    operator = FourierMask(torch.ones(1, 1, 9, 12))
    torch.testing.assert_close(operator.A_adjoint(operator.A(x)), x)


def test_frequencies_are_those_of_the_fourier_matrix() -> None:
    x = uniform(2, 1, 4, 5)
    rows, columns = torch.arange(4.0).double(), torch.arange(5.0).double()
    mask = (uniform(2, 1, 4, 5, seed=1) > 0.5).double()
    z = FourierMask(mask).A(x)
    for i in range(4):
        for j in range(5):
            turns = i * rows[:, None] / 4 + j * columns / 5
            wave = torch.polar(torch.ones(4, 5).double(), -2 * torch.pi * turns) / 20**0.5
            expected = mask[:, :, i, j] * (x * wave).sum((2, 3))
            torch.testing.assert_close(z[:, :, i, j], expected)


def test_lines_are_columns_as_many_as_asked_for_with_the_lowest_among_them() -> None:
    mask = line_mask(0.3, (6, 50), center=0.1, samples=400, generator=generator())
    assert mask.shape == (400, 1, 6, 50)
    assert (mask == mask[:, :, :1]).all()
    columns = mask[:, 0, 0]
    assert (columns.sum(1) == 15).all()
    assert (columns[:, [0, 1, 2, -1, -2]] == 1).all()
    share = columns.mean(0)
    assert share[4:8].mean() > 2 * share[20:24].mean() > 0
    assert share[4:8].mean() == pytest.approx(share[-7:-3].mean().item(), rel=0.2)
    assert len(columns.unique(dim=0)) > 390
    again = line_mask(0.3, (6, 50), center=0.1, samples=400, generator=generator())
    assert torch.equal(mask, again)


def test_columns_are_drawn_by_the_square_of_their_nearness_to_the_lowest() -> None:
    one = line_mask(0.1, (1, 10), center=0.0, samples=40_000, generator=generator())
    chances = (1 - torch.fft.fftfreq(10, d=0.1).abs() / 6) ** 2
    found = one.mean(0).flatten()
    torch.testing.assert_close(found, chances / chances.sum(), atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("p", "center", "message"),
    [
        (0.0, 0.0, "must lie in"),
        (1.2, 0.1, "must lie in"),
        (0.01, 0.0, "at least one of 20"),
        (0.2, 0.3, "center"),
        (0.2, -0.1, "center"),
        ("0.5", 0.1, "p, the share of columns, must be a number"),
        (True, 0.1, "p, the share of columns, must be a number"),
        (0.5, "a", "center, .* must be a number"),
    ],
)
def test_masks_that_are_none(p: Any, center: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        line_mask(p, (10, 20), center=center, generator=generator())


def test_few_columns_are_the_lowest_ones() -> None:
    mask = line_mask(0.05, (6, 40), generator=generator())
    assert mask[0, 0, 0].nonzero().flatten().tolist() == [0, 1]


@pytest.mark.parametrize(("size", "samples"), [((0, 6), 1), ((4, -6), 1), ((4, 6), 0)])
def test_masks_of_nothing(size: tuple[int, int], samples: int) -> None:
    with pytest.raises(ValueError, match="positive integer"):
        line_mask(0.5, size, samples=samples, generator=generator())


def test_refuses_other_shapes_and_values() -> None:
    with pytest.raises(ValueError, match="shape"):
        FourierMask(torch.ones(4, 4))
    with pytest.raises(ValueError, match=r"hold only 0.*\(1, 1, 4, 4\)"):
        FourierMask(torch.full((1, 1, 4, 4), 0.5))


def test_refuses_other_sizes_and_what_is_not_complex() -> None:
    operator = FourierMask(torch.ones(1, 1, 4, 6))
    for name, use in (("x", operator.A), ("y", operator.A_adjoint)):
        with pytest.raises(
            ValueError, match=rf"\(1, 1, 4, 6\), but {name} has shape \(2, 1, 6, 4\)"
        ):
            use(torch.ones(2, 1, 6, 4))
    with pytest.raises(ValueError, match=r"complex, got y \(2, 1, 4, 6\)"):
        operator.A_adjoint(torch.ones(2, 1, 4, 6))


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_refuses_half_precision_and_other_devices() -> None:
    operator, x = FourierMask(torch.ones(1, 1, 4, 6)), torch.ones(2, 1, 4, 6)
    for kind in (torch.float16, torch.bfloat16):
        with pytest.raises(ValueError, match=rf"precision, got x \(2, 1, 4, 6\) of {kind}"):
            operator.A(x.to(kind))
    with pytest.raises(ValueError, match=r"precision, got y \(2, 1, 4, 6\) of torch.complex32"):
        operator.A_adjoint(torch.ones(2, 1, 4, 6, dtype=torch.complex32))
    with pytest.raises(ValueError, match=r"x \(2, 1, 4, 6\) is on meta.*\(1, 1, 4, 6\) is on cpu"):
        operator.A(x.to("meta"))
    with pytest.raises(ValueError, match=r"y \(2, 1, 4, 6\) is on meta.*\(1, 1, 4, 6\) is on cpu"):
        operator.A_adjoint(operator.A(x).to("meta"))


def test_a_mask_is_exact_in_any_precision() -> None:
    mask, x = line_mask(0.5, (4, 6), generator=generator()), uniform(2, 1, 4, 6)
    whole = FourierMask(mask.double()).A(x)
    assert whole.dtype == torch.complex128
    for kind in (torch.bool, torch.float32):
        assert torch.equal(FourierMask(mask.to(kind)).A(x), whole)


def test_complex_images_are_refused() -> None:
    operator = FourierMask(torch.ones(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"x must be real, got \(.*\) of torch\.complex64"):
        operator.A(torch.zeros(1, 1, 4, 4, dtype=torch.complex64))
