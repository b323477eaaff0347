"""All that the server holds while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Self

from starlette.concurrency import run_in_threadpool

from rimkit.web.inference import Look, infer
from rimkit.web.jobs import Job, Worker
from rimkit.web.limits import Limits
from rimkit.web.solvers import Offer
from rimkit.web.uploads import Uploads


class Studio:
    """Images, offers and the worker thread. Created and used within one event loop.

    Attributes
    ----------
    limits, offers
        What visitors may use, and choose from.
    uploads
        The images on the server.
    worker
        Runs the inferences, which it queues and keeps.
    receiving
        Held while a file is received.
    previewing
        Held while a preview of an image is made: whoever waits for it occupies no thread.
    """

    def __init__(self, offers: Mapping[str, Offer], limits: Limits) -> None:
        self.limits = limits
        self.offers = offers

    async def __aenter__(self) -> Self:
        self.uploads = Uploads(self.limits)
        self.receiving = asyncio.Semaphore(self.limits.uploads)
        self.previewing = asyncio.Semaphore(1)
        self.worker = Worker(self._run, self.limits, asyncio.get_running_loop())
        return self

    async def __aexit__(self, *exception: object) -> None:
        await run_in_threadpool(self.worker.close)
        self.uploads.close()

    def _run(self, job: Job, check: Callable[[], None]) -> Iterator[Look]:
        upload = self.uploads.get(job.wish.image)
        if upload is None:
            raise ValueError("the image is no longer here; send it again")
        picture = self.uploads.read(upload)
        offer = self.offers[job.wish.solver]
        yield from infer(picture, job.wish, offer, self.limits, check=check)
