"""What a restoration reads and writes: files, and folders mirrored into others."""

from __future__ import annotations

import dataclasses
import glob
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
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
"""Extensions of photographs that no part of this package reads."""

_RESULT = re.compile(r"(.+)-(?:restored|filled|x[\d.]+)")
"""The stem of a result that is written where no output is given."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One file to read and where its restoration goes.

    Attributes
    ----------
    source, target
        The two files.
    root
        The folder that the target must not leave, not even through a link; None: no such limit.
    marks
        The file that marks missing pixels; None: no pixels are missing.
    refusal
        Why the source cannot be read; empty if no reason is known.
    result_of
        The source of another job, whose result this source is taken for: it is left as it is.
    """

    source: Path
    target: Path
    root: Path | None = None
    marks: Path | None = None
    refusal: str = ""
    result_of: Path | None = None

    @property
    def inputs(self) -> list[Path]:
        """The files to read, as far as they exist."""
        marks = [] if self.marks is None or not self.marks.is_file() else [self.marks]
        return [self.source, *marks]


def plan(
    sources: Sequence[Path],
    output: Path | None,
    *,
    marks: Path | None = None,
    name: str = "restored",
) -> list[Job]:
    """Return the jobs for files and, recursively, for all images in folders.

    A subfolder that cannot be listed becomes a refused job; so does, among several sources, one
    that does not exist or holds no images.

    Parameters
    ----------
    sources
        Image files and folders.
    output
        For one file: the file to write, or a folder (an existing one, or any name without an
        extension) to write it into. For one folder: the folder that mirrors it. For several
        sources: a folder in which each keeps its name; a source that another one is written to is
        left out. None: each result goes beside its source, as ``STEM-NAME``; a source named like
        the result of another is then left as it is, so that the same arguments can be given again.
    marks
        A file that marks the missing pixels of all images, or a folder that mirrors the source with
        one such file per image, of the same name except for the extension.
    name
        What follows the hyphen if no output is given.

    Raises
    ------
    ValueError
        If the marks or the only source do not exist, are neither file nor folder, or hold no
        images, an image has several marks or is its own, two results would be written to the same
        place, or an output would overwrite an input.
    """
    if output == Path("-"):
        raise ValueError("-o - is not a file: name one, or a pipe")
    if marks is not None:
        _check_readable(marks)
    if len(sources) == 1:
        (source,) = sources
        if output is not None and not source.is_dir() and _is_folder(output):
            output = output / source.name
        jobs = _plan_one(source, output, marks, name)
    else:
        jobs = _plan_several(sources, output, marks, name)
    _check_targets([job for job in jobs if not job.refusal and job.result_of is None])
    return jobs


def _plan_several(
    sources: Sequence[Path], output: Path | None, marks: Path | None, name: str
) -> list[Job]:
    """Return the jobs for sources, some of which may be results, marks, or missing."""
    if output is not None and (output.is_file() or output.suffix.lower() in SUFFIXES):
        raise ValueError(f"{output}: the output of several files must be a folder, not a file")
    apart = [path.resolve() for path in (output, marks) if path is not None]
    jobs: list[Job] = []
    for source in sources:
        if any(path == source.resolve() for path in apart):
            continue
        try:
            place = None if output is None else output / _named(source).name
            found = _plan_one(source, place, marks, name)
        except ValueError as error:
            reason = str(error).removeprefix(f"{source}: ")
            found = [Job(source, source, refusal=reason)]
        if output is not None and source.resolve() in output.resolve().parents:
            found = [job for job in found if output.resolve() not in job.source.resolve().parents]
        jobs += found
    marked = {os.path.realpath(job.marks) for job in jobs if job.marks is not None}
    jobs = [job for job in jobs if os.path.realpath(job.source) not in marked]
    alike = {(os.path.realpath(job.source), os.path.realpath(job.target)): job for job in jobs}
    jobs = list(alike.values())
    if output is not None:
        return _without_results(jobs, output)
    # The results of images in a folder go to another folder.
    named = {os.path.abspath(job.source): job.source for job in jobs if job.root is None}
    return [
        job
        if job.root is not None
        else dataclasses.replace(job, result_of=_origin(job.source, named))
        for job in jobs
    ]


