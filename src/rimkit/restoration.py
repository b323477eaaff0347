"""Restore images of any number of channels: the step between a model and a person's picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rimkit import weights
from rimkit.estimation import estimate_sigma
from rimkit.problem import Denoising
from rimkit.rim import RIM
from rimkit.solver import check_measurement

Sigma = float | Literal["auto"]

_LARGEST_SIGMA = 4.0


def restore(
    array: npt.NDArray[Any],
    *,
    sigma: Sigma = "auto",
    model: str | RIM = "denoise-gray",
) -> npt.NDArray[Any]:
    """Denoise an image in numpy.

    Parameters
    ----------
    array
        (H, W) or (H, W, 3): 8 or 16 bits unsigned, or floating with black 0 and white 1.
    sigma
        Noise standard deviation where white is 1 (25 of 255 grey levels: ``25 / 255``), whatever
        the kind of the array; ``"auto"``: estimated.
    model
        A name from `rimkit.model_names`, the path of a file of weights, or a model.

    Returns
    -------
    numpy.ndarray
        The estimate, in the shape and kind of ``array``; whole numbers are rounded and clipped.

    Raises
    ------
    ValueError
        If the array or sigma is not what it should be.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(f"an image is (H, W) or (H, W, 3), got shape {array.shape}")
    if array.dtype not in (np.uint8, np.uint16) and not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"an image is uint8, uint16 or floating point, got {array.dtype}")
    white = 1 if np.issubdtype(array.dtype, np.floating) else np.iinfo(array.dtype).max
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, 2, 0)
    pixels = torch.from_numpy((planes / white).astype(np.float32))
    loaded = model if isinstance(model, RIM) else weights.load(model)
    x = denoise(loaded, pixels, sigma=sigma)[0].numpy()
    x = x[0] if array.ndim == 2 else np.moveaxis(x, 0, 2)
    if white == 1:
        return x.astype(array.dtype)
    return np.rint(x.clip(0, 1).astype(np.float64) * white).astype(array.dtype)


def denoise(
    model: RIM,
    image: Tensor,
    *,
    sigma: Sigma = "auto",
    steps: int | None = None,
    on_step: Callable[[float], None] | None = None,
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
        Called after each step with the share of the work that is done, up to 1.

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
    problem = Denoising(level)
    if level > _LARGEST_SIGMA:
        raise ValueError(f"sigma is {level:g} where white is 1; are these grey levels of 255?")
    channels = model.config.network.channels
    # One by one: the memory of one part, whatever the number of channels.
    parts = [image[None]] if image.shape[0] == channels else list(image[:, None, None])
    total = len(parts) * (model.steps if steps is None else steps)
    done = 0
    restored = []
    with torch.no_grad():
        for y in parts:
            x = y
            for iterate in model.iterate(y, problem, steps=steps):
                x = iterate.x
                done += 1
                if on_step is not None:
                    on_step(done / total)
            restored.append(x)
    return torch.cat(restored).reshape(image.shape), level
