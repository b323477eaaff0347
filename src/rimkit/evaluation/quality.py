"""How good an estimate of 8 bits is, and an average over images."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from rimkit.evaluation.statistics import Mean, bootstrap_mean


class Quality(NamedTuple):
    """PSNR in dB, and SSIM."""

    psnr: float
    ssim: float


Qualities = Mapping[str, Quality]
"""Of one method in one column of a table: by image."""


class Metric(enum.Enum):
    """What a table is of: its title, its unit, and how many digits of it are shown."""

    PSNR = "PSNR in dB", "dB", 2
    SSIM = "SSIM", "SSIM", 4

    def __init__(self, title: str, unit: str, digits: int) -> None:
        self.title = title
        self.unit = unit
        self.digits = digits

    def of(self, qualities: Iterable[Quality]) -> list[float]:
        """Its values, image by image."""
        return [each.psnr if self is Metric.PSNR else each.ssim for each in qualities]

    def mean(self, qualities: Qualities) -> Mean:
        """Over images, with its standard deviation."""
        return bootstrap_mean(self.of(qualities.values()))

    def text(self, mean: Mean) -> str:
        """A mean in a table."""
        return f"{mean:.{self.digits}f}"


def csv_cells(qualities: Qualities) -> dict[str, str]:
    """Means of both measures and their deviations, by the names of columns in files of results."""
    psnr, ssim = (metric.mean(qualities) for metric in Metric)
    return {
        "psnr_db": f"{psnr.value:.4f}",
        "psnr_deviation": f"{psnr.deviation:.4f}",
        "ssim": f"{ssim.value:.5f}",
        "ssim_deviation": f"{ssim.deviation:.5f}",
    }
