"""``rimkit restore``."""

from __future__ import annotations

import argparse
import dataclasses
import sys

from tqdm import tqdm

from rimkit import weights
from rimkit.cli.main import fail
from rimkit.files.jobs import Job, plan
from rimkit.files.picture import read_picture, write_picture
from rimkit.restoration import Sigma, denoise
from rimkit.rim import RIM
from rimkit.tasks import LEVELS


def run(options: argparse.Namespace) -> int:
    """Restore a file or a folder; a file that fails does not stop the others."""
    jobs = plan(options.source, options.output)
    is_folder = options.source.is_dir()
    skipped = [job for job in jobs if is_folder and not options.overwrite and job.target.exists()]
    todo = [job for job in jobs if job not in set(skipped)]
    model = weights.load(options.model)
    sigma = options.sigma if options.sigma == "auto" else options.sigma / LEVELS
    failed = 0
    with _Progress(todo, steps=options.steps or model.steps, quiet=options.quiet) as progress:
        for job in todo:
            try:
                level = _restore(model, job, sigma, options.steps, progress)
                progress.say(f"{job.target} (sigma {level * LEVELS:.1f})")
            except (ValueError, OSError, RuntimeError, MemoryError) as error:
                failed += 1
                progress.fail(job, error)
    if is_folder and not options.quiet:
        done = len(todo) - failed
        print(f"{done} restored, {len(skipped)} skipped, {failed} failed", file=sys.stderr)
    return 1 if failed else 0


def _restore(model: RIM, job: Job, sigma: Sigma, steps: int | None, progress: _Progress) -> float:
    picture = read_picture(job.source)
    pixels, level = denoise(
        model, picture.pixels, sigma=sigma, steps=steps, on_step=lambda _: progress.step()
    )
    write_picture(dataclasses.replace(picture, pixels=pixels), job.target)
    return level


class _Progress:
    """A bar over all steps of all files, with the time left, and lines above it."""

    def __init__(self, jobs: list[Job], *, steps: int, quiet: bool) -> None:
        self._quiet = quiet
        self._steps = steps
        self._files = 0
        self._bar = tqdm(total=len(jobs) * steps, unit="step", disable=quiet or None, leave=False)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.close()

    def step(self) -> None:
        self._bar.update()

    def say(self, line: str) -> None:
        self._next_file()
        if not self._quiet:
            tqdm.write(line, file=sys.stdout)

    def fail(self, job: Job, error: Exception) -> None:
        self._next_file()
        text = str(error)
        if isinstance(error, OSError) and error.strerror:
            text = f"{error.filename or job.target}: {error.strerror}"
        with tqdm.external_write_mode(file=sys.stderr):
            fail(
                text
                if str(job.source) in text or str(job.target) in text
                else f"{job.source}: {text}"
            )

    def _next_file(self) -> None:
        self._files += 1
        self._bar.update(self._files * self._steps - self._bar.n)
