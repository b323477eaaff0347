"""Images that are overwritten by their estimates, whole or band by band."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from rimkit.operators import Window
from rimkit.pixels import Array, to_unit, write_unit


def views(values: Array, channels: int, *, shows_grey: bool = False) -> list[Array]:
    """Split an image (H, W, C) into views that a model with ``channels`` channels can take.

    A one-channel model gets one view per channel. ``shows_grey``: whether a grey image may be given
    to a model with more channels.

    Raises
    ------
    ValueError
        If the model cannot take the image.
    """
    own = values.shape[2]
    if own == channels or (own == 1 and shows_grey):
        return [values]
    if channels == 1:
        return [values[..., channel : channel + 1] for channel in range(own)]
    raise ValueError(f"this model takes {channels} channels, the image has {own}")


class InPlace:
    """An image (H, W, C), or some of its channels, overwritten by its estimate.

    A `rimkit.restoring.restorer.Part` without ``problem`` and ``settle``.

    Parameters
    ----------
    values
        The pixels; may be a view.
    sigma
        Noise standard deviation where white is 1.
    channels
        Number that the model takes; that of the image if None. For a three-channel model, a grey
        image is repeated three times and the results are averaged.
    """

    def __init__(self, values: Array, sigma: float, *, channels: int | None = None) -> None:
        height, width, own = values.shape
        channels = own if channels is None else channels
        self.shape = (channels, height, width)
        self.sigma = sigma
        self.row_bytes = width * (4 * channels + 2 * own * values.itemsize)
        self._values = values
        self._top = 0  # first of the rows that are held unchanged
        self._held = values[:0]

    def measurement(self, window: Window | None = None) -> Tensor:
        """Return y (C, h, w), whole or a window of it."""
        values = self._values
        if window is not None:
            rows, columns = window
            values = self._held[rows.start - self._top : rows.stop - self._top, columns]
        return to_unit(values).expand(self.shape[0], -1, -1)

    def hold(self, rows: slice) -> None:
        """Keep rows unchanged until others are requested."""
        fresh = self._values[self._top + len(self._held) : rows.stop]
        self._held = np.concatenate([self._held[rows.start - self._top :], fresh])
        self._top = rows.start

    def write(self, top: int, x: Tensor) -> None:
        """Overwrite y with rows (C, H, W) of the estimate."""
        if self._values.shape[2] < x.shape[0]:
            x = x.mean(0, keepdim=True)
        rows = self._values[top : top + x.shape[1]]
        before = rows.copy() if rows.dtype.itemsize > x.dtype.itemsize else None
        write_unit(rows, x)
        if before is not None:  # unchanged values keep the digits that x cannot hold
            np.copyto(rows, before, where=rows == before.astype(np.float32))
