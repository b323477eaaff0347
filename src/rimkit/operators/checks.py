"""Checks that images and the tensors of operators fit together."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

import numpy as np
import torch
from torch import Tensor


def check_tensor(name: str, value: object) -> None:
    """Raise unless a value is a torch tensor; a numpy array is not."""
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} must be a torch.Tensor, got {type(value).__name__}")


def check_real(name: str, value: object) -> None:
    """Raise unless a setting is one real number; a tensor or a string is not."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} must be a number, got {value!r}")


def check_size(size: object) -> None:
    """Raise unless the size of an image is (H, W), both at least 1."""
    fits = isinstance(size, Sequence) and len(size) == 2 and all(_counts(side) for side in size)
    if not fits:
        raise ValueError(f"the size of an image must be two positive integers (H, W), got {size}")


def check_number(samples: object) -> None:
    """Raise unless the number of samples is a positive integer."""
    if not _counts(samples):
        raise ValueError(f"samples must be a positive integer, got {samples}")


def _counts(value: object) -> bool:
    return isinstance(value, int | np.integer) and int(value) >= 1


def check_samples(name: str, value: Tensor, leaf: Tensor) -> None:
    """Raise unless an operator's tensor is for one sample, or for as many as x or y has."""
    if leaf.shape[0] not in (1, value.shape[0]):
        raise ValueError(
            f"the operator is for {leaf.shape[0]} samples (its tensor has shape "
            f"{tuple(leaf.shape)}), but {name} has shape {tuple(value.shape)}"
        )


def check_device(name: str, value: Tensor, leaf: Tensor) -> None:
    """Raise unless x, y or a part of an operator is on the device of an operator's tensor."""
    if leaf.device != value.device:
        raise ValueError(
            f"{name} {tuple(value.shape)} is on {value.device}, but the operator's "
            f"{tuple(leaf.shape)} is on {leaf.device}; move it with rimkit.tree.move"
        )


def check_image(name: str, value: Tensor) -> None:
    """Raise unless x or y is a batch of images, floating point or complex."""
    check_tensor(name, value)
    if value.ndim != 4:
        raise ValueError(f"{name} must have shape (N, C, H, W), got {tuple(value.shape)}")
    check_precision(name, value)


def check_precision(name: str, value: Tensor) -> None:
    """Raise for integers: weights would be rounded to integers, and differences would wrap."""
    check_tensor(name, value)
    if not (value.is_floating_point() or value.is_complex()):
        raise ValueError(
            f"{name} must be floating point, images in [0, 1], got {tuple(value.shape)} of "
            f"{value.dtype}; divide bytes by 255"
        )


def check_transformed(name: str, value: Tensor) -> None:
    """Raise for half precision, which torch transforms only for some sizes on some devices."""
    if value.dtype in (torch.float16, torch.bfloat16, torch.complex32):
        raise ValueError(
            f"Fourier transforms need single or double precision, got {name} "
            f"{tuple(value.shape)} of {value.dtype}"
        )


def check_is_mask(mask: Tensor, *, zero: str, one: str) -> None:
    """Raise unless a tensor is a mask (N or 1, C or 1, H, W) of 0 (``zero``) and 1 (``one``)."""
    check_tensor("a mask", mask)
    if mask.ndim != 4:
        raise ValueError(f"a mask must have shape (N or 1, C or 1, H, W), got {tuple(mask.shape)}")
    if not ((mask == 0) | (mask == 1)).all():
        raise ValueError(
            f"a mask must hold only 0 ({zero}) and 1 ({one}), got other values in shape "
            f"{tuple(mask.shape)}"
        )


def check_mask(name: str, value: Tensor, mask: Tensor) -> None:
    """Raise unless a mask (N or 1, C or 1, H, W) broadcasts to the shape of x or y.

    Its precision may differ: 0 and 1 are the same in all.
    """
    check_image(name, value)
    check_device(name, value, mask)
    check_samples(name, value, mask)
    if mask.shape[1] not in (1, value.shape[1]) or mask.shape[2:] != value.shape[2:]:
        raise ValueError(
            f"the mask has shape {tuple(mask.shape)}, but {name} has shape {tuple(value.shape)}"
        )
