"""Recurrent Inference Machines (Putzky & Welling 2017): learned solvers for inverse problems."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rimkit.classical import GradientDescent, TotalVariation
    from rimkit.contrast import AtContrast
    from rimkit.deepinv import as_problem
    from rimkit.ensemble import SelfEnsemble
    from rimkit.estimation import estimate_sigma
    from rimkit.metrics import psnr, ssim
    from rimkit.noises import GaussianNoise, PoissonNoise, QuantisedGaussianNoise
    from rimkit.operators import (
        Blur,
        DenseProjection,
        Downsampling,
        FastProjection,
        FourierMask,
        FourierProjection,
        Identity,
        Mask,
        SaturatingSensor,
        adjoint_error,
        gaussian_kernel,
        line_mask,
    )
    from rimkit.problem import Denoising, Problem, SuperResolution, score_error
    from rimkit.restoring.arrays import restore
    from rimkit.rim import RIM, RIMConfig
    from rimkit.solver import Iterate, Solution, Solver
    from rimkit.weights import load, model_names, save

__version__ = "0.1.0"

# Names are imported on first use, so that `rimkit --help` does not wait for torch.
_HOMES = {
    "AtContrast": "contrast",
    "Blur": "operators",
    "Denoising": "problem",
    "DenseProjection": "operators",
    "Downsampling": "operators",
    "FastProjection": "operators",
    "FourierMask": "operators",
    "FourierProjection": "operators",
    "GaussianNoise": "noises",
    "GradientDescent": "classical",
    "Identity": "operators",
    "Iterate": "solver",
    "Mask": "operators",
    "PoissonNoise": "noises",
    "Problem": "problem",
    "QuantisedGaussianNoise": "noises",
    "RIM": "rim",
    "RIMConfig": "rim",
    "SaturatingSensor": "operators",
    "SelfEnsemble": "ensemble",
    "Solution": "solver",
    "Solver": "solver",
    "SuperResolution": "problem",
    "TotalVariation": "classical",
    "adjoint_error": "operators",
    "as_problem": "deepinv",
    "estimate_sigma": "estimation",
    "gaussian_kernel": "operators",
    "line_mask": "operators",
    "load": "weights",
    "model_names": "weights",
    "psnr": "metrics",
    "restore": "restoring.arrays",
    "save": "weights",
    "score_error": "problem",
    "ssim": "metrics",
}

__all__ = [
    "RIM",
    "AtContrast",
    "Blur",
    "Denoising",
    "DenseProjection",
    "Downsampling",
    "FastProjection",
    "FourierMask",
    "FourierProjection",
    "GaussianNoise",
    "GradientDescent",
    "Identity",
    "Iterate",
    "Mask",
    "PoissonNoise",
    "Problem",
    "QuantisedGaussianNoise",
    "RIMConfig",
    "SaturatingSensor",
    "SelfEnsemble",
    "Solution",
    "Solver",
    "SuperResolution",
    "TotalVariation",
    "adjoint_error",
    "as_problem",
    "estimate_sigma",
    "gaussian_kernel",
    "line_mask",
    "load",
    "model_names",
    "psnr",
    "restore",
    "save",
    "score_error",
    "ssim",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rimkit' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"rimkit.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
