"""What the log of a training calls the scores of held-out images."""

from __future__ import annotations

from collections.abc import Collection

PSNR = "val/psnr_"
"""Begins the name of a PSNR in dB; that of the validation problem follows."""

LATE = "_late"
"""Ends the name of a PSNR after ``late`` times the machine's own number of steps."""


def own(names: Collection[str]) -> list[str]:
    """Those of the machine's own number of steps, whatever their problems are called."""
    late = {name + LATE for name in names}
    return [name for name in names if name not in late]
