"""What a restoration reads and writes: one file, or a folder mirrored into another."""

from __future__ import annotations

import dataclasses
import glob
import os
from pathlib import Path

from rimkit.data.images import SUFFIXES, list_images


@dataclasses.dataclass(frozen=True)
class Job:
    """One file to read and where its restoration goes.

    Attributes
    ----------
    source, target
        The two files.
    root
        The folder that the target must not leave, by no link either; None: there is none.
    holes
        The file that marks missing pixels; None: none are.
    """

    source: Path
    target: Path
    root: Path | None = None
    holes: Path | None = None


def plan(source: Path, output: Path | None, *, holes: Path | None = None) -> list[Job]:
    """Jobs for a file or, recursively, for all images of a folder.

    Parameters
    ----------
    source
        An image file or a folder.
    output
        For a file: the file to write, or a folder (one that exists, or any name without an ending)
        to write it into. For a folder: the
        folder that mirrors it. None: beside the source, with ``-restored`` in the name.
    holes
        A file that marks missing pixels, of all images alike, or a folder with such files: in
        the place of each image, by its name but for the ending.

    Raises
    ------
    ValueError
        If the source or the holes are missing, no file or hold no images, or an output would
        overwrite an input.
    """
    if holes is not None and not holes.exists():
        raise ValueError(f"{holes}: there is no such file or folder")
    if not source.exists():
        raise ValueError(f"{source}: there is no such file or folder")
    if not source.is_dir() and not source.is_file():
        raise ValueError(f"{source}: this is neither a file nor a folder, but a pipe or a device")
    if source.is_dir():
        jobs = _plan_folder(source, output, holes)
    elif output is None:
        jobs = [Job(source, source.with_name(f"{source.stem}-restored{source.suffix}"))]
    else:
        is_folder = output.is_dir() or not output.suffix
        jobs = [Job(source, output / source.name if is_folder else output)]
    if holes is not None:
        base = source if source.is_dir() else source.parent
        jobs = [
            dataclasses.replace(job, holes=_holes_of(job.source.relative_to(base), holes))
            for job in jobs
        ]
    read = [path for job in jobs for path in (job.source, job.holes) if path is not None]
    inputs = {os.path.realpath(path) for path in read}
    for job in jobs:
        if os.path.realpath(job.target) in inputs:
            raise ValueError(f"{job.target}: the output would overwrite an input")
    return jobs


def _holes_of(relative: Path, holes: Path) -> Path:
    """Return the file that marks an image's missing pixels, which need not exist."""
    if not holes.is_dir():
        return holes
    same = holes / relative
    if same.is_file():
        return same
    found = sorted(
        path
        for path in same.parent.glob(f"{glob.escape(relative.stem)}.*")
        if path.suffix.lower() in SUFFIXES and path.stem == relative.stem
    )
    return found[0] if found else same.with_suffix(".png")


def _plan_folder(source: Path, output: Path | None, holes: Path | None) -> list[Job]:
    resolved = source.resolve()
    output = output if output is not None else resolved.with_name(f"{resolved.name}-restored")
    if output.is_file():
        raise ValueError(f"{output}: the output of a folder is a folder, this is a file")
    inside = output.resolve()
    paths = list_images(source)
    if resolved in inside.parents:  # what is there was restored before
        paths = [path for path in paths if inside not in path.resolve().parents]
    if holes is not None:
        marks = holes.resolve()
        paths = [path for path in paths if marks not in (path.resolve(), *path.resolve().parents)]
    if resolved == inside:
        raise ValueError(f"{output}: the output would overwrite the inputs")
    if not paths:
        raise ValueError(f"no images below {source} but those in the output folder {output}")
    return [Job(path, output / path.relative_to(source), output) for path in paths]
