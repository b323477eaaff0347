"""``rimkit restore``."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import logging
import math
import os
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

from tqdm import tqdm

import rimkit
from rimkit import atomic, weights
from rimkit.allocation import keep_large_blocks, resident
from rimkit.cli.main import fail, in_one_line, say
from rimkit.files.jobs import Job, left_out, plan
from rimkit.files.outcome import Outcome
from rimkit.files.run import DONE, Wishes, restore_files
from rimkit.files.ways import Denoisers, Restores
from rimkit.pixels import LEVELS
from rimkit.precision import Precision, slow
from rimkit.restoring.denoiser import Denoiser
from rimkit.restoring.inpainter import Inpainter
from rimkit.restoring.upscaler import Upscaler
from rimkit.rim import RIM
from rimkit.signals import handled, hang_up
from rimkit.tasks import DenoisingTask, InpaintingTask, SuperResolutionTask, Task
from rimkit.trained import check_trained_for, said_if_unknown, trained_range, trained_sigma

_NAMES: dict[type[Task], tuple[str, ...]] = {
    DenoisingTask: ("denoise-gray", "denoise-color"),
    InpaintingTask: ("inpainting",),
    SuperResolutionTask: ("super-resolution",),
}
"""The models that are used if none is named."""

_ROUNDING = 1e-3  # grey levels


def run(options: argparse.Namespace) -> int:
    """Restore files and folders; a file that fails does not stop the others."""
    if options.scale is not None and options.missing is not None:
        raise ValueError("--scale and --missing cannot be combined: fill in first, then enlarge")
    jobs = plan(options.sources, options.output, marks=options.missing, name=_suffix(options))
    if options.report is not None:
        _check_report(options.report, jobs)
    several = len(options.sources) > 1 or options.sources[0].is_dir()
    loaded = [_load(name, options) for name in _names(options)]
    models = [each.model for each in loaded]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may be any bytes
    keep_large_blocks()
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # losses are reported file by file
    restorers = [_restorer(each, options) for each in loaded]
    memory = options.memory - resident()
    if memory <= 0:
        raise ValueError(
            f"--memory: {resident() / 1e6:.0f} MB are in use before any image is read: "
            f"{options.memory / 1e6:.6g} MB are not enough"
        )
    for restorer in restorers:
        restorer.memory = memory
    if not options.quiet:
        _warn(loaded, options)
    wishes = Wishes(
        sigma=options.sigma if options.sigma == "auto" else options.sigma / LEVELS,
        overwrite=options.overwrite or not several,
        strip_metadata=options.strip_metadata,
    )
    outcomes: list[Outcome] = []
    progress = _Progress(models[0], options)
    try:
        # Any request to end acts like Ctrl-C, and leaves nothing half-done.
        with handled((signal.SIGTERM, *hang_up()), signal.default_int_handler), progress:
            for outcome in restore_files(
                jobs, _together(restorers), wishes, on_progress=progress.move
            ):
                outcomes.append(outcome)
                progress.tell(outcome)
    finally:
        if options.report is not None:
            _write_report(options.report, options, loaded, outcomes)
    count = Counter(outcome.status for outcome in outcomes)
    if several and not options.quiet:
        unchanged = sum(outcome.unchanged for outcome in outcomes)
        parts = [f"{count['restored'] - unchanged} restored"]
        parts += [f"{unchanged} left unchanged"] * bool(unchanged)
        parts += [f"{count[status]} {status}" for status in ("skipped", "failed")]
        done = sum(outcome.reason == DONE for outcome in outcomes)
        hint = f" ({done} already exist: use --overwrite)" if done else ""
        print(", ".join(parts) + hint, file=sys.stderr)
        if others := left_out(options.sources):
            counts = ", ".join(f"{count} {ending}" for ending, count in others.items())
            say(f"left out, as their formats are not supported (save them as TIFF): {counts}")
    if not several and count["skipped"]:
        return fail(f"{jobs[0].target}: {outcomes[0].reason}")
    return 1 if count["failed"] else 0


def _warn(loaded: Sequence[_Loaded], options: argparse.Namespace) -> None:
    warnings = [slow(options.precision)]
    for each in loaded:
        record = each.model.training_record
        warnings.append(said_if_unknown(_task(options), record, model=each.name))
    for warning in filter(None, warnings):
        say(warning)


def _suffix(options: argparse.Namespace) -> str:
    """Suffix of a result if no output is given: tasks do not overwrite each other's results."""
    if options.missing is not None:
        return "filled"
    return "restored" if options.scale is None else f"x{options.scale:g}"


class _How(TypedDict):
    """Arguments of all restorers."""

    steps: int | None
    precision: Precision | Literal["auto"]
    self_ensemble: bool


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """A model in the requested runtime, and what a report says about it."""

    model: RIM
    name: str
    weights_sha256: str
    runtime: str


def _names(options: argparse.Namespace) -> tuple[str, ...]:
    """The model that was named, else the default models for the task."""
    return _NAMES[_task(options)] if options.model is None else (options.model,)


def _task(options: argparse.Namespace) -> type[Task]:
    """What a model must be trained for."""
    if options.missing is not None:
        return InpaintingTask
    return DenoisingTask if options.scale is None else SuperResolutionTask


