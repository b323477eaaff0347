"""Pictures of what a solver holds: estimate, score, state."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from rimkit.pixels import Array, Bytes, from_unit

_CHANNELS = 64
_SIDE = 768  # approximate side of the sheet of channels
SHEET_BYTES = _SIDE**2


def values_of(x: Tensor) -> Bytes:
    """Return (P, C, H, W) as the pixels (H, W, P C) of a file."""
    return from_unit(x.reshape(-1, *x.shape[-2:]))


def png(values: Array) -> bytes:
    """Encode (H, W, 1 or 3) of uint8 as PNG."""
    file = io.BytesIO()
    image = Image.fromarray(values[..., 0] if values.shape[2] == 1 else values)
    image.save(file, format="PNG", compress_level=1)
    return file.getvalue()


def signed(score: Tensor) -> Array:
    """Show the mean of (P, C, H, W) over colours: blue below zero, white at zero, red above.

    Full colour is reached at the 99.5th percentile of the magnitudes.
    """
    plane = score.reshape(-1, *score.shape[-2:]).mean(0)
    sizes = plane.abs().flatten()
    full = sizes.kthvalue(max(1, int(0.995 * len(sizes)))).values.clamp(min=1e-12)
    share = (plane / full).clamp(-1, 1)
    red, blue = torch.tensor([0.70, 0.09, 0.17]), torch.tensor([0.13, 0.40, 0.67])
    ends = torch.where(share[..., None] > 0, red, blue)
    colour = torch.lerp(torch.ones_like(ends), ends, share.abs()[..., None])
    return values_of(colour.permute(2, 0, 1)[None])


def sheet(state: Sequence[Tensor]) -> Array | None:
    """Show the channels of a state's first sample side by side, zero in mid grey.

    None if no part of the state has the shape of an image.
    """
    maps = [
        part[0].flatten(0, -3)
        for part in state
        if part.ndim >= 4 and min(part.shape[-2:]) >= 4  # (N, ..., h, w)
    ]
    if not maps:
        return None
    size = max((each.shape[-2:] for each in maps), key=math.prod)
    channels = torch.cat(
        [F.interpolate(each[None].float(), size, mode="nearest-exact")[0] for each in maps]
    )[:_CHANNELS]
    across = math.ceil(math.sqrt(len(channels)))
    shrink = max(1, math.ceil(max(size) * across / _SIDE))
    small = F.avg_pool2d(channels[None], shrink, ceil_mode=True)[0]
    full = small.abs().amax((-2, -1), keepdim=True).clamp(min=1e-12)
    shown = F.pad(0.5 + 0.5 * small / full, (0, 1, 0, 1), value=1.0)
    blank = -len(shown) % across
    shown = torch.cat([shown, torch.ones(blank, *shown.shape[1:])])
    rows = [torch.cat(list(row), -1) for row in torch.split(shown, across)]
    return values_of(torch.cat(rows, -2)[None, None])
