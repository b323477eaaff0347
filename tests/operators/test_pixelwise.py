import re

import pytest
import torch

from rimkit.operators import FourierMask, Identity, Mask


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
    with pytest.raises(ValueError, match="holds 0"):
        Mask(torch.full((1, 1, 4, 4), 0.5))
