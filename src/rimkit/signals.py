"""What signals do while a block runs."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C, and a request to end."""

Handler = Callable[[int, FrameType | None], object]


@contextlib.contextmanager
def handled(numbers: Sequence[int], handler: Handler) -> Iterator[None]:
    """Let a function handle signals until the block ends; others do before and afterwards.

    In the main thread alone: no other one is interrupted, or may say who handles what.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # Of a handler that Python did not install nothing is known, and it could not be given back.
    before = {n: known for n in numbers if (known := signal.getsignal(n)) is not None}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)


def hang_up() -> tuple[int, ...]:
    """The signal of a terminal that is closed; none where it is ignored, as under nohup."""
    if sys.platform == "win32" or signal.getsignal(signal.SIGHUP) != signal.SIG_DFL:
        return ()
    return (signal.SIGHUP,)
