"""The outcome of restoring a file."""

from __future__ import annotations

import dataclasses
from typing import Literal

from rimkit.allocation import is_lack_of_memory
from rimkit.files.jobs import Job

Status = Literal["restored", "skipped", "failed"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome for one file.

    Attributes
    ----------
    source, target
        The file, and where its result went or was to go.
    status
        ``"skipped"``: the target existed already, the source is itself a result, or another process
        is working on it.
    reason
        Why it was skipped or failed, in one line.
    warnings
        What the user should know about a restored file.
    sigma
        Noise level that was used, in grey levels of 255.
    shares_noise
        Whether channels were denoised one by one, because they share their noise.
    unchanged
        Whether the image is as it was: no noise was found, or less than a model can remove. In the
        same format the result is a byte-for-byte copy.
    marks
        The file that marks missing pixels; None if none can be missing.
    missing_share
        Fraction of the pixels that were filled in; None if none can be missing.
    width, height
        Size of the restored image in pixels, upright.
    seconds
        Time for reading, restoring and writing; for files restored together, a share of it.
    """

    source: str
    target: str
    status: Status
    reason: str = ""
    warnings: tuple[str, ...] = ()
    sigma: float | None = None
    shares_noise: bool = False
    unchanged: bool = False
    marks: str | None = None
    missing_share: float | None = None
    width: int | None = None
    height: int | None = None
    seconds: float = 0.0


def outcome_of(job: Job, status: Status, reason: str = "") -> Outcome:
    """Return an outcome with what the job itself determines."""
    marks = None if job.marks is None else str(job.marks)
    return Outcome(str(job.source), str(job.target), status, reason, marks=marks)


def failure_of(job: Job, error: Exception) -> Outcome:
    """Return the outcome of a failed job, with the reason in one line that names a file."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename or job.target}: {error.strerror}"
    elif is_lack_of_memory(error):
        text = "not enough memory for an image of this size"
    if str(job.source) not in text and str(job.target) not in text:
        text = f"{job.source}: {text}"
    return outcome_of(job, "failed", " ".join(text.split()))