def _without_results(jobs: Sequence[Job], output: Path) -> list[Job]:
    """Leave out sources that others are written to; refuse those that would overwrite themselves.

    A shell pattern also matches what an earlier call wrote. If the other source lies below the
    output folder, the one it is written to may be an original: it stays, and is an error.
    """
    places = [(os.path.realpath(job.source), os.path.realpath(job.target)) for job in jobs]
    moved = [(source, target) for source, target in places if source != target]
    written = {target for _, target in moved}
    top = output.resolve()
    results = {target for source, target in moved if top not in Path(source).parents}
    return [
        dataclasses.replace(job, refusal="the output would overwrite it")
        if source == target and source not in written and not job.refusal
        else job
        for job, (source, target) in zip(jobs, places, strict=True)
        if source not in results
    ]


def _origin(source: Path, named: Mapping[str, Path]) -> Path | None:
    """The source whose result a file is, judging by its name; None: it is no result."""
    if found := _RESULT.fullmatch(source.stem):
        return named.get(os.path.abspath(source.with_name(found[1] + source.suffix)))
    return None


def _check_readable(path: Path) -> None:
    if not path.exists():
        raise ValueError(f"{path}: there is no such file or folder")
    if not path.is_dir() and not path.is_file():
        raise ValueError(f"{path}: this is neither a file nor a folder, but a pipe or a device")


def _check_targets(jobs: Sequence[Job]) -> None:
    inputs = {os.path.realpath(path) for job in jobs for path in job.inputs}
    taken: dict[str, Job] = {}
    for job in jobs:
        target = os.path.realpath(job.target)
        if target in inputs:
            raise ValueError(f"{job.target}: the output would overwrite an input")
        if target in taken:
            both = f"{taken[target].source} and {job.source}"
            raise ValueError(f"{job.target}: both {both} would be written there")
        taken[target] = job


def _plan_one(source: Path, output: Path | None, marks: Path | None, name: str) -> list[Job]:
    """Jobs for one source, as in `plan`; ``output`` is a file if the source is, else a folder."""
    _check_readable(source)
    if source.is_dir():
        jobs = _plan_folder(source, output, marks, name)
    elif output is None:
        jobs = [Job(source, source.with_name(f"{source.stem}-{name}{source.suffix}"))]
    else:
        jobs = [Job(source, output)]
    if marks is not None:
        base = source if source.is_dir() else source.parent
        jobs = [
            dataclasses.replace(job, marks=_marks_of(job.source.relative_to(base), marks))
            for job in jobs
        ]
        for job in jobs:
            if job.marks and os.path.realpath(job.marks) == os.path.realpath(job.source):
                raise ValueError(f"{job.source}: an image cannot mark its own missing pixels")
    return jobs


def left_out(sources: Sequence[Path]) -> dict[str, int]:
    """Count photographs below folders whose format is not read, by extension."""
    files = (path for source in sources if source.is_dir() for path in files_below(source))
    endings = (path.suffix.lower() for path in files)
    return dict(sorted(Counter(ending for ending in endings if ending in _UNREAD).items()))


def _is_folder(output: Path) -> bool:
    return output.is_dir() or not (output.suffix or output.exists())


def _named(source: Path) -> Path:
    """The absolute path of a source as it was given, links unresolved."""
    named = Path(os.path.abspath(source))
    if not named.name:
        raise ValueError(f"{source}: name the output with -o")
    return named


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
        raise ValueError(f"{same.parent}: {names} all mark {relative}: keep only one of them")
    return found[0] if found else same.with_suffix(".png")


def _plan_folder(source: Path, output: Path | None, marks: Path | None, name: str) -> list[Job]:
    resolved = source.resolve()
    if output is None:
        named = _named(source)
        output = named.with_name(f"{named.name}-{name}")
    if output.is_file():
        raise ValueError(f"{output}: the output of a folder must be a folder, not a file")
    inside = output.resolve()
    refused: list[OSError] = []
    paths = list_images(source, on_error=refused.append)
    if resolved in inside.parents:  # images there were restored before
        paths = [path for path in paths if inside not in path.resolve().parents]
    if marks is not None:
        marked = marks.resolve()
        if marked in (resolved, *resolved.parents) or marked == inside:
            raise ValueError(f"{marks}: files that mark pixels must be in a folder of their own")
        paths = [path for path in paths if marked not in (path.resolve(), *path.resolve().parents)]
    if resolved == inside:
        raise ValueError(f"{output}: the output would overwrite the inputs")
    if not paths and not refused:
        raise ValueError(f"no images below {source} except those in the output folder {output}")
    unlisted = {Path(error.filename): error.strerror or str(error) for error in refused}
    return [
        Job(path, output / path.relative_to(source), output, refusal=unlisted.get(path, ""))
        for path in [*paths, *unlisted]
    ]
