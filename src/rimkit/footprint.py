"""What a solver holds in memory while it runs."""

from __future__ import annotations

import weakref
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rimkit.operators.taps import smaller_size
from rimkit.problem import Denoising, SuperResolution
from rimkit.solver import Solver

_PROBE = 96


@singledispatch
def bytes_per_pixel(solver: Solver, *, channels: int, scale: float = 1.0) -> float:
    """Peak memory of a solver's tensors per pixel of the image, its input included.

    Counted over two steps on a small image. Memory that libraries use inside a convolution is not
    counted. A solver that computes outside torch registers its own function. ``scale``: how many
    times smaller its input is than the image; 1: denoising.
    """
    size = (_PROBE, _PROBE)
    problem = Denoising(0.1) if scale == 1 else SuperResolution(scale, size=size, sigma=0.1)
    with _LiveTensors() as live, torch.no_grad():
        y = torch.full((1, channels, *(smaller_size(side, scale) for side in size)), 0.5)
        solver.solve(y, problem, steps=2)
    return float(live.peak / _PROBE**2)


class _LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of live tensors that were created within it."""

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
