"""Blur: convolution with a known kernel over a padded image."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from rimkit import tree
from rimkit.operators.base import Window
from rimkit.operators.checks import check_image, check_real, check_samples, check_tensor

_LEAST_SUM = 0.1
"""Least sum of a kernel, relative to that of its absolute values, for a start as bright as x."""

Padding = Literal["circular", "replicate"]


@tree.register
@dataclasses.dataclass(frozen=True)
class Blur:
    """A x = kernel convolved with every channel of x; z has the size of x.

    Parameters
    ----------
    kernel
        (N or 1, h, w), both sizes odd; the central pixel is the origin.
    padding
        Values beyond the border: ``"circular"`` (the image repeated) or ``"replicate"`` (the
        border pixel).

    Raises
    ------
    ValueError
        If the kernel has another rank or an even size, is not finite or is zero everywhere, or the
        padding is unknown.
    """

    kernel: Tensor
    padding: Padding = "replicate"

    def __post_init__(self) -> None:
        check_tensor("a kernel", self.kernel)
        if self.kernel.is_complex():
            raise ValueError(f"a kernel must be real, got {self.kernel.dtype}")
        if self.kernel.ndim != 3 or not all(size % 2 for size in self.kernel.shape[1:]):
            raise ValueError(
                f"a kernel must have shape (N or 1, odd, odd), got {tuple(self.kernel.shape)}"
            )
        if not self.kernel.isfinite().all() or not self.kernel.flatten(1).any(dim=1).all():
            raise ValueError("a kernel must be finite and not zero everywhere")
        if self.padding not in ("circular", "replicate"):
            raise ValueError(f'padding must be "circular" or "replicate", got {self.padding!r}')

    def A(self, x: Tensor) -> Tensor:
        """Blur x (N, C, H, W)."""
        self._check("x", x)
        for dim, source in self._sources(x):
            x = x.index_select(dim, source)
        # conv2d correlates: the kernel is flipped to make it a convolution.
        kernel = self.kernel.to(x).flip((-2, -1))
        planes, weight, groups = _grouped(x, kernel)
        return F.conv2d(planes, weight, groups=groups).view(*x.shape[:2], *_valid(x, kernel))

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Correlate y (N, C, H, W) with the kernel and fold the border back onto the image."""
        self._check("y", y)
        kernel = self.kernel.to(y).flip((-2, -1))
        planes, weight, groups = _grouped(y, kernel)
        full = F.conv_transpose2d(planes, weight, groups=groups)
        x = full.view(*y.shape[:2], *full.shape[-2:])
        for dim, source in self._sources(y):
            shape = [*x.shape]
            shape[dim] = y.shape[dim]
            x = x.new_zeros(shape).index_add(dim, source, x)
        return x

    def initial(self, y: Tensor) -> Tensor:
        """Start at the blurred image, scaled to the brightness of the original.

        Kernels whose negative weights cancel more than nine tenths start darker; at 0 if they sum
        to zero. A scale that depends on the image, as with the adjoint, would differ between tiles.
        """
        total = self.kernel.sum((1, 2))
        least = _LEAST_SUM * self.kernel.abs().sum((1, 2))
        scale = total / torch.maximum(total.abs(), least).square()
        return y * tree.per_sample(scale, y)

    def crop(self, y: Tensor, window: Window) -> tuple[Blur, Tensor]:
        """Crop y (N, C, H, W); within the kernel's radius of a cut the result is inexact.

        Raises
        ------
        ValueError
            If the padding is circular: the far side of the image would be missing.
        """
        if self.padding == "circular":
            raise ValueError("a circular Blur cannot be solved in tiles: its borders wrap around")
        return self, y[..., *window]

    def _check(self, name: str, image: Tensor) -> None:
        check_image(name, image)
        check_samples(name, image, self.kernel)

    def _sources(self, image: Tensor) -> list[tuple[int, Tensor]]:
        """For both dimensions: the pixel of the image behind each pixel of the padded image."""
        sources = []
        for dim in (-2, -1):
            size, radius = image.shape[dim], self.kernel.shape[dim] // 2
            position = torch.arange(-radius, size + radius, device=image.device)
            if self.padding == "circular":
                source = position.remainder(size)
            else:
                source = position.clamp(0, size - 1)
            sources.append((dim % 4, source))
        return sources


def _grouped(image: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor, int]:
    """Every plane of (N, C, H, W) as a channel of one image, with its own kernel."""
    n, c = image.shape[:2]
    weight = kernel[:, None].expand(n, c, *kernel.shape[1:]).reshape(n * c, 1, *kernel.shape[1:])
    return image.reshape(1, n * c, *image.shape[2:]), weight, n * c


def _valid(padded: Tensor, kernel: Tensor) -> tuple[int, int]:
    return (
        padded.shape[-2] - kernel.shape[-2] + 1,
        padded.shape[-1] - kernel.shape[-1] + 1,
    )


def gaussian_kernel(std: float, *, radius: int | None = None) -> Tensor:
    """Gaussian blur kernel (1, k, k) that sums to one; ``std`` in pixels, radius 3 std by default.

    Raises
    ------
    ValueError
        If ``std`` is not positive and finite, or the radius is not a non-negative integer.
    """
    check_real("the width of a Gaussian kernel", std)
    if not 0 < std < float("inf"):
        raise ValueError(f"the width of a Gaussian kernel must be positive and finite, got {std}")
    radius = radius if radius is not None else max(1, round(3 * std))
    if not isinstance(radius, int | np.integer) or radius < 0:
        raise ValueError(f"the radius of a kernel must be a non-negative integer, got {radius!r}")
    profile = torch.exp(-torch.arange(-radius, radius + 1).square() / (2 * std**2))
    kernel = profile[:, None] * profile
    return (kernel / kernel.sum())[None]
