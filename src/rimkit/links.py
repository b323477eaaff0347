"""Links Psi: from the unconstrained iterate eta to the signal x (equation 9)."""

from __future__ import annotations

from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

LinkName = Literal["identity", "sigmoid", "softplus"]


class Link(Protocol):
    """An elementwise, differentiable, increasing map."""

    def __call__(self, eta: Tensor) -> Tensor:
        """Return x = Psi(eta)."""
        ...

    def inverse(self, x: Tensor) -> Tensor:
        """Return eta with Psi(eta) = x, after clamping x to the open range."""
        ...

    def pullback(self, eta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        """Turn a gradient v in x = Psi(eta) into the gradient in eta (equation 10)."""
        ...


class IdentityLink:
    """x = eta: any real value."""

    def __call__(self, eta: Tensor) -> Tensor:
        """Return eta."""
        return eta

    def inverse(self, x: Tensor) -> Tensor:
        """Return x."""
        return x

    def pullback(self, eta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        """Return v."""
        return v


class SigmoidLink:
    """x = 1 / (1 + exp(-eta)): values in (0, 1), the paper's choice for images."""

    margin = 1 / 1024

    def __call__(self, eta: Tensor) -> Tensor:
        """Return the logistic sigmoid of eta."""
        return torch.sigmoid(eta)

    def inverse(self, x: Tensor) -> Tensor:
        """Return the logit of x, clamped to [1/1024, 1 - 1/1024]."""
        return torch.logit(x.clamp(self.margin, 1 - self.margin))

    def pullback(self, eta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        """Return x (1 - x) v."""
        return x * (1 - x) * v


class SoftplusLink:
    """x = log(1 + exp(eta)): positive values."""

    margin = 1 / 1024

    def __call__(self, eta: Tensor) -> Tensor:
        """Return the softplus of eta."""
        return F.softplus(eta)

    def inverse(self, x: Tensor) -> Tensor:
        """Return log(exp(x) - 1), x clamped to at least 1/1024."""
        x = x.clamp(min=self.margin)
        return x + torch.log(-torch.expm1(-x))

    def pullback(self, eta: Tensor, x: Tensor, v: Tensor) -> Tensor:
        """Return sigmoid(eta) v."""
        return torch.sigmoid(eta) * v


LINKS: dict[LinkName, Link] = {
    "identity": IdentityLink(),
    "sigmoid": SigmoidLink(),
    "softplus": SoftplusLink(),
}
