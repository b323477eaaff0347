"""A shelf of bounded size: the least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Shelf(Generic[Thing]):
    """Things by name, up to a total size in bytes. Safe to share between threads.

    Parameters
    ----------
    capacity
        Bytes.
    on_drop
        Called with each thing that is dropped.
    """

    def __init__(
        self, capacity: float, *, on_drop: Callable[[Thing], object] = lambda _: None
    ) -> None:
        self._capacity = capacity
        self._on_drop = on_drop
        self._things: OrderedDict[str, tuple[Thing, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._size = 0

    def put(self, name: str, thing: Thing, size: int) -> None:
        """Put a thing on the shelf, or update its size."""
        dropped = []
        with self._lock:
            self._size += size - self._things.get(name, (thing, 0))[1]
            self._things[name] = (thing, size)
            self._things.move_to_end(name)
            # The last one stays, however large: it has just been put there.
            while len(self._things) > 1 and self._size > self._capacity:
                oldest, its_size = self._things.popitem(last=False)[1]
                self._size -= its_size
                dropped.append(oldest)
        for each in dropped:
            self._on_drop(each)

    def get(self, name: str) -> Thing | None:
        """Return a thing; None if it is not there, or no longer is."""
        with self._lock:
            if name not in self._things:
                return None
            self._things.move_to_end(name)
            return self._things[name][0]

    @property
    def size(self) -> int:
        """Total size in bytes."""
        return self._size
