"""Published scores, each with its source."""

from __future__ import annotations

import csv
import dataclasses
import math
from importlib import resources

from rimkit.evaluation.quality import Quality
from rimkit.evaluation.statistics import Mean


@dataclasses.dataclass(frozen=True)
class PublishedScore:
    """One published number: mean PSNR in dB over the first 68 or all 100 test images."""

    method: str
    parameters: int | None
    sigma: float
    quantised: bool
    images: int
    psnr: float
    source: str


@dataclasses.dataclass(frozen=True)
class PublishedLarger:
    """Mean PSNR (dB) and SSIM on luma over the 100 test images, with their standard deviations."""

    method: str
    parameters: int | None
    scale: float
    psnr: Mean
    ssim: Mean
    source: str


def super_resolution() -> list[PublishedLarger]:
    """Super-resolution on BSDS300: Table 3 of the paper, and later methods."""
    return [
        PublishedLarger(
            method=row["method"],
            parameters=int(row["parameters"]) if row["parameters"] else None,
            scale=float(row["scale"]),
            psnr=_mean(row["psnr_db"], row["psnr_sem"]),
            ssim=_mean(row["ssim"], row["ssim_sem"]),
            source=row["source"],
        )
        for row in _lines("super_resolution_bsd100.csv")
    ]


IMAGE_BY_IMAGE = {
    "Bicubic": "bicubic",
    "SRCNN": "srcnn",
    "A+": "aplus",
    "SelfExSR": "selfexsr",
}
"""The methods of Table 3 with published scores of every image, and their columns."""


def super_resolution_images() -> dict[tuple[str, float, str], Quality]:
    """PSNR and SSIM by method, scale and image, as on the project page of Huang et al. (2015)."""
    return {
        (method, float(row["scale"]), row["image"]): Quality(
            float(row[f"psnr_{column}"]),
            float(row[f"ssim_{column}"]),
        )
        for row in _lines("super_resolution_bsd100_images.csv")
        for method, column in IMAGE_BY_IMAGE.items()
    }


def denoise_gray() -> list[PublishedScore]:
    """Grey denoising on BSDS300: Table 2 of the paper, and later methods."""
    return _denoising("denoise_gray_bsd.csv")


def denoise_color() -> list[PublishedScore]:
    """Colour denoising on BSDS300: Table 1 of the paper, and a later method."""
    return _denoising("denoise_color_bsd.csv")


def _denoising(name: str) -> list[PublishedScore]:
    return [
        PublishedScore(
            method=row["method"],
            parameters=int(row["parameters"]) if row["parameters"] else None,
            sigma=float(row["sigma"]),
            quantised=row["quantised"] == "yes",
            images=int(row["images"]),
            psnr=float(row["psnr_db"]),
            source=row["source"],
        )
        for row in _lines(name)
    ]


def _mean(value: str, deviation: str) -> Mean:
    return Mean(float(value), float(deviation) if deviation else math.nan)


def _lines(name: str) -> csv.DictReader[str]:
    file = resources.files("rimkit.evaluation") / "published" / name
    return csv.DictReader(file.read_text().splitlines())
