"""Files that are written whole or not at all, and by one process at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import filelock


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of ``path`` once the block ends without an error.

    Until then, and whatever happens, what was at ``path`` stays. Missing folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=".part")
    scratch = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.chmod(0o666 & ~_umask())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Yield whether this process may write ``path``; until the block ends, no other one may.

    That holds among those that ask. A process that is killed loses its claim, and what it left
    half-written is removed by the next one that asks. Missing folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.parent / f"{_prefix(path)}lock", blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        for left in path.parent.glob(f"{_prefix(path)}*.part"):
            left.unlink(missing_ok=True)
        yield True
    finally:
        # While it is held: who has opened the lock meanwhile looks again whether the file is done.
        with contextlib.suppress(OSError):
            Path(lock.lock_file).unlink()
        lock.release()


def _prefix(path: Path) -> str:
    """How the names of scratch files for ``path`` begin: hidden, and short however long its is."""
    return f".rimkit-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
