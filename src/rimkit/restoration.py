"""Restore images of any number of channels: the step between a model and a person's picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from rimkit.estimation import estimate_sigma
from rimkit.noises import check_level
from rimkit.problem import Denoising
from rimkit.rim import RIM
from rimkit.solver import check_measurement

Sigma = float | Literal["auto"]


def denoise(
    model: RIM,
    image: Tensor,
    *,
    sigma: Sigma = "auto",
    steps: int | None = None,
    on_step: Callable[[int], None] | None = None,
) -> tuple[Tensor, float]:
    """Denoise one image; a grey model takes the channels of a colour image one by one.

    Parameters
    ----------
    model
        Trained for denoising.
    image
        (C, H, W), values in [0, 1].
    sigma
        Noise standard deviation in the units of the image, or ``"auto"``: estimated.
    steps
        Number of steps; the model's own if None.
    on_step
        Called after each step with its number, counted from 1.

    Returns
    -------
    tuple
        The estimate (C, H, W), and the sigma that was used.

    Raises
    ------
    ValueError
        If the image or sigma is not what it should be.
    """
    if image.ndim != 3:
        raise ValueError(f"an image is (C, H, W), got shape {tuple(image.shape)}")
    check_measurement(image[None])
    level = float(estimate_sigma(image[None])) if sigma == "auto" else sigma
    check_level(level, name="sigma", allow_zero=True)
    channels = model.config.network.channels
    y = image[None] if image.shape[0] == channels else image[:, None]
    x = y
    with torch.no_grad():
        for number, iterate in enumerate(model.iterate(y, Denoising(level), steps=steps), start=1):
            x = iterate.x
            if on_step is not None:
                on_step(number)
    return x.reshape(image.shape), level