def _together(restorers: Sequence[Denoiser | Inpainter | Upscaler]) -> Restores:
    first, *more = restorers
    if more and isinstance(first, Denoiser) and isinstance(more[0], Denoiser):
        return Denoisers(grey=first, colour=more[0])
    return first


def _restorer(loaded: _Loaded, options: argparse.Namespace) -> Denoiser | Inpainter | Upscaler:
    model = loaded.model
    precision: Precision | Literal["auto"] = options.precision
    if loaded.runtime == "onnx":
        precision = "float32"
    how: _How = {
        "steps": options.steps,
        "precision": precision,
        "self_ensemble": options.self_ensemble,
    }
    sigma = None if options.sigma == "auto" else options.sigma / LEVELS
    if options.missing is not None:
        return Inpainter(model, sigma=sigma, **how)
    if options.scale is None:
        return Denoiser(model, **how)
    trained = trained_sigma(model.training_record)
    return Upscaler(model, scale=options.scale, sigma=trained if sigma is None else sigma, **how)


def _load(name: str, options: argparse.Namespace) -> _Loaded:
    is_graph = name.endswith(".onnx")
    runtime = options.runtime or ("onnx" if is_graph else "torch")
    if runtime == "torch" and is_graph:
        raise ValueError(f"{name} needs --runtime onnx")
    if runtime == "torch":
        loaded = _Loaded(weights.load(name), name, weights.sha256(name), runtime)
    else:
        if options.precision == "bfloat16":
            raise ValueError(f"--runtime onnx computes in float32, not in {options.precision}")
        from rimkit.onnx.cache import cached
        from rimkit.onnx.runtime import load

        graph = load(Path(name) if is_graph else cached(name))
        loaded = _Loaded(graph, name, graph.contents.weights_sha256, runtime)
    check_trained_for(_task(options), loaded.model.training_record, model=name)
    return loaded


def _check_report(path: Path, jobs: Sequence[Job]) -> None:
    """Check up front that a report can be written, and that it replaces no image."""
    images = {os.path.realpath(image) for job in jobs for image in (*job.inputs, job.target)}
    if os.path.realpath(path) in images:
        raise ValueError(f"{path}: the report would replace an image")
    atomic.check_place(path)
    if any(Path(os.path.realpath(path)) in Path(image).parents for image in images):
        raise ValueError(f"{path}: the report would replace a folder of images")


def _write_report(
    path: Path, options: argparse.Namespace, loaded: Sequence[_Loaded], outcomes: Sequence[Outcome]
) -> None:
    report = {
        "rimkit": rimkit.__version__,
        "models": [{"name": each.name, "weights_sha256": each.weights_sha256} for each in loaded],
        "runtime": loaded[0].runtime,
        "self_ensemble": options.self_ensemble,
        **({} if options.scale is None else {"scale": options.scale}),
        "files": [dataclasses.asdict(outcome) for outcome in outcomes],
    }
    with atomic.replacing(path) as file:
        file.write(json.dumps(report, indent=1).encode() + b"\n")


class _Progress:
    """A progress bar over all pixels, with the time left, and messages above it."""

    def __init__(self, model: RIM, options: argparse.Namespace) -> None:
        self._trained = trained_range(model.training_record)
        self._is_larger = options.scale is not None
        self._quiet = options.quiet
        self._bar = tqdm(
            total=1.0,
            disable=options.quiet or sys.stderr is None or None,
            leave=False,
            bar_format="{percentage:3.0f}%|{bar}| {elapsed} so far, {remaining} left",
        )

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def move(self, share: float) -> None:
        """Show the fraction of work done."""
        self._bar.update(share - self._bar.n)

    def tell(self, outcome: Outcome) -> None:
        """Report the outcome of a file; failures and losses even if quiet."""
        if outcome.status == "failed":
            with tqdm.external_write_mode(file=sys.stderr):
                fail(outcome.reason)
        if outcome.status == "skipped" and outcome.reason != DONE and not self._quiet:
            self._warn(f"{outcome.source}: {outcome.reason}")
        if outcome.status != "restored":
            return
        if not self._quiet:
            line = in_one_line(f"{outcome.target} ({self._told(outcome)})")
            tqdm.write(line, file=sys.stdout)
        for warning in outcome.warnings:
            self._warn(f"{outcome.source}: {warning}")
        low, high = self._trained or (0.0, math.inf)
        if not low - _ROUNDING <= (outcome.sigma or 0) <= high + _ROUNDING:
            trained = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            self._warn(
                f"{outcome.source}: sigma {outcome.sigma:.4g} is outside what the model was "
                f"trained for ({trained})"
            )

    def _told(self, outcome: Outcome) -> str:
        if outcome.missing_share is not None:
            return f"{outcome.missing_share:.1%} filled in"
        if self._is_larger:
            return f"{outcome.width}x{outcome.height}"
        shared = ", shared by its channels" if outcome.shares_noise else ""
        stayed = ", unchanged" if outcome.unchanged else ""
        return f"sigma {outcome.sigma:.1f}{shared}{stayed}"

    def _warn(self, message: str) -> None:
        with tqdm.external_write_mode(file=sys.stderr):
            say(message)
