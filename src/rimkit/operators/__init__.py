"""Forward models A, one file a family, each with its exact adjoint."""

from rimkit.operators.base import A_vjp, Operator, Window, crop, initial
from rimkit.operators.blur import Blur, gaussian_kernel
from rimkit.operators.pixelwise import Identity, Mask

__all__ = [
    "A_vjp",
    "Blur",
    "Identity",
    "Mask",
    "Operator",
    "Window",
    "crop",
    "gaussian_kernel",
    "initial",
]
