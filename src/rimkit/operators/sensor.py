"""A sensor that saturates: the operator of the package that is not linear."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor

from rimkit import tree
from rimkit.operators.base import Window
from rimkit.operators.checks import check_real

_BRIGHTEST = 1 - 1e-3  # of y, of where a solver starts: beyond, all is saturated


@tree.register
@dataclasses.dataclass(frozen=True)
class SaturatingSensor:
    """A x = tanh(gain x^gamma): grey levels to light, light to what a sensor reads of it.

    Odd in x, so that an estimate below zero finds back.

    Parameters
    ----------
    gain
        Exposure: a light of 1 / gain reads as 0.76 of the most.
    gamma
        From grey level to light, at least 1; 2.2 is that of screens.

    Raises
    ------
    ValueError
        If the gain is not positive or gamma less than 1, or one of them not finite.
    """

    gain: float = 2.0
    gamma: float = 2.2

    def __post_init__(self) -> None:
        check_real("gain", self.gain)
        check_real("gamma", self.gamma)
        if not (math.isfinite(self.gain) and self.gain > 0):
            raise ValueError(f"gain is positive and finite, got {self.gain}")
        if not (math.isfinite(self.gamma) and self.gamma >= 1):
            raise ValueError(f"gamma is at least 1 and finite, got {self.gamma}")

    def A(self, x: Tensor) -> Tensor:
        """Read x (N, C, H, W)."""
        return torch.tanh(self.gain * x * self._power(x))

    def A_vjp(self, x: Tensor, v: Tensor) -> Tensor:
        """Multiply v (N, C, H, W) with the slope of every pixel at x."""
        slope = self.gain * self.gamma * self._power(x)
        return v * slope * (1 - self.A(x).square())

    def _power(self, x: Tensor) -> Tensor:
        # Below gamma = 2 its slope at zero is infinite, and gradients there would be NaN.
        return x.abs().clamp(min=torch.finfo(x.dtype).tiny) ** (self.gamma - 1)

    def initial(self, y: Tensor) -> Tensor:
        """Start at the inverse; what reads as saturated, at the brightest that does not."""
        # At zero the root's slope is infinite: what is below takes no part in gradients.
        light = torch.atanh(y.clamp(torch.finfo(y.dtype).tiny, _BRIGHTEST)) / self.gain
        return torch.where(y > 0, light ** (1 / self.gamma), 0)

    def crop(self, y: Tensor, window: Window) -> tuple[SaturatingSensor, Tensor]:
        """Cut y (N, C, H, W)."""
        return self, y[..., *window]
