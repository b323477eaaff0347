"""Restore an image in numpy: for people who never touch torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from rimkit import weights
from rimkit.denoiser import Denoiser, Noisy, Sigma, noise_level
from rimkit.rim import RIM


def restore(
    array: npt.NDArray[Any],
    *,
    sigma: Sigma = "auto",
    model: str | RIM = "denoise-gray",
    memory: float = 1e9,
    on_progress: Callable[[float], object] | None = None,
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
    memory
        Bytes that may be taken, the estimate included: large images are solved in tiles.
    on_progress
        Called after every step of every tile with the share of the work that is done, up to 1;
        never where there is none, as at sigma 0. What it raises ends the work.

    Returns
    -------
    numpy.ndarray
        The estimate, in the shape and kind of ``array``; whole numbers are rounded and clipped.

    Raises
    ------
    ValueError
        If the array or sigma is not what it should be, or the memory does not suffice.
    """
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(f"an image is (H, W) or (H, W, 3), got shape {array.shape}")
    x = array.copy()
    values = x if x.ndim == 3 else x[..., None]
    noisy = Noisy(values, noise_level(values, sigma))
    loaded = model if isinstance(model, RIM) else weights.load(model)
    Denoiser(loaded, memory=memory).denoise([noisy], on_progress=on_progress)
    return x
