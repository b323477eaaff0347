"""Where memory matters more than time: give freed memory back at once."""

from __future__ import annotations

import ctypes
import platform

_M_MMAP_THRESHOLD = -3
_LARGE = 1 << 19


def return_large_blocks() -> None:
    """Make this process hand every block of half a megabyte or more back once it is freed.

    By itself glibc keeps and splits large blocks, and the memory of one segment of steps does not
    fit into the holes that the last one left: the peak grows with every segment (see
    ``rimkit bench train``). Fresh blocks cost time, which is why this is not the rule. Elsewhere
    than under glibc nothing is done.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
