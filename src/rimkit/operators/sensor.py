"""A sensor that saturates: the non-linear operator of the package."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from rimkit import tree
from rimkit.operators.base import Window
from rimkit.operators.checks import check_real

_BRIGHTEST = 1 - 1e-3  # of y, for the start of a solver: anything above is saturated


@tree.register
@dataclasses.dataclass(frozen=True)
class SaturatingSensor:
    """A x = tanh(gain x^gamma): grey level to light, and light to the reading of a sensor.

    Odd in x, so that an estimate below zero can recover.

    Parameters
    ----------
    gain
        Exposure: a light of 1 / gain reads as 0.76 of the maximum.
    gamma
        Exponent from grey level to light, at least 1; 2.2 for screens.

    Raises
    ------
    ValueError
        If the gain is not positive, gamma is less than 1, or either is not finite.
    """

    gain: float = 2.0
    gamma: float = 2.2

    def __post_init__(self) -> None:
        check_real("gain", self.gain)
        check_real("gamma", self.gamma)
        if not (math.isfinite(self.gain) and self.gain > 0):
            raise ValueError(f"gain must be positive and finite, got {self.gain}")
        if not (math.isfinite(self.gamma) and self.gamma >= 1):
            raise ValueError(f"gamma must be at least 1 and finite, got {self.gamma}")

    def A(self, x: Tensor) -> Tensor:
        """Return the sensor's reading of x (N, C, H, W)."""
        return torch.tanh(self.gain * x * self._power(x))

    def A_vjp(self, x: Tensor, v: Tensor) -> Tensor:
        """Multiply v (N, C, H, W) by the slope at every pixel of x."""
        slope = self.gain * self.gamma * self._power(x)
        return v * slope * (1 - self.A(x).square())

    def _power(self, x: Tensor) -> Tensor:
        # Below gamma = 2 its slope at zero is infinite, and gradients there would be NaN.
        return x.abs().clamp(min=torch.finfo(x.dtype).tiny) ** (self.gamma - 1)

    def initial(self, y: Tensor) -> Tensor:
        """Start at the inverse; saturated pixels at the brightest value that is not saturated."""
        # At zero the root's slope is infinite: pixels up to it take no part in gradients.
        light = torch.atanh(y.clamp(torch.finfo(y.dtype).tiny, _BRIGHTEST)) / self.gain
        return torch.where(y > 0, light ** (1 / self.gamma), 0)

    def crop(self, y: Tensor, window: Window) -> tuple[SaturatingSensor, Tensor]:
        """Crop y (N, C, H, W)."""
        return self, y[..., *window]
