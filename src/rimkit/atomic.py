"""Files written whole or not at all, and by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import secrets
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import filelock

from rimkit.signals import ENDING, handled


@contextlib.contextmanager
def replacing(path: Path, *, like: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that replaces ``path`` once the block ends without an error.

    Until then, and whatever happens, the old file at ``path`` stays. Missing folders are created.
    The new file has the permissions of the one it replaces; if there is none, nobody may read it
    who could not read ``like``. A path that is not a regular file (a pipe, a device, standard
    output) is not replaced: everything is written to it at the end.
    """
    if _leads_elsewhere(path):
        gathered = io.BytesIO()
        yield gathered
        with path.open("ab") as stream:
            stream.write(gathered.getbuffer())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.parent / f"{_prefix(path)}{secrets.token_hex(8)}.part"
    try:
        with scratch.open("xb") as file:
            _keep_mode(file, path, like)  # before there is anything to read
            yield file
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def check_place(path: Path) -> None:
    """Check before the work whether its result can be written to a path.

    Raises
    ------
    OSError
        If it is a folder, or no file can be created there.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not _leads_elsewhere(path) and not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Yield whether this process may write ``path``; no other one may until the block ends.

    This binds only processes that ask. A process that is killed loses its claim, and what it left
    half-written is removed by the next one that asks. Missing folders are created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(_lock_of(path), blocking=False)
    try:
        with _uninterrupted(), contextlib.suppress(filelock.Timeout):
            lock.acquire()
        if lock.is_locked:
            for left in path.parent.glob(f"{_prefix(path)}*.part"):
                left.unlink(missing_ok=True)
        yield lock.is_locked
    finally:
        with _uninterrupted():
            if lock.is_locked:
                # While held: whoever has opened it by now checks again whether the file is done.
                with contextlib.suppress(OSError):
                    Path(lock.lock_file).unlink()
                lock.release()


def tidy(path: Path) -> None:
    """Remove the claim of a process that was killed when ``path`` had just been written."""
    if _lock_of(path).exists():
        with contextlib.suppress(OSError), claimed(path):
            pass


@contextlib.contextmanager
def told_if_written(path: Path) -> Iterator[None]:
    """Defer requests to stop once ``path`` is written, so that the block can report it."""
    before = _identity(path)
    with _uninterrupted(lambda: _identity(path) != before):
        yield


@contextlib.contextmanager
def _uninterrupted(when: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Defer Ctrl-C and SIGTERM to the end of the block, if ``when()`` is true as they arrive."""
    came: list[int] = []
    before: dict[int, Any] = {number: signal.getsignal(number) for number in ENDING}

    def handle(number: int, _: FrameType | None) -> None:
        if when():
            came.append(number)
        else:
            signal.signal(number, before[number])
            signal.raise_signal(number)

    try:
        with handled(ENDING, handle):
            yield
    finally:
        for signalled in came:
            signal.raise_signal(signalled)


def _leads_elsewhere(path: Path) -> bool:
    """Whether a path names neither a file nor a folder, such as a pipe, device or stream."""
    if str(path.absolute().parent) in ("/dev", "/dev/fd", "/proc/self/fd"):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _keep_mode(file: BinaryIO, path: Path, like: Path | None) -> None:
    """Give a file the permissions of the one at ``path``; if there is none, at most ``like``'s."""
    if not hasattr(os, "fchmod"):
        return
    with contextlib.suppress(OSError):
        if os.path.lexists(path):
            if stat.S_ISREG(mode := path.lstat().st_mode):
                os.fchmod(file.fileno(), stat.S_IMODE(mode))
        elif like is not None:
            usual = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            os.fchmod(file.fileno(), usual & (like.stat().st_mode | stat.S_IWUSR))


def _lock_of(path: Path) -> Path:
    return path.parent / f"{_prefix(path)}lock"


def _prefix(path: Path) -> str:
    """Prefix of scratch files for ``path``: hidden, and short however long its name is."""
    return f".rimkit-{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"


def _identity(path: Path) -> tuple[int, int] | None:
    """A value that changes when the file is replaced."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
