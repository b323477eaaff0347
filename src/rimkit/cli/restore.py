"""``rimkit restore``."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path

from tqdm import tqdm

from rimkit import weights
from rimkit.cli.main import fail
from rimkit.estimation import estimate_sigma
from rimkit.files.jobs import Job, plan
from rimkit.files.metadata import Metadata, profile_name
from rimkit.files.picture import format_of, read_picture, write_picture
from rimkit.restoration import Sigma, denoise
from rimkit.rim import RIM
from rimkit.tasks import LEVELS

_VISIBLE = 1.0  # grey levels of noise, below which transparency is taken to have none
_FAILURES = (ValueError, OSError, RuntimeError, MemoryError)


def run(options: argparse.Namespace) -> int:
    """Restore a file or a folder; a file that fails does not stop the others."""
    jobs = plan(options.source, options.output)
    is_folder = options.source.is_dir()
    skip = is_folder and not options.overwrite
    todo = [job for job in jobs if not (skip and job.target.exists())]
    model = weights.load(options.model)
    failed = 0
    with _Progress(len(todo), quiet=options.quiet) as progress:
        for job in todo:
            try:
                level = _restore(model, job, options, progress)
            except _FAILURES as error:
                failed += 1
                progress.fail(job, error)
            else:
                progress.done(job, level, model)
    if is_folder and not options.quiet:
        done, skipped = len(todo) - failed, len(jobs) - len(todo)
        print(f"{done} restored, {skipped} skipped, {failed} failed", file=sys.stderr)
    return 1 if failed else 0


def _restore(model: RIM, job: Job, options: argparse.Namespace, progress: _Progress) -> float:
    """Restore one file and return the sigma that was used.

    Transparency is a plane of its own: mostly without noise, and then left as it is.
    """
    sigma: Sigma = options.sigma if options.sigma == "auto" else options.sigma / LEVELS
    _check_target(job.target)
    picture = read_picture(job.source)
    profile = picture.metadata.icc
    if profile and "sRGB" not in profile_name(profile):
        name = profile_name(profile) or "one that cannot be read"
        progress.warn(f"{job.source}: its colour profile is not sRGB but {name}; it is carried on")
    if options.strip_metadata:
        picture = dataclasses.replace(picture, metadata=Metadata(icc=profile))
    pixels, level = denoise(
        model, picture.pixels, sigma=sigma, steps=options.steps, on_step=progress.move
    )
    alpha = picture.alpha
    if alpha is not None and (own := float(estimate_sigma(alpha[None]))) * LEVELS > _VISIBLE:
        alpha, _ = denoise(model, alpha, sigma=own, steps=options.steps)
    write_picture(dataclasses.replace(picture, pixels=pixels, alpha=alpha), job.target)
    return level


def _check_target(target: Path) -> None:
    """Find out before the work whether its result can be written."""
    format_of(target)
    folder = next(parent for parent in target.parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(20, os.strerror(20), str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(13, os.strerror(13), str(folder))


class _Progress:
    """A bar over all files, with the time left, and lines above it."""

    def __init__(self, files: int, *, quiet: bool) -> None:
        self._quiet = quiet
        self._files = 0
        self._bar = tqdm(
            total=files,
            disable=quiet or None,
            leave=False,
            bar_format="{percentage:3.0f}%|{bar}| {elapsed} so far, {remaining} left",
        )

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def move(self, share: float) -> None:
        """Show that so much of the present file is done."""
        self._bar.update(self._files + share - self._bar.n)

    def done(self, job: Job, level: float, model: RIM) -> None:
        """Say where a file went."""
        self._next_file()
        if self._quiet:
            return
        tqdm.write(f"{job.target} (sigma {level * LEVELS:.1f})", file=sys.stdout)
        trained = model.training_record.get("task", {}).get("sigma")
        if trained and not trained[0] <= level * LEVELS <= trained[1]:
            self.warn(
                f"{job.source}: sigma {level * LEVELS:.1f} is outside what the model was "
                f"trained for ({trained[0]:g} to {trained[1]:g})"
            )

    def warn(self, message: str) -> None:
        """Say something about a file that does not stop it."""
        if not self._quiet:
            tqdm.write(f"rimkit: {message}", file=sys.stderr)

    def fail(self, job: Job, error: Exception) -> None:
        """Say why a file failed, whatever else is quiet."""
        self._next_file()
        text = str(error)
        if isinstance(error, OSError) and error.strerror:
            text = f"{job.target}: {error.strerror}"
        elif isinstance(error, MemoryError) or "allocate memory" in text:
            text = "not enough memory for an image of this size"
        if str(job.source) not in text and str(job.target) not in text:
            text = f"{job.source}: {text}"
        with tqdm.external_write_mode(file=sys.stderr):
            fail(text)

    def _next_file(self) -> None:
        self._files += 1
        self.move(0)
