"""Who is next: visitors take turns, and the requests of each keep their order."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Full(Exception):  # noqa: N818, as in the standard library
    """The queue is full."""


class FairQueue(Generic[Item]):
    """Takes one item of each visitor in turn. Safe to share between threads.

    Parameters
    ----------
    most, most_each
        How many items may wait, of all visitors and of each.
    """

    def __init__(self, *, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()  # the next visitor comes first
        self._changed = threading.Condition()

    def put(self, visitor: str, item: Item) -> None:
        """Queue an item.

        Raises
        ------
        Full
            If too many are waiting; the message says whose.
        """
        with self._changed:
            if sum(map(len, self._lines.values())) >= self._most:
                raise Full(f"{self._most} inferences are waiting; try again in a while")
            if len(self._lines.get(visitor, ())) >= self._most_each:
                raise Full(f"{self._most_each} of your inferences are waiting; let them finish")
            self._lines.setdefault(visitor, deque()).append(item)
            self._changed.notify()

    def take(self, timeout: float) -> Item | None:
        """Return the next item; None if none came within ``timeout`` seconds."""
        with self._changed:
            if not self._lines and not self._changed.wait_for(lambda: bool(self._lines), timeout):
                return None
            visitor, line = self._lines.popitem(last=False)
            item = line.popleft()
            if line:
                self._lines[visitor] = line  # behind all others
            return item

    def remove(self, item: Item) -> bool:
        """Remove an item; return whether it was waiting."""
        with self._changed:
            for visitor, line in list(self._lines.items()):
                if item in line:
                    line.remove(item)
                    if not line:
                        del self._lines[visitor]
                    return True
        return False

    def ahead(self, item: Item) -> int | None:
        """How many items are taken before this one; None if it is not waiting."""
        with self._changed:
            lines = list(self._lines.values())
            for turn, line in enumerate(lines):
                if item in line:
                    place = line.index(item)
                    before = sum(min(len(other), place + 1) for other in lines[:turn])
                    after = sum(min(len(other), place) for other in lines[turn + 1 :])
                    return place + before + after
        return None
