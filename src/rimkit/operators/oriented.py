"""Any operator, for signals that are rotated and mirrored."""

from __future__ import annotations

import dataclasses
import itertools

import torch
from torch import Tensor

from rimkit import tree
from rimkit.operators.base import A_vjp, Operator, initial


@dataclasses.dataclass(frozen=True)
class Orientation:
    """A symmetry of the square.

    Parameters
    ----------
    mirrored
        Whether left and right are exchanged.
    turns
        Number of right angles by which signals are then rotated.
    """

    mirrored: bool
    turns: int

    def turn(self, x: Tensor) -> Tensor:
        """Turn upright signals (N, C, H, W) to this orientation."""
        x = x.flip(-1) if self.mirrored else x
        return torch.rot90(x, self.turns, (-2, -1)).contiguous()

    def upright(self, x: Tensor) -> Tensor:
        """Turn signals back upright."""
        x = torch.rot90(x, -self.turns, (-2, -1))
        return (x.flip(-1) if self.mirrored else x).contiguous()


ORIENTATIONS = tuple(itertools.starmap(Orientation, itertools.product((False, True), range(4))))
"""All eight, the upright one first."""


@tree.register
@dataclasses.dataclass(frozen=True)
class Oriented:
    """An operator for signals in another orientation: ``A(turn(x)) = operator.A(x)``.

    The measurement is unchanged. Crop an operator before orienting it.

    Parameters
    ----------
    operator
        The operator for upright signals.
    orientation
        Orientation of the signals.
    """

    operator: Operator
    orientation: Orientation

    def A(self, x: Tensor) -> Tensor:
        """Apply the operator to x (N, C, H, W) turned upright."""
        return self.operator.A(self.orientation.upright(x))

    def A_vjp(self, x: Tensor, v: Tensor) -> Tensor:
        """Transposed Jacobian at x, times v (N, ...)."""
        return self.orientation.turn(A_vjp(self.operator, self.orientation.upright(x), v))

    def initial(self, y: Tensor) -> Tensor:
        """Start where the operator starts."""
        return self.orientation.turn(initial(self.operator, y))
