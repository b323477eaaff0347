"""What this process holds in memory, and what becomes of the blocks that it frees."""

from __future__ import annotations

import ctypes
import platform
import re
from collections.abc import Callable
from pathlib import Path

import psutil

_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_THRESHOLD = -3

_FORGET = Path("/proc/self/clear_refs")


def resident() -> int:
    """Bytes of memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """The most bytes of memory that this process ever held. Linux only.

    Raises
    ------
    ValueError
        If the system does not say it.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        status = ""
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise ValueError("this system does not say the most that a process held")
    return int(found[1]) * 1024


def most_taken(work: Callable[[], object]) -> int | None:
    """The most bytes that some work takes, above what this process holds before it.

    None, and nothing is done, where the system cannot forget what was held earlier: it is Linux
    that can.
    """
    give_back()
    try:
        _FORGET.write_text("5", encoding="ascii")
    except OSError:
        return None
    before = resident()
    work()
    return max(0, peak() - before)


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error, of Python's or of torch's, says that there is not enough memory."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error) for words in ("allocate memory", "out of memory"))
    )


def return_large_blocks() -> None:
    """Make this process hand every block of half a megabyte or more back once it is freed.

    By itself glibc keeps and splits large blocks, and the memory of one segment of steps does not
    fit into the holes that the last one left: the peak grows with every segment (see
    ``rimkit bench train``). Fresh blocks cost time, which is why this is not the rule. Elsewhere
    than under glibc nothing is done.
    """
    _mallopt(_M_MMAP_THRESHOLD, 1 << 19)
    _mallopt(_M_TRIM_THRESHOLD, 1 << 17)  # as it is unless `keep_large_blocks` was called before


def keep_large_blocks() -> None:
    """Make this process use the memory of freed blocks again, up to 256 MB each.

    By itself glibc hands blocks from 32 MB back, and the pages of the next one are made anew: on
    large tiles, and in training with wide layers, that takes as long as all the arithmetic (see
    ``rimkit bench``). It costs memory, in holes. Elsewhere than under glibc nothing is done.
    """
    if not _mallopt(_M_MMAP_THRESHOLD, 1 << 28):
        _mallopt(_M_MMAP_THRESHOLD, 1 << 25)  # the most that glibc before 2.35 takes
    _mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def ready_for_updates(segment: int | None) -> None:
    """Choose what becomes of freed blocks in training: they are kept, but not with segments."""
    if segment:
        return_large_blocks()
    else:
        keep_large_blocks()


def give_back() -> None:
    """Hand back what freed blocks are kept for now: before and after something large."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _mallopt(parameter: int, value: int) -> bool:
    return platform.libc_ver()[0] == "glibc" and bool(ctypes.CDLL(None).mallopt(parameter, value))
