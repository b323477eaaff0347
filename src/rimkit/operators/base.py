"""What an operator is, and the defaults for its optional parts."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Window = tuple[slice, slice]
"""Rows and columns of an image."""


@runtime_checkable
class Operator(Protocol):
    """A forward operator without noise, with the method names of deepinv.

    Linear operators also have ``A_adjoint`` (`LinearOperator`). Others need ``initial(y)``, the
    starting point of a solver, and may define ``A_vjp(x, v)`` to replace autograd. Optional for
    all: ``initial(y)``, and ``crop(y, window)``, which returns the operator and the measurement of
    a part of x (needed to solve images in tiles).
    """

    def A(self, x: Tensor) -> Tensor:
        """Map x (N, C, H, W) to z (N, ...), real or complex."""
        ...


@runtime_checkable
class LinearOperator(Operator, Protocol):
    """A linear `Operator`: ``Re<A(x), y> = <x, A_adjoint(y)>`` for every x and y."""

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Map y (N, ...) to the shape of x."""
        ...


def A_vjp(operator: Operator, x: Tensor, v: Tensor) -> Tensor:
    """Transposed Jacobian of ``operator.A`` at x, times v: (N, C, H, W).

    Uses the operator's own ``A_vjp`` if it has one, else its adjoint if it has one, else autograd.
    """
    own = getattr(operator, "A_vjp", None)
    if own is not None:
        return own(x, v)  # type: ignore[no-any-return]
    if isinstance(operator, LinearOperator):
        return operator.A_adjoint(v)
    pullback = torch.func.vjp(operator.A, x)[1]
    return pullback(v)[0]  # type: ignore[no-any-return]


def initial(operator: Operator, y: Tensor) -> Tensor:
    """Starting point of a solver: the operator's own ``initial(y)``, or the scaled adjoint.

    The scale c = |A'y|^2 / |A A'y|^2, per sample, minimises |y - c A A'y| along the first gradient;
    the raw adjoint of a projection can be hundreds of times as large as x.
    """
    own = getattr(operator, "initial", None)
    if own is not None:
        return own(y)  # type: ignore[no-any-return]
    if not isinstance(operator, LinearOperator):
        raise ValueError(
            f"{type(operator).__name__} has neither A_adjoint nor initial; "
            "give a non-linear operator a method initial(y) that returns the start in x's shape"
        )
    adjoint = operator.A_adjoint(y)
    numerator = _energy(adjoint)
    denominator = _energy(operator.A(adjoint))
    # Divide by 1 instead of 0: NaN would reach the gradient although it is not selected.
    scale = numerator / torch.where(denominator > 0, denominator, 1.0)
    return adjoint * scale.view(-1, *(1,) * (adjoint.ndim - 1))


def adjoint_error(
    operator: LinearOperator, x: Tensor, *, generator: torch.Generator | None = None
) -> Tensor:
    """Deviation of A_adjoint from the adjoint of A: ``|Re<A u, v> - <u, A'v>| / (|A u| |v|)``.

    Near machine precision (1e-15 in float64) if it is the adjoint, and near 1 if the two are
    unrelated. Whether A is linear is not checked.

    Parameters
    ----------
    operator
        The operator, with its tensors in x's precision.
    x
        Sets shape, precision and device of the signals (N, C, H, W); float64 is most informative.
    generator
        Draws u and v, which are standard normal.

    Returns
    -------
    Tensor
        One value per sample (N,).

    Raises
    ------
    ValueError
        If there is no A_adjoint, or it does not return the shape of x.
    """
    if not isinstance(operator, LinearOperator):
        raise ValueError(f"{type(operator).__name__} has no A_adjoint: it is not linear")

    def normal(like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)

    u = normal(x)
    z = operator.A(u)
    v = normal(z)  # complex where z is
    back = operator.A_adjoint(v)
    if back.shape != x.shape:
        raise ValueError(
            f"A maps {tuple(x.shape)} to {tuple(z.shape)}, but A_adjoint maps it back to "
            f"{tuple(back.shape)}"
        )
    left, right = _inner(z, v), _inner(u, back)
    size = (_energy(z) * _energy(v)).sqrt()
    return (left - right).abs() / size.clamp(min=torch.finfo(x.dtype).tiny)


def crop(operator: Operator, y: Tensor, window: Window) -> tuple[Operator, Tensor]:
    """Return the operator and the measurement of a part of x, exact except near its border.

    Raises
    ------
    ValueError
        If the operator cannot be cropped: every measurement depends on all of x.
    """
    own = getattr(operator, "crop", None)
    if own is None:
        raise ValueError(
            f"{type(operator).__name__} cannot be solved in tiles: it has no method crop(y, window)"
        )
    return own(y, window)  # type: ignore[no-any-return]


def _inner(a: Tensor, b: Tensor) -> Tensor:
    """Re<a, b> per sample."""
    return (a.conj() * b).real.flatten(1).sum(1)


def _energy(value: Tensor) -> Tensor:
    return value.abs().square().flatten(1).sum(1)
