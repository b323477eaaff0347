"""``rimkit evaluate``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from tqdm import tqdm

from rimkit import weights
from rimkit.evaluation import published
from rimkit.evaluation.protocols import (
    load_test_images,
    peak_memory,
    score_denoising,
    solver_restore,
)
from rimkit.evaluation.tables import (
    SIGMAS,
    format_rows,
    measured_row,
    published_rows,
    write_csv,
    write_rows,
)


def run(options: argparse.Namespace) -> int:
    """Score a denoiser on the test images and print its row beside the published ones."""
    model = weights.load(options.model)
    if model.config.network.channels != 1:
        raise ValueError(f"{options.model} is no grey model: the grey rows of Table 2 need one")
    for path in filter(None, (options.csv, options.per_image)):
        if not Path(path).absolute().parent.is_dir():
            raise ValueError(f"{path}: there is no such folder to write to")
    images = list(load_test_images(options.images))
    restore = solver_restore(model, steps=options.steps, precision=options.precision)
    scores = list(
        tqdm(
            score_denoising(images, SIGMAS, restore),
            total=len(images) * len(SIGMAS),
            unit="image",
            file=sys.stderr,
            disable=None,
        )
    )
    row = measured_row(
        f"rimkit {Path(options.model).stem}",
        scores,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        memory=peak_memory(),
        settings=f"{options.steps or model.steps} steps, {options.precision}, "
        f"weights {weights.sha256(options.model)[:16]}",
    )
    rows = [*published_rows(published.denoise_gray()), row]
    print(format_rows(rows))
    print(f"columns are images: sigma; {row.method}: {row.settings}")
    if options.csv:
        write_rows(rows, options.csv)
    if options.per_image:
        write_csv([dataclasses.asdict(score) for score in scores], options.per_image)
    return 0
