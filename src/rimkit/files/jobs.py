"""What a restoration reads and writes: one file, or a folder mirrored into another."""

from __future__ import annotations

import dataclasses
import glob
import os
from collections import Counter
from pathlib import Path

from rimkit.data.images import SUFFIXES, files_below, list_images

_UNREAD = frozenset(
    {
        ".arw",
        ".avif",
        ".cr2",
        ".cr3",
        ".dng",
        ".gif",
        ".heic",
        ".heif",
        ".jp2",
        ".jxl",
        ".nef",
        ".nrw",
        ".orf",
        ".pef",
        ".psd",
        ".raf",
        ".raw",
        ".rw2",
        ".srw",
        ".x3f",
    }
)
"""Endings of photographs that no part of this package reads."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One file to read and where its restoration goes.

    Attributes
    ----------
    source, target
        The two files.
    root
        The folder that the target must not leave, by no link either; None: there is none.
    marks
        The file that marks missing pixels; None: none are.
    refusal
        Why the source, a folder then, cannot be read; empty where nothing is known of that.
    """

    source: Path
    target: Path
    root: Path | None = None
    marks: Path | None = None
    refusal: str = ""

    @property
    def inputs(self) -> list[Path]:
        """The files that are read, as far as they are there."""
        marks = [] if self.marks is None or not self.marks.is_file() else [self.marks]
        return [self.source, *marks]


def plan(source: Path, output: Path | None, *, marks: Path | None = None) -> list[Job]:
    """Jobs for a file or, recursively, for all images of a folder.

    A folder within that cannot be listed is a job that is refused.

    Parameters
    ----------
    source
        An image file or a folder.
    output
        For a file: the file to write, or a folder (one that exists, or any name without an ending)
        to write it into. For a folder: the folder that mirrors it. None: beside the source, with
        ``-restored`` in the name.
    marks
        A file that marks missing pixels, of all images alike, or a folder that mirrors the source
        with one for each image, called like it but for the ending.

    Raises
    ------
    ValueError
        If source or marks are missing, are no file or hold no images, an image has several marks,
        or an output would overwrite an input.
    """
    for read in filter(None, (source, marks)):
        if not read.exists():
            raise ValueError(f"{read}: there is no such file or folder")
        if not read.is_dir() and not read.is_file():
            raise ValueError(f"{read}: this is neither a file nor a folder, but a pipe or a device")
    if source.is_dir():
        jobs = _plan_folder(source, output, marks)
    elif output is None:
        jobs = [Job(source, source.with_name(f"{source.stem}-restored{source.suffix}"))]
    elif output == Path("-"):
        raise ValueError("-o - is no file: name one, or a pipe")
    else:
        is_folder = output.is_dir() or not (output.suffix or output.exists())
        jobs = [Job(source, output / source.name if is_folder else output)]
    if marks is not None:
        base = source if source.is_dir() else source.parent
        jobs = [
            dataclasses.replace(job, marks=_marks_of(job.source.relative_to(base), marks))
            for job in jobs
        ]
    inputs = {os.path.realpath(path) for job in jobs for path in job.inputs}
    for job in jobs:
        if os.path.realpath(job.target) in inputs:
            raise ValueError(f"{job.target}: the output would overwrite an input")
    return jobs


def left_out(source: Path) -> dict[str, int]:
    """How many photographs below a folder are of a kind that is not read, by their ending."""
    endings = (path.suffix.lower() for path in files_below(source))
    return dict(sorted(Counter(ending for ending in endings if ending in _UNREAD).items()))


def _marks_of(relative: Path, marks: Path) -> Path:
    """Return the file that marks an image's missing pixels, which need not exist."""
    if not marks.is_dir():
        return marks
    same = marks / relative
    if same.is_file():
        return same
    found = sorted(
        path
        for path in same.parent.glob(f"{glob.escape(relative.stem)}.*")
        if path.suffix.lower() in SUFFIXES and path.stem == relative.stem
    )
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise ValueError(f"{same.parent}: {names} all mark {relative}: keep one of them")
    return found[0] if found else same.with_suffix(".png")


def _plan_folder(source: Path, output: Path | None, marks: Path | None) -> list[Job]:
    resolved = source.resolve()
    if output is None:
        named = Path(os.path.abspath(source))  # as it was called, be it a link
        if not named.name:
            raise ValueError(f"{source}: say where it goes with -o")
        output = named.with_name(f"{named.name}-restored")
    if output.is_file():
        raise ValueError(f"{output}: the output of a folder is a folder, this is a file")
    inside = output.resolve()
    refused: list[OSError] = []
    paths = list_images(source, on_error=refused.append)
    if resolved in inside.parents:  # what is there was restored before
        paths = [path for path in paths if inside not in path.resolve().parents]
    if marks is not None:
        marked = marks.resolve()
        if marked in (resolved, *resolved.parents) or marked == inside:
            raise ValueError(f"{marks}: files that mark pixels lie in a folder of their own")
        paths = [path for path in paths if marked not in (path.resolve(), *path.resolve().parents)]
    if resolved == inside:
        raise ValueError(f"{output}: the output would overwrite the inputs")
    if not paths:
        raise ValueError(f"no images below {source} but those in the output folder {output}")
    unlisted = {Path(error.filename): error.strerror or str(error) for error in refused}
    return [
        Job(path, output / path.relative_to(source), output, refusal=unlisted.get(path, ""))
        for path in [*paths, *unlisted]
    ]
