"""Queue, run and keep inferences: one at a time, and only while somebody watches."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal

from rimkit.web.inference import Look, Wish
from rimkit.web.limits import Limits
from rimkit.web.queue import FairQueue, Full
from rimkit.web.shelf import Shelf

Status = Literal["waiting", "running", "done", "failed", "cancelled"]
_OVERHEAD = 20_000  # approximate bytes of a job without its pictures
_LEFT = "nobody was watching any more"
_Run = Callable[["Job", Callable[[], None]], Iterator[Look]]
_FAILURES = (ValueError, RuntimeError, MemoryError, OSError)


class Job:
    """An inference that was requested.

    Attributes
    ----------
    name
        Cannot be guessed: whoever knows it may watch.
    wish, title
        What is asked for, and the title of the image.
    status, events, files
        Its stage, what has happened so far, and the resulting pictures, by name.
    stop
        Why it is to be ended, if it is.
    """

    def __init__(self, wish: Wish, title: str) -> None:
        self.name = secrets.token_urlsafe(16)
        self.wish = wish
        self.title = title
        self.status: Status = "waiting"
        self.events: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self._watchers = 0
        self._seen = time.monotonic()
        self.stop: str | None = None
        self._changed: set[asyncio.Future[None]] = set()

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ("done", "failed", "cancelled")

    @property
    def size(self) -> int:
        """Bytes that its pictures and the painted runs take."""
        return sum(map(len, self.files.values())) + self.wish.painted_bytes

    def abandoned(self, patience: float) -> bool:
        """Whether nobody has watched for ``patience`` seconds."""
        return not self._watchers and time.monotonic() - self._seen > patience

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Record that somebody is watching until the block ends."""
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1
            self._seen = time.monotonic()

    async def changed(self, after: int, timeout: float) -> None:
        """Wait until there are more than ``after`` events, at most ``timeout`` seconds."""
        future = asyncio.get_running_loop().create_future()
        self._changed.add(future)
        try:
            if len(self.events) <= after and not self.over:  # else the wake-up may have come before
                await asyncio.wait_for(future, timeout)
        except TimeoutError:
            pass
        finally:
            self._changed.discard(future)

    def wake(self) -> None:
        """Wake all that wait for a change; to be called in the thread of their loop."""
        for future in self._changed:
            if not future.done():
                future.set_result(None)


class Worker:
    """Runs one inference at a time in a thread of its own.

    Parameters
    ----------
    run
        Yields the looks of a job; calls the function that it is given during long ones.
    limits
        See `Limits`.
    loop
        Event loop in which watchers wait.
    """

    def __init__(self, run: _Run, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self._run = run
        self._limits = limits
        self._loop = loop
        self._queue: FairQueue[Job] = FairQueue(most=limits.waiting, most_each=limits.waiting_each)
        self._live: dict[str, Job] = {}  # waiting or running: as many as the queue takes
        self._over: Shelf[Job] = Shelf(limits.kept_bytes)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    def add(self, job: Job) -> None:
        """Queue a job.

        Raises
        ------
        Full
            If too many jobs are waiting.
        """
        self._sweep()
        self._live[job.name] = job  # first, since it may be taken at once
        try:
            self._queue.put(job.wish.visitor, job)
        except Full:
            del self._live[job.name]
            raise

    def get(self, name: str) -> Job | None:
        """Return a job; None if it does not exist, or no longer does."""
        return self._live.get(name) or self._over.get(name)

    def ahead(self, job: Job) -> int | None:
        """How many jobs come before this one; None if it is not waiting."""
        return self._queue.ahead(job)

    def cancel(self, job: Job, reason: str = "") -> None:
        """End a job: at once if it is waiting, after its current step if it is running."""
        job.stop = reason
        if self._queue.remove(job):
            self._end(job, "cancelled", reason)

    def close(self) -> None:
        """Stop after the current step, and wait for it."""
        self._closing.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._closing.is_set():
            job = self._queue.take(timeout=0.2)
            self._sweep()
            if job is None:
                continue
            job.status = "running"
            try:
                self._follow(job)
            except _Stopped as stopped:
                self._end(job, "cancelled", str(stopped))
            except _FAILURES as error:
                self._end(job, "failed", _line(error))
            except Exception as error:  # a bug must not end the thread
                self._end(job, "failed", "an internal error")
                self._loop.call_soon_threadsafe(_report, self._loop, error)

    def _follow(self, job: Job) -> None:
        began = time.monotonic()

        def check() -> None:
            seconds = time.monotonic() - began
            if job.abandoned(self._limits.patience):
                job.stop = _LEFT
            if job.stop is not None or self._closing.is_set():
                raise _Stopped(job.stop or "")
            if seconds > self._limits.seconds:
                raise ValueError(f"ended after {seconds:.0f} seconds, the time limit here")

        for look in self._run(job, check):
            check()  # before anybody sees it, so that a finished job cannot fail
            job.files |= look.files
            job.events.append({**look.facts, "seconds": time.monotonic() - began})
            self._wake(job)
        self._end(job, "done")

    def _sweep(self) -> None:
        """Cancel waiting jobs that nobody watches any more."""
        for job in list(self._live.values()):
            if job.status == "waiting" and job.abandoned(self._limits.patience):
                self.cancel(job, _LEFT)

    def _end(self, job: Job, status: Status, reason: str = "") -> None:
        if reason == _LEFT:
            job.files.clear()
        if status != "done":
            job.events.append({"kind": status, "detail": reason})
        job.status = status
        self._over.put(job.name, job, job.size + _OVERHEAD)
        self._live.pop(job.name, None)
        self._wake(job)

    def _wake(self, job: Job) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(job.wake)


class _Stopped(Exception):  # noqa: N818
    """Somebody wants an inference to end, or nobody wants it to go on."""


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _report(loop: asyncio.AbstractEventLoop, error: Exception) -> None:
    loop.call_exception_handler({"message": "an inference failed", "exception": error})
