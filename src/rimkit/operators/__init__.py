"""Forward operators A, one file per family, each with its exact adjoint."""

from rimkit.operators.base import (
    A_vjp,
    LinearOperator,
    Operator,
    Window,
    adjoint_error,
    crop,
    initial,
)
from rimkit.operators.blur import Blur, gaussian_kernel
from rimkit.operators.fourier import FourierMask, line_mask
from rimkit.operators.oriented import ORIENTATIONS, Orientation, Oriented
from rimkit.operators.pixelwise import Identity, Mask
from rimkit.operators.projections import (
    DenseProjection,
    FastProjection,
    FourierProjection,
    independent_reals,
)
from rimkit.operators.resampling import Downsampling, DownsamplingPart, matlab_imresize
from rimkit.operators.sensor import SaturatingSensor

__all__ = [
    "ORIENTATIONS",
    "A_vjp",
    "Blur",
    "DenseProjection",
    "Downsampling",
    "DownsamplingPart",
    "FastProjection",
    "FourierMask",
    "FourierProjection",
    "Identity",
    "LinearOperator",
    "Mask",
    "Operator",
    "Orientation",
    "Oriented",
    "SaturatingSensor",
    "Window",
    "adjoint_error",
    "crop",
    "gaussian_kernel",
    "independent_reals",
    "initial",
    "line_mask",
    "matlab_imresize",
]
