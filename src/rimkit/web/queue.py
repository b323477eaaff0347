"""Who is next: visitors take turns, and each one's own wishes keep their order."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Full(Exception):  # noqa: N818, as in the standard library
    """No place is left."""


class FairQueue(Generic[Item]):
    """Takes one item of each visitor in turn. Safe to share between threads.

    Parameters
    ----------
    most, most_each
        How many items may wait, of all visitors and of one.
    """

    def __init__(self, *, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._lines: OrderedDict[str, deque[Item]] = OrderedDict()  # whose turn it is comes first
        self._changed = threading.Condition()

    def put(self, visitor: str, item: Item) -> None:
        """Let an item wait.

        Raises
        ------
        Full
            If too many wait; the message says whose.
        """
        with self._changed:
            if sum(map(len, self._lines.values())) >= self._most:
                raise Full(f"{self._most} inferences are waiting; try again in a while")
            if len(self._lines.get(visitor, ())) >= self._most_each:
                raise Full(f"{self._most_each} of your inferences are waiting; let them finish")
            self._lines.setdefault(visitor, deque()).append(item)
            self._changed.notify()

    def take(self, timeout: float) -> Item | None:
        """Return whose turn it is; None if nobody came within so many seconds."""
        with self._changed:
            if not self._lines and not self._changed.wait_for(lambda: bool(self._lines), timeout):
                return None
            visitor, line = self._lines.popitem(last=False)
            item = line.popleft()
            if line:
                self._lines[visitor] = line  # behind all others
            return item

    def remove(self, item: Item) -> bool:
        """Let an item wait no longer; return whether it did."""
        with self._changed:
            for visitor, line in list(self._lines.items()):
                if item in line:
                    line.remove(item)
                    if not line:
                        del self._lines[visitor]
                    return True
        return False

    def ahead(self, item: Item) -> int | None:
        """How many are taken before this one; None if it does not wait."""
        with self._changed:
            lines = list(self._lines.values())
            for turn, line in enumerate(lines):
                if item in line:
                    place = line.index(item)
                    before = sum(min(len(other), place + 1) for other in lines[:turn])
                    after = sum(min(len(other), place) for other in lines[turn + 1 :])
                    return place + before + after
        return None
