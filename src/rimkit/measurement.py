"""Checks of a measurement before it is solved, and the precision in which it is solved."""

from __future__ import annotations

import torch
from torch import Tensor

from rimkit.operators.checks import check_precision, check_tensor


def check_measurement(y: Tensor) -> None:
    """Raise ``ValueError`` unless y is a batch of finite floating or complex numbers."""
    check_tensor("y", y)
    if y.ndim < 2 or 0 in y.shape:
        raise ValueError(f"y must be a non-empty batch (N, ...), got shape {tuple(y.shape)}")
    if not y.isfinite().all():
        raise ValueError(
            "y holds NaN or infinite values; replace them, even where a mask leaves them out: "
            "y.nan_to_num()"
        )


def at_least_single(y: Tensor) -> Tensor:
    """Return y in at least float32; ``ValueError`` unless it is floating point or complex."""
    check_precision("y", y)
    return y.float() if y.dtype in (torch.float16, torch.bfloat16) else y


def dtype_of_x(y: Tensor) -> torch.dtype:
    """Return the precision of the estimate: that of y, or of its real part if y is complex."""
    return y.dtype.to_real() if y.is_complex() else y.dtype
