"""Forward models A, one file a family, each with its exact adjoint."""

from rimkit.operators.base import A_vjp, Operator, Window, adjoint_error, crop, initial
from rimkit.operators.blur import Blur, gaussian_kernel
from rimkit.operators.pixelwise import Identity, Mask
from rimkit.operators.resampling import Downsampling, DownsamplingPart, matlab_imresize

__all__ = [
    "A_vjp",
    "Blur",
    "Downsampling",
    "DownsamplingPart",
    "Identity",
    "Mask",
    "Operator",
    "Window",
    "adjoint_error",
    "crop",
    "gaussian_kernel",
    "initial",
    "matlab_imresize",
]
