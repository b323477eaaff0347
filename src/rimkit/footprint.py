"""What a solver holds in memory while it runs, and what a process holds."""

from __future__ import annotations

import ctypes
import platform
import weakref
from functools import singledispatch
from typing import Any

import psutil
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rimkit.operators.taps import smaller_size
from rimkit.problem import Denoising, SuperResolution
from rimkit.solver import Solver

_PROBE = 96
_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_THRESHOLD = -3


def resident() -> int:
    """Bytes of memory that this process holds now."""
    return int(psutil.Process().memory_info().rss)


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


@singledispatch
def bytes_per_pixel(solver: Solver, *, channels: int, scale: float = 1.0) -> float:
    """The most that a solver holds at once in tensors, per pixel of the image, its input included.

    Counted over two steps on a small image. What libraries use inside a convolution is not seen.
    A solver that computes outside of torch registers a function of its own. ``scale``: how many
    times smaller its input is than the image; 1: denoising.
    """
    size = (_PROBE, _PROBE)
    problem = Denoising(0.1) if scale == 1 else SuperResolution(scale, size=size, sigma=0.1)
    with _LiveTensors() as live, torch.no_grad():
        y = torch.full((1, channels, *(smaller_size(side, scale) for side in size)), 0.5)
        solver.solve(y, problem, steps=2)
    return float(live.peak / _PROBE**2)


class _LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that are made within it and still there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak: int = 0
        self._held = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._see(leaf.untyped_storage())
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        self._known.add(key)
        self._held += storage.nbytes()
        self.peak = max(self.peak, self._held)
        weakref.finalize(storage, self._forget, key, storage.nbytes()).atexit = False

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._held -= size
