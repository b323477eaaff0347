"""Any operator, for signals that are turned and mirrored."""

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
        By how many right angles signals are turned then.
    """

    mirrored: bool
    turns: int

    def turn(self, x: Tensor) -> Tensor:
        """Turn upright signals (N, C, H, W)."""
        x = x.flip(-1) if self.mirrored else x
        return torch.rot90(x, self.turns, (-2, -1)).contiguous()

    def upright(self, x: Tensor) -> Tensor:
        """Turn signals back."""
        x = torch.rot90(x, -self.turns, (-2, -1))
        return (x.flip(-1) if self.mirrored else x).contiguous()


ORIENTATIONS = tuple(itertools.starmap(Orientation, itertools.product((False, True), range(4))))
"""All eight, the upright one first."""


@tree.register
@dataclasses.dataclass(frozen=True)
class Oriented:
    """An operator as it is for signals in another orientation: ``A(turn(x)) = operator.A(x)``.

    The measurement stays what it is. An operator is cut before it is oriented.

    Parameters
    ----------
    operator
        As it is for upright signals.
    orientation
        Of the signals.
    """

    operator: Operator
    orientation: Orientation

    def A(self, x: Tensor) -> Tensor:
        """Map what is upright."""
        return self.operator.A(self.orientation.upright(x))

    def A_vjp(self, x: Tensor, v: Tensor) -> Tensor:
        """Jacobian at x, transposed, times v (N, ...)."""
        return self.orientation.turn(A_vjp(self.operator, self.orientation.upright(x), v))

    def initial(self, y: Tensor) -> Tensor:
        """Start where the operator starts."""
        return self.orientation.turn(initial(self.operator, y))
