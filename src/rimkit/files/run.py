"""Restore files in turn: images of one kind together, each file claimed by one process."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator, Sequence

from rimkit import atomic
from rimkit.files.formats import format_of, format_within
from rimkit.files.jobs import Job
from rimkit.files.losses import what_is_lost
from rimkit.files.metadata import colours_alone
from rimkit.files.outcome import Outcome, failure_of, outcome_of
from rimkit.files.picture import (
    Picture,
    read_picture,
    size_of,
    write_picture,
)
from rimkit.files.ways import BY_JPEG, Prepared, Restores, Way, way_of
from rimkit.pixels import LEVELS
from rimkit.restoring.denoiser import Sigma

FAILURES = (ValueError, OSError, RuntimeError, MemoryError, ArithmeticError, struct.error)
DONE = "it already exists"
_MOST_TOGETHER = 64  # each keeps its claim, and is lost if the run is interrupted


@dataclasses.dataclass(frozen=True)
class Wishes:
    """How files are to be restored.

    Attributes
    ----------
    sigma
        Noise level where white is 1, or ``"auto"``. Upscalers and inpainters have their own.
    overwrite
        Whether existing targets are written again.
    strip_metadata
        Whether camera, position, author, date and resolution are left out.
    """

    sigma: Sigma = "auto"
    overwrite: bool = False
    strip_metadata: bool = False


def restore_files(
    jobs: Sequence[Job],
    restorer: Restores,
    wishes: Wishes,
    *,
    on_progress: Callable[[float], None] | None = None,
) -> Iterator[Outcome]:
    """Restore files and yield each outcome as soon as it is known; a bad file stops no other.

    Parameters
    ----------
    jobs
        What to restore.
    restorer, wishes
        How to restore.
    on_progress
        Called from time to time with the fraction of work done, up to 1.
    """
    way = way_of(restorer)
    todo = []
    for job in jobs:
        if job.result_of is not None:
            yield outcome_of(job, "skipped", f"taken for the result of {job.result_of}")
        elif job.refusal:
            yield outcome_of(job, "failed", f"{job.source}: {job.refusal}")
        elif not wishes.overwrite and os.path.exists(job.target):
            atomic.tidy(job.target)
            yield outcome_of(job, "skipped", DONE)
        else:
            todo.append((size_of(job.source), job))
    todo.sort(key=lambda item: item[0])  # stable: images of one size stay in order of name
    work = _Work(sum(height * width for (height, width), _ in todo), on_progress)
    waiting: list[_Opened] = []
    try:
        for size, group in itertools.groupby(todo, key=lambda item: item[0]):
            for _, job in group:
                opened = _open(job, way, wishes)
                if isinstance(opened, Outcome):
                    work.finish(math.prod(size))
                    yield opened
                    continue
                if waiting and waiting[0].kind != opened.kind:
                    yield from _restore(waiting, way, work)
                waiting.append(opened)
                if len(waiting) >= min(_MOST_TOGETHER, way.capacity(opened.prepared)):
                    yield from _restore(waiting, way, work)
            yield from _restore(waiting, way, work)
    finally:
        for opened in waiting:
            opened.claim.close()


@dataclasses.dataclass(frozen=True)
class _Opened:
    """A file that has been read; no other process works on it until the claim is closed."""

    job: Job
    prepared: Prepared
    is_copied: bool
    warnings: tuple[str, ...]
    claim: contextlib.ExitStack
    seconds: float

    @property
    def kind(self) -> tuple[tuple[int, ...], str, bool]:
        """What pictures restored together have in common: shape, depth and model."""
        values = self.prepared.picture.values
        return values.shape, values.dtype.str, self.prepared.shares_noise


def _open(job: Job, way: Way, wishes: Wishes) -> _Opened | Outcome:
    began = time.perf_counter()
    try:
        with contextlib.ExitStack() as stack:
            _check_target(job)
            if not stack.enter_context(atomic.claimed(job.target)):
                return outcome_of(job, "skipped", "another process is working on it")
            if job.target.exists() and not wishes.overwrite:
                return outcome_of(job, "skipped", DONE)
            picture = read_picture(job.source)
            if wishes.strip_metadata:
                picture = dataclasses.replace(picture, metadata=colours_alone(picture.metadata))
            prepared = way.prepare(picture, wishes.sigma, job)
            is_copied = _is_copied(prepared, job, wishes)
            told = list(prepared.warnings)
            if not is_copied:
                told += what_is_lost(picture.metadata, format_of(job.target))
            if not is_copied and prepared.unchanged and format_of(job.target) == "JPEG":
                told.append(BY_JPEG)
            claim = stack.pop_all()  # kept until the file is written
    except FAILURES as error:
        return failure_of(job, error)
    return _Opened(job, prepared, is_copied, tuple(told), claim, time.perf_counter() - began)


def _is_copied(prepared: Prepared, job: Job, wishes: Wishes) -> bool:
    """Whether the result is a copy of the source, which encoding it again might change."""
    same = prepared.unchanged and not wishes.strip_metadata
    return same and format_within(job.source) == format_of(job.target)


def _restore(waiting: list[_Opened], way: Way, work: _Work) -> Iterator[Outcome]:
    """Restore and write the files that are waiting, and empty the list."""
    if not waiting:
        return
    began = time.perf_counter()
    pixels = math.prod(waiting[0].kind[0][:2])
    together = len(waiting)
    problem: Exception | None = None
    pictures: list[Picture] = []
    try:
        pictures = way.restore(
            [opened.prepared for opened in waiting],
            on_progress=lambda share: work.show(share * pixels * together),
        )
    except FAILURES as error:
        problem = error
    each = (time.perf_counter() - began) / together
    while waiting:
        opened = waiting[0]
        began = time.perf_counter()
        with atomic.told_if_written(opened.job.target):
            try:
                if problem is not None:
                    raise problem
                picture = pictures.pop(0)
                _write(picture, opened)
            except FAILURES as error:
                outcome = failure_of(opened.job, error)
            else:
                height, width = picture.values.shape[:2]
                outcome = dataclasses.replace(
                    outcome_of(opened.job, "restored"),
                    warnings=opened.warnings,
                    sigma=opened.prepared.noisy[0].sigma * LEVELS,
                    shares_noise=opened.prepared.shares_noise,
                    unchanged=opened.prepared.unchanged,
                    missing_share=opened.prepared.missing_share,
                    width=width,
                    height=height,
                    seconds=opened.seconds + each + time.perf_counter() - began,
                )
            waiting.pop(0).claim.close()
            work.finish(pixels)
            yield outcome


def _write(picture: Picture, opened: _Opened) -> None:
    job = opened.job
    if not opened.is_copied:
        write_picture(picture, job.target, like=job.source)
        return
    with job.source.open("rb") as source, atomic.replacing(job.target, like=job.source) as target:
        shutil.copyfileobj(source, target)


def _check_target(job: Job) -> None:
    """Check up front that the result can be written, and where it would go."""
    try:
        format_of(job.target)
    except ValueError as error:
        if job.source.suffix.lower() != job.target.suffix.lower():
            raise
        raise ValueError(
            f"{job.source}: by its extension, this is not an image that can be read; {error}"
        ) from error
    atomic.check_place(job.target)
    folder = job.target.parent.resolve()  # which need not exist: another process may be creating it
    if job.root is not None and not folder.is_relative_to(job.root.resolve()):
        raise ValueError(f"{folder}: this link leads out of the output folder {job.root}")


class _Work:
    """Progress, in pixels."""

    def __init__(self, pixels: int, listener: Callable[[float], None] | None) -> None:
        self._all = max(1, pixels)
        self._finished = 0
        self._shown = 0.0
        self._listener = listener

    def show(self, pixels: float) -> None:
        """Report pixels done beyond those of finished files; progress never goes back."""
        self._shown = max(self._shown, min(1.0, (self._finished + pixels) / self._all))
        if self._listener is not None:
            self._listener(self._shown)

    def finish(self, pixels: int) -> None:
        self._finished += pixels
        self.show(0)
