"""The quality of 8-bit estimates, and averages over images."""

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
"""Quality by image, of one method in one column of a table."""


class Metric(enum.Enum):
    """The metric of a table: its title, its unit, and the number of decimals shown."""

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
        """Mean over images, with its standard deviation."""
        return bootstrap_mean(self.of(qualities.values()))

    def text(self, mean: Mean) -> str:
        """Format a mean for a table."""
        return f"{mean:.{self.digits}f}"


def csv_cells(qualities: Qualities) -> dict[str, str]:
    """Means of both metrics and their deviations, by column name in files of results."""
    psnr, ssim = (metric.mean(qualities) for metric in Metric)
    return {
        "psnr_db": f"{psnr.value:.4f}",
        "psnr_deviation": f"{psnr.deviation:.4f}",
        "ssim": f"{ssim.value:.5f}",
        "ssim_deviation": f"{ssim.deviation:.5f}",
    }
