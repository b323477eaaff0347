"""Published scores, each with its source."""

from __future__ import annotations

import csv
import dataclasses
from importlib import resources


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


def denoise_gray() -> list[PublishedScore]:
    """Grey denoising on BSDS300: Table 2 of the paper, and later methods."""
    return _denoising("denoise_gray_bsd.csv")


def denoise_color() -> list[PublishedScore]:
    """Colour denoising on BSDS300: Table 1 of the paper, and a later method."""
    return _denoising("denoise_color_bsd.csv")


def _denoising(name: str) -> list[PublishedScore]:
    file = resources.files("rimkit.evaluation") / "published" / name
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
        for row in csv.DictReader(file.read_text().splitlines())
    ]
