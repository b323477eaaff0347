"""Forward models A, one file a family, each with its exact adjoint."""

from rimkit.operators.base import A_vjp, Operator, initial
from rimkit.operators.blur import Blur, gaussian_kernel
from rimkit.operators.pixelwise import Identity, Mask

__all__ = ["A_vjp", "Blur", "Identity", "Mask", "Operator", "gaussian_kernel", "initial"]
