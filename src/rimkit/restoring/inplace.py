"""Images whose estimates take their place, whole or band by band."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from rimkit.operators import Window
from rimkit.pixels import Array, to_unit, write_unit


def views(values: Array, channels: int, *, shows_grey: bool = False) -> list[Array]:
    """Views of an image (H, W, C) that a model of so many channels solves together.

    One of one channel takes them one by one. ``shows_grey``: whether a grey image may be shown to
    one of more.

    Raises
    ------
    ValueError
        If the model does not take the image.
    """
    own = values.shape[2]
    if own == channels or (own == 1 and shows_grey):
        return [values]
    if channels == 1:
        return [values[..., channel : channel + 1] for channel in range(own)]
    raise ValueError(f"this model takes {channels} channels, the image has {own}")


class InPlace:
    """An image (H, W, C), or some channels of one, whose estimate takes its place.

    What a `rimkit.restoring.restorer.Part` has but ``problem`` and ``settle``.

    Parameters
    ----------
    values
        The pixels; may be a view.
    sigma
        Noise standard deviation where white is 1.
    channels
        Of the model; those of the image if None. To a model of three a grey image is shown three
        times, and what comes back is averaged.
    """

    def __init__(self, values: Array, sigma: float, *, channels: int | None = None) -> None:
        height, width, own = values.shape
        channels = own if channels is None else channels
        self.shape = (channels, height, width)
        self.sigma = sigma
        self.row_bytes = width * (4 * channels + 2 * own * values.itemsize)
        self._values = values
        self._top = 0  # of the rows that are held as they were
        self._held = values[:0]

    def measurement(self, window: Window | None = None) -> Tensor:
        """Return y (C, h, w), all or a window of it."""
        values = self._values
        if window is not None:
            rows, columns = window
            values = self._held[rows.start - self._top : rows.stop - self._top, columns]
        return to_unit(values).expand(self.shape[0], -1, -1)

    def hold(self, rows: slice) -> None:
        """Keep rows as they are until others are asked for."""
        fresh = self._values[self._top + len(self._held) : rows.stop]
        self._held = np.concatenate([self._held[rows.start - self._top :], fresh])
        self._top = rows.start

    def write(self, top: int, x: Tensor) -> None:
        """Put rows of the estimate (C, H, W) where y was."""
        if self._values.shape[2] < x.shape[0]:
            x = x.mean(0, keepdim=True)
        rows = self._values[top : top + x.shape[1]]
        before = rows.copy() if rows.dtype.itemsize > x.dtype.itemsize else None
        write_unit(rows, x)
        if before is not None:  # what has not changed keeps the digits that x has no place for
            np.copyto(rows, before, where=rows == before.astype(np.float32))
