"""What became of a file that was to be restored."""

from __future__ import annotations

import dataclasses
from typing import Literal

from rimkit.allocation import is_lack_of_memory
from rimkit.files.jobs import Job

Status = Literal["restored", "skipped", "failed"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes
    ----------
    source, target
        Which, and where it went or was to go.
    status
        ``"skipped"``: it was there already, is a result itself, or another process is at it.
    reason
        Why it was skipped or failed, in one line.
    warnings
        What one should know of a file that was restored.
    sigma
        Noise level that was used, in grey levels of 255.
    shares_noise
        Whether colours were denoised one by one, since they share their noise.
    unchanged
        Whether it is as it was: no noise was found, or less than a model can take away. In the same
        format it is a copy, byte for byte.
    marks
        The file that marks what is missing; None where nothing can be.
    missing_share
        Of the pixels, that were filled in; None where none can be missing.
    width, height
        Of the restored image in pixels, upright.
    seconds
        For reading, restoring and writing; of files that were restored together, a share.
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
    """Return what became of a job, as far as it says so."""
    marks = None if job.marks is None else str(job.marks)
    return Outcome(str(job.source), str(job.target), status, reason, marks=marks)


def failure_of(job: Job, error: Exception) -> Outcome:
    """Return that a job failed, and why, in one line that names a file."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename or job.target}: {error.strerror}"
    elif is_lack_of_memory(error):
        text = "not enough memory for an image of this size"
    if str(job.source) not in text and str(job.target) not in text:
        text = f"{job.source}: {text}"
    return outcome_of(job, "failed", " ".join(text.split()))
