"""Routes of the server: upload images, request inferences, watch them as they happen."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

import rimkit
from rimkit.web.inference import Wish
from rimkit.web.jobs import Job
from rimkit.web.problems import MOST_RUNS
from rimkit.web.queue import Full
from rimkit.web.studio import Studio
from rimkit.web.uploads import SAMPLE, Upload

_WAIT = 10.0  # seconds that one request waits for news
_WAIT_IN_LINE = 1.0  # while its place in the queue may change
_AFRESH = {"cache-control": "no-cache"}
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}

router = APIRouter(prefix="/api")


def _studio(request: Request) -> Studio:
    studio: Studio = request.app.state.studio
    return studio


TheStudio = Annotated[Studio, Depends(_studio)]


def _job(name: str, studio: TheStudio) -> Job:
    job = studio.worker.get(name)
    if job is None:
        raise HTTPException(404, "there is no such inference, or it is no longer kept")
    return job


TheJob = Annotated[Job, Depends(_job)]


def _image(studio: Studio, name: str) -> Upload:
    upload = studio.uploads.get(name)
    if upload is None:
        raise HTTPException(404, "the image is no longer here; send it again")
    return upload


@router.get("/about")
async def about(studio: TheStudio) -> dict[str, Any]:
    """Return what there is to choose from."""
    listed = [
        {
            "name": offer.name,
            "summary": offer.summary,
            "steps": offer.steps,
            "channels": offer.channels,
            "trained": offer.trained,
            "learned": offer.learned,
        }
        for offer in studio.offers.values()
    ]
    return {
        "version": rimkit.__version__,
        "solvers": listed,
        "samples": [_described(sample) for sample in studio.uploads.samples()],
        "limits": {
            "pixels": studio.limits.pixels,
            "upload_bytes": studio.limits.upload_bytes,
            "steps": studio.limits.steps,
            "frames": studio.limits.frames,
            "runs": MOST_RUNS,
        },
    }


@router.post("/images", status_code=201)
async def send_image(request: Request, studio: TheStudio, title: str = "image") -> dict[str, Any]:
    """Receive an image: its file is the body of the request."""
    if studio.receiving.locked():
        raise HTTPException(503, "too many files are being received; try again in a while")
    async with studio.receiving:
        try:
            path = await studio.uploads.receive(request.stream())
        except ClientDisconnect as error:
            raise HTTPException(400, "the file did not arrive completely") from error
        try:
            upload = await run_in_threadpool(studio.uploads.examine, path, title)
        except ValueError as error:
            raise HTTPException(415, " ".join(str(error).split())) from error
    return _described(upload)


@router.get("/images/{name}")
async def image(name: str, studio: TheStudio) -> Response:
    """Return an image as an 8-bit PNG."""
    async with studio.previewing:
        try:
            content = await run_in_threadpool(studio.uploads.preview, _image(studio, name))
        except ValueError as error:
            raise HTTPException(404, str(error)) from error
    kept = _AFRESH if name.startswith(SAMPLE) else _FOREVER
    return Response(content, media_type="image/png", headers=kept)


@router.post("/jobs", status_code=202)
async def ask(wish: Wish, studio: TheStudio) -> dict[str, Any]:
    """Ask for an inference."""
    upload = _image(studio, wish.image)
    if wish.solver not in studio.offers:
        raise HTTPException(422, f"there is no solver {wish.solver!r}")
    job = Job(wish, upload.title)
    try:
        studio.worker.add(job)
    except Full as full:
        raise HTTPException(503, str(full), headers={"retry-after": "5"}) from full
    return {"name": job.name, "ahead": studio.worker.ahead(job)}


@router.get("/jobs/{name}")
async def follow(
    request: Request, studio: TheStudio, job: TheJob, after: int = 0
) -> dict[str, Any]:
    """Return the events after the first ``after``; wait a while if there are none yet."""
    with job.watched():
        if len(job.events) <= after and not job.over:
            seconds = _WAIT_IN_LINE if job.status == "waiting" else _WAIT
            waits = [
                asyncio.ensure_future(job.changed(after, seconds)),
                asyncio.ensure_future(_left(request)),
            ]
            _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in pending:
                each.cancel()
    return {
        "status": job.status,
        "ahead": studio.worker.ahead(job),
        "events": job.events[max(0, after) :],
    }


@router.delete("/jobs/{name}", status_code=204)
async def end(studio: TheStudio, job: TheJob) -> None:
    """End an inference."""
    studio.worker.cancel(job)


@router.get("/jobs/{name}/{file}")
async def file(file: str, job: TheJob) -> Response:
    """Return a picture of an inference: measurement, truth, estimate-3, score-3, result."""
    with job.watched():  # on a slow line there may be few other requests
        content = job.files.get(file)
    done = [event for event in job.events if event["kind"] == "done"]
    if content is None or (file == "result" and not done):
        raise HTTPException(404, "there is no such picture")
    if file != "result":
        return Response(content, media_type="image/png", headers=_FOREVER)
    ending = done[0]["name"]
    title = quote(f"{job.title}-restored{ending}", safe="")
    headers = {**_FOREVER, "content-disposition": f"attachment; filename*=UTF-8''{title}"}
    kind = "image/tiff" if ending == ".tif" else "image/png"
    return Response(content, media_type=kind, headers=headers)


async def _left(request: Request) -> None:
    """Wait until the visitor has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _described(upload: Upload) -> dict[str, Any]:
    return {"name": upload.name, "title": upload.title, **upload.facts}
