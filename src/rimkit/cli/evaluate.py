"""``rimkit evaluate``: on the test images of BSDS300, or on images of one's own."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from pathlib import Path

from tqdm import tqdm

from rimkit import atomic, weights
from rimkit.cli.main import say
from rimkit.data.images import list_images, load_bytes
from rimkit.ensemble import SelfEnsemble
from rimkit.evaluation import published
from rimkit.evaluation.denoising import Condition, noisy, score_denoising, solver_restore
from rimkit.evaluation.images import load_image, load_test_images
from rimkit.evaluation.own_images import PATCH, score_task, to_text
from rimkit.evaluation.tables import SIGMAS, format_rows, measured_row, published_rows, write_rows
from rimkit.evaluation.timing import memory_of, seconds_of
from rimkit.metrics import SMALLEST
from rimkit.precision import slow
from rimkit.provenance import stamp, version
from rimkit.reproduction.models import KNOWS
from rimkit.rim import RIM
from rimkit.sheets import write_csv
from rimkit.tasks import DenoisingTask, RandomProjectionsTask, task_from_table
from rimkit.trained import check_trained_for, knows_levels, said_if_unknown, task_name, task_table
from rimkit.weights.record import parameter_count, title

_TIMED = 10  # images, at sigma 25


def run(options: argparse.Namespace) -> int:
    """Score a denoiser on the test images beside the published rows, or a model on one's own."""
    version()  # of the code that measures
    for path in filter(None, (options.csv, options.per_image)):
        if not Path(path).absolute().parent.is_dir():
            raise ValueError(f"{path}: its folder does not exist")
        atomic.check_place(Path(path))
    if warning := slow(options.precision):
        say(warning)
    model = weights.load(options.model)
    if warning := said_if_unknown(DenoisingTask, model.training_record, model=str(options.model)):
        say(warning)
    return _on_test_images(model, options) if options.data is None else _on_own(model, options)


def _on_own(model: RIM, options: argparse.Namespace) -> int:
    if options.quantised or options.csv or options.images is not None:
        raise ValueError(
            "--images, --quantised and --csv are for the test images: with --data, the problems "
            "come from the model's own task, and --per-image writes the scores"
        )
    table = model.training_record.get("recipe", {})
    task = task_from_table(task_table(model.training_record))
    paths = list_images(options.data)
    for path in paths:  # before the first is solved
        if min(load_bytes(path, channels=1).shape[1:]) < SMALLEST:
            raise ValueError(f"{path}: images must have at least {SMALLEST}x{SMALLEST} pixels")
    images = (
        dataclasses.replace(
            load_image(path, channels=model.config.network.channels),
            name=path.relative_to(options.data).with_suffix("").as_posix(),
        )
        for path in paths
    )
    scores = list(
        tqdm(
            score_task(
                SelfEnsemble(model) if options.self_ensemble else model,
                task,
                images,
                steps=options.steps,
                precision=options.precision,
                patch=table.get("data", {}).get("patch", PATCH),
            ),
            total=len(paths) * len(task.validation()),
            unit="image",
            file=sys.stderr,
            disable=sys.stderr is None or None,
        )
    )
    print(to_text(scores))
    print(f"means over {len(paths)} images; PSNR in dB; start: where the solver starts")
    print(f"rimkit evaluate: {stamp()}")
    if options.per_image:
        write_csv([dataclasses.asdict(score) for score in scores], options.per_image)
    return 0


def _on_test_images(model: RIM, options: argparse.Namespace) -> int:
    record = model.training_record
    if task_name(record) != RandomProjectionsTask.table_name:  # these denoise, too
        check_trained_for(DenoisingTask, record, model=options.model)
    channels = model.config.network.channels
    images = list(load_test_images(options.images or 100, channels=channels))
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
            disable=sys.stderr is None or None,
        )
    )
    timed = [noisy(image, conditions[1]) for image in images[:_TIMED]]
    row = measured_row(
        title(options.model, record),
        scores,
        parameters=parameter_count(model),
        seconds=seconds_of([functools.partial(restore, y, conditions[1]) for y in timed]),
        memory=memory_of(functools.partial(restore, timed[0], conditions[1])),
        settings=f"{options.steps or model.steps} steps, {options.precision}, "
        f"weights {weights.sha256(options.model)[:16]}"
        f"{', self-ensemble' if options.self_ensemble else ''}"
        f"{KNOWS if options.quantised and knows else ''}",
    )
    theirs = published.denoise_gray() if channels == 1 else published.denoise_color()
    rows = [*published_rows(score for score in theirs if score.quantised in quantised), row]
    print(format_rows(rows, conditions=conditions))
    print(f"columns are images: sigma; {row.method}: {row.settings}")
    print(f"rimkit evaluate: {stamp()}")
    if options.csv:
        write_rows(rows, options.csv)
    if options.per_image:
        write_csv([dataclasses.asdict(score) for score in scores], options.per_image)
    return 0
