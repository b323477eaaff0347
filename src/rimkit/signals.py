"""Signal handling while a block runs."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and a request to terminate."""

Handler = Callable[[int, FrameType | None], object]


@contextlib.contextmanager
def handled(numbers: Sequence[int], handler: Handler) -> Iterator[None]:
    """Handle signals by a function until the block ends, then restore the previous handlers.

    Only in the main thread: no other one is interrupted by signals, or may set handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler that Python did not install is unknown to it, and could not be restored.
    before = {n: known for n in numbers if (known := signal.getsignal(n)) is not None}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)


def hang_up() -> tuple[int, ...]:
    """The signal sent when a terminal is closed; none if it is ignored, as under nohup."""
    if sys.platform == "win32" or signal.getsignal(signal.SIGHUP) != signal.SIG_DFL:
        return ()
    return (signal.SIGHUP,)
