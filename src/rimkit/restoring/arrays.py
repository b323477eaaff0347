"""Restore, fill in or enlarge an image in numpy, for users who never touch torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from rimkit import weights
from rimkit.restoring.denoiser import Denoiser, Noisy, Sigma, noise_level, shares_noise
from rimkit.restoring.holes import Holed
from rimkit.restoring.inpainter import Inpainter
from rimkit.restoring.upscaler import Upscaler, check_scale
from rimkit.rim import RIM
from rimkit.tasks import DenoisingTask, InpaintingTask, SuperResolutionTask, Task
from rimkit.trained import check_trained_for, trained_sigma


def restore(
    array: npt.NDArray[Any],
    *,
    sigma: Sigma = "auto",
    scale: float | None = None,
    missing: npt.NDArray[np.bool_] | None = None,
    model: str | RIM | None = None,
    self_ensemble: bool = False,
    memory: float = 1e9,
    on_progress: Callable[[float], object] | None = None,
) -> npt.NDArray[Any]:
    """Denoise or enlarge an image in a numpy array, or fill in its missing pixels.

    Parameters
    ----------
    array
        (H, W) or (H, W, 3): uint8, uint16, or floating point with black 0 and white 1.
    sigma
        Noise standard deviation where white is 1 (25 of 255 grey levels: ``25 / 255``), whatever
        the dtype of the array. ``"auto"``: estimated; with ``scale``, what the model was trained
        with; with ``missing``, none: the other pixels stay as they are.
    scale
        Enlargement factor, from 1 to 4, not necessarily an integer. None: the image is denoised.
    missing
        (H, W), True where pixels are missing, in all channels (the opposite of `rimkit.Mask`): they
        are filled in. The values there do not matter.
    model
        A name from `rimkit.model_names`, the path of a weights file, or a model. None:
        ``"denoise-gray"`` or ``"denoise-color"``, depending on the image; with ``scale``,
        ``"super-resolution"``; with ``missing``, ``"inpainting"``. ``"denoise-gray"`` is also used
        for three channels that share their noise (`rimkit.restoring.denoiser.shares_noise`).
    self_ensemble
        Whether to restore the image in eight orientations and average: slightly better, at eight
        times the computation.
    memory
        Bytes that may be used, including the estimate: large images are solved in tiles.
    on_progress
        Called after every step of every tile with the fraction of work done, up to 1; never if
        there is no work, as at sigma 0 or below `rimkit.restoring.denoiser.Denoiser.least_sigma`.
        An exception that it raises ends the work.

    Returns
    -------
    numpy.ndarray
        The estimate, with the shape and dtype of ``array``; with ``scale``, height and width are
        multiplied by it and rounded down. Integers are rounded and clipped.

    Raises
    ------
    ValueError
        If the array, sigma, scale or ``missing`` is invalid, the model does not exist or was
        trained for another task, or the memory does not suffice.
    """
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f"an image is a numpy array, got {type(array).__name__} (for a file: "
            "numpy.asarray(PIL.Image.open(file)); for tensors: rimkit.load(name)(y, problem))"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(f"an image is (H, W) or (H, W, 3), got shape {array.shape}")
    if scale is not None and missing is not None:
        raise ValueError("scale and missing cannot be combined: fill in first, then enlarge")
    if missing is not None:
        x = array.copy()
        holed = Holed(x if x.ndim == 3 else x[..., None], np.asarray(missing))
        inpainter = Inpainter(
            _load(model or "inpainting", InpaintingTask),
            sigma=None if sigma == "auto" else sigma,
            memory=memory,
            self_ensemble=self_ensemble,
        )
        inpainter.fill([holed], on_progress=on_progress)
        return x
    if scale is not None:
        check_scale(scale)
        loaded = _load(model or "super-resolution", SuperResolutionTask)
        level = trained_sigma(loaded.training_record) if sigma == "auto" else sigma
        upscaler = Upscaler(
            loaded, scale=scale, sigma=level, memory=memory, self_ensemble=self_ensemble
        )
        values = array if array.ndim == 3 else array[..., None]
        (x,) = upscaler.upscale([values], on_progress=on_progress)
        return x.reshape(*x.shape[:2], *array.shape[2:])
    x = array.copy()
    values = x if x.ndim == 3 else x[..., None]
    noisy = Noisy(values, noise_level(values, sigma))
    is_grey = values.shape[2] == 1 or (model is None and shares_noise(values, noisy.sigma))
    suited = "denoise-gray" if is_grey else "denoise-color"
    loaded = _load(model or suited, DenoisingTask)
    denoiser = Denoiser(loaded, memory=memory, self_ensemble=self_ensemble)
    denoiser.denoise([noisy], on_progress=on_progress)
    return x


def _load(model: str | RIM, task: type[Task]) -> RIM:
    loaded = model if isinstance(model, RIM) else weights.load(model)
    name = "the model" if isinstance(model, RIM) else model
    check_trained_for(task, loaded.training_record, model=name)
    return loaded
