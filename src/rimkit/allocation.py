"""Memory held by this process, and what happens to the blocks that it frees."""

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
    """Resident memory of this process, in bytes."""
    return int(psutil.Process().memory_info().rss)


def peak() -> int:
    """Peak resident memory of this process, in bytes. Linux only.

    Raises
    ------
    ValueError
        If the system does not report it.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        status = ""
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    if found is None:
        raise ValueError("this system does not report the peak memory of a process")
    return int(found[1]) * 1024


def most_taken(work: Callable[[], object]) -> int | None:
    """Peak memory taken by ``work``, in bytes, above what this process holds before it.

    None, without running it, where the system cannot reset the peak: only Linux can.
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
    """Whether an error raised by Python or torch reports a lack of memory."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error) for words in ("allocate memory", "out of memory"))
    )


def return_large_blocks() -> None:
    """Return every block of half a megabyte or more to the system as soon as it is freed.

    By default glibc keeps and splits large blocks, and the memory of one segment of steps does not
    fit into the holes left by the last one: the peak grows with every segment (see
    ``rimkit bench train``). Fresh blocks cost time, so this is not the default here. Does nothing
    without glibc.
    """
    _mallopt(_M_MMAP_THRESHOLD, 1 << 19)
    _mallopt(_M_TRIM_THRESHOLD, 1 << 17)  # the default, unless `keep_large_blocks` was called


def keep_large_blocks() -> None:
    """Reuse the memory of freed blocks, up to 256 MB each.

    By default glibc returns blocks of 32 MB or more to the system, and the next one needs new
    pages: on large tiles, and in training with wide layers, that takes as long as all the
    arithmetic (see ``rimkit bench``). It costs memory, by fragmentation. Does nothing without
    glibc.
    """
    if not _mallopt(_M_MMAP_THRESHOLD, 1 << 28):
        _mallopt(_M_MMAP_THRESHOLD, 1 << 25)  # the maximum before glibc 2.35
    _mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def ready_for_updates(segment: int | None) -> None:
    """Choose what happens to freed blocks in training: keep them, except with segments."""
    if segment:
        return_large_blocks()
    else:
        keep_large_blocks()


def give_back() -> None:
    """Return the freed blocks kept so far to the system: before and after something large."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def _mallopt(parameter: int, value: int) -> bool:
    return platform.libc_ver()[0] == "glibc" and bool(ctypes.CDLL(None).mallopt(parameter, value))
