"""Mean scores of weights, from the scores of single images that ``rimkit reproduce`` keeps."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path

import numpy as np

from rimkit.data import bsds300
from rimkit.evaluation.images import ROTH_BLACK
from rimkit.evaluation.inpainting import HOLES
from rimkit.evaluation.projections import PANELS, PER_IMAGE, TRAINED_STEPS
from rimkit.evaluation.tables import SIGMAS
from rimkit.reproduction.models import KNOWS
from rimkit.reproduction.super_resolution_methods import SCALES

PSNR_OF_PATCHES = f"mean PSNR in dB after {TRAINED_STEPS} steps, sigma 1 in the units of y"

ByImage = dict[str, tuple[float, float]]
"""PSNR in dB and SSIM by the name of the image."""


def mean_scores(
    files: list[Path], settings: str, *, knows_levels: bool = False
) -> tuple[dict[str, str], str]:
    """Read the scores of all images; return their means by card key, and a description.

    Parameters
    ----------
    files
        ``table1-images.csv``, ``table2-images.csv``, ``table3-images.csv``,
        ``inpainting-images.csv``, or the curves of a machine in ``figure2/``.
    settings
        Weights, steps and precision, as they stand in the files.
    knows_levels
        Whether 8-bit scores are those with the likelihood of rounded values, not the plain one.

    Raises
    ------
    ValueError
        If these weights were not scored, or not on every image.
    """
    means: dict[str, str] = {}
    kinds = set()
    for file in files:
        if file.suffix == ".npz":
            kinds.add(f"of patches {PSNR_OF_PATCHES}")
            means |= _projections(file, settings)
            continue
        rows = list(csv.DictReader(file.read_text().splitlines()))
        if not rows or not {"settings", "image"} <= rows[0].keys():
            raise ValueError(
                f"{file} holds no scores of single images: give tableN-images.csv or "
                "inpainting-images.csv"
            )
        if "scale" in rows[0]:
            kinds.add("mean over 100 images, luma")
            means |= _super_resolution(_with_sigma(rows, settings), file, settings)
        elif "holes" in rows[0]:
            kinds.add(f"mean over {ROTH_BLACK} images, all pixels and channels")
            means |= _inpainting(_with_sigma(rows, settings), file, settings)
        else:
            kinds.add("mean PSNR in dB, and mean SSIM")
            rounded = settings + KNOWS if knows_levels else settings
            own = [
                row
                for row in rows
                if row["settings"] == (rounded if row["quantised"] == "yes" else settings)
            ]
            if knows_levels:
                kinds.add(f"8-bit{KNOWS}")
            means |= _denoising(own, file, settings)
    return means, "; ".join(sorted(kinds))


def _with_sigma(rows: list[dict[str, str]], settings: str) -> list[dict[str, str]]:
    """The rows whose settings end in the sigma that the machine is told without noise."""
    return [row for row in rows if row["settings"].startswith(f"{settings}, sigma ")]


def _denoising(rows: list[dict[str, str]], file: Path, settings: str) -> dict[str, str]:
    found: dict[tuple[float, bool], ByImage] = {
        (sigma, quantised): {} for quantised in (False, True) for sigma in SIGMAS
    }
    for row in rows:
        place = float(row["sigma"]), row["quantised"] == "yes"
        found[place][row["image"]] = float(row["psnr_db"]), float(row["ssim"])
    scores = {
        f"sigma {sigma:g}" + (", 8-bit" if quantised else ""): scored
        for (sigma, quantised), scored in found.items()
    }
    names = _check(scores, file, settings)
    means = {}
    for score, end in ((0, ""), (1, ", SSIM")):
        for count in (ROTH_BLACK, len(names)):
            for key, scored in scores.items():
                mean = statistics.mean(scored[name][score] for name in names[:count])
                means[f"{count} images, {key}{end}"] = f"{mean:.5f}" if end else f"{mean:.4f}"
    return means


def _inpainting(rows: list[dict[str, str]], file: Path, settings: str) -> dict[str, str]:
    scores: dict[str, ByImage] = {holes.name: {} for holes in HOLES}
    for row in rows:
        if row["holes"] in scores:
            scores[row["holes"]][row["image"]] = float(row["psnr_db"]), float(row["ssim"])
    names = _check(scores, file, settings, count=ROTH_BLACK)
    return _by_kind(scores, names)


def _super_resolution(rows: list[dict[str, str]], file: Path, settings: str) -> dict[str, str]:
    found: dict[float, ByImage] = {scale: {} for scale in SCALES}
    for row in rows:
        scored = found.setdefault(float(row["scale"]), {})
        scored[row["image"]] = float(row["psnr"]), float(row["ssim"])
    scores = {f"x{scale:g}": found[scale] for scale in sorted(found)}
    return _by_kind(scores, _check(scores, file, settings))


def _projections(file: Path, settings: str) -> dict[str, str]:
    """Mean PSNR in every panel of Figure 2."""
    with np.load(file) as kept:
        said = json.loads(str(kept["about"]))["settings"]
        curves = {panel: kept[panel.name] for panel in PANELS}
    weights, _, _ = settings.partition(",")
    if not all(each.startswith(f"{weights},") for each in said.values()):
        raise ValueError(f"{file} does not hold the scores of these weights ({settings})")
    tests = [name for name in bsds300.checksums() if name.startswith("test/")]
    if any(values.shape[1] != len(tests) for values in curves.values()):
        raise ValueError(f"{file} does not hold all {len(tests)} images")
    patches = f"{len(tests) * PER_IMAGE:,} patches"
    return {
        f"{patches}, {panel.title}": f"{means[:, TRAINED_STEPS].mean():.4f}"
        for panel, (means, _) in curves.items()
    }


def _by_kind(scores: dict[str, ByImage], names: list[str]) -> dict[str, str]:
    """Means over the images: all PSNR first, then all SSIM."""
    return {
        f"{len(names)} images, {key}, {kind}": f"{statistics.mean(values):.{digits}f}"
        for place, kind, digits in ((0, "PSNR", 4), (1, "SSIM", 5))
        for key, scored in scores.items()
        for values in [[scored[name][place] for name in names]]
    }


def _check(
    scores: dict[str, ByImage], file: Path, settings: str, *, count: int | None = None
) -> list[str]:
    """Return the names of the first ``count`` test images (None: all), if all are scored."""
    tests = [Path(name).stem for name in bsds300.checksums() if name.startswith("test/")]
    names = tests[:count]
    if not any(scores.values()):
        raise ValueError(f"{file} does not hold the scores of these weights ({settings})")
    for key, scored in scores.items():
        if not scored.keys() >= set(names):
            there = len(scored.keys() & set(names))
            raise ValueError(f"{file} holds {there} of {len(names)} images at {key}")
    return names
