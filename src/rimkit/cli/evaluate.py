"""``rimkit evaluate``."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from pathlib import Path

from tqdm import tqdm

from rimkit import weights
from rimkit.ensemble import SelfEnsemble
from rimkit.evaluation import published
from rimkit.evaluation.protocols import (
    Condition,
    load_test_images,
    noisy,
    peak_memory,
    score_denoising,
    seconds_of,
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
from rimkit.reproduction.scores import KNOWS
from rimkit.tasks import DenoisingTask, RandomProjectionsTask
from rimkit.trained import check_trained_for, knows_levels

_TIMED = 10  # images, at sigma 25


def run(options: argparse.Namespace) -> int:
    """Score a denoiser on the test images and print its row beside the published ones."""
    model = weights.load(options.model)
    record = model.training_record
    if record.get("task", {}).get("name") != RandomProjectionsTask.table_name:  # which denoise, too
        check_trained_for(DenoisingTask, record, model=options.model)
    channels = model.config.network.channels
    for path in filter(None, (options.csv, options.per_image)):
        if not Path(path).absolute().parent.is_dir():
            raise ValueError(f"{path}: there is no such folder to write to")
    images = list(load_test_images(options.images, channels=channels))
    quantised = (False, True) if options.quantised else (False,)
    conditions = [Condition(sigma, which) for which in quantised for sigma in SIGMAS]
    knows = knows_levels(record)
    restore = solver_restore(
        SelfEnsemble(model) if options.self_ensemble else model,
        steps=options.steps,
        precision=options.precision,
        knows_levels=knows,
    )
    scores = list(
        tqdm(
            score_denoising(images, conditions, restore),
            total=len(images) * len(conditions),
            unit="image",
            file=sys.stderr,
            disable=None,
        )
    )
    timed = [noisy(image, conditions[1]) for image in images[:_TIMED]]
    row = measured_row(
        f"rimkit {Path(options.model).stem}",
        scores,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        seconds=seconds_of([functools.partial(restore, y, conditions[1]) for y in timed]),
        memory=peak_memory(),
        settings=f"{options.steps or model.steps} steps, {options.precision}, "
        f"weights {weights.sha256(options.model)[:16]}"
        f"{', self-ensemble' if options.self_ensemble else ''}"
        f"{KNOWS if options.quantised and knows else ''}",
    )
    theirs = published.denoise_gray() if channels == 1 else published.denoise_color()
    rows = [*published_rows(score for score in theirs if score.quantised in quantised), row]
    print(format_rows(rows, conditions=conditions))
    print(f"columns are images: sigma; {row.method}: {row.settings}")
    if options.csv:
        write_rows(rows, options.csv)
    if options.per_image:
        write_csv([dataclasses.asdict(score) for score in scores], options.per_image)
    return 0
