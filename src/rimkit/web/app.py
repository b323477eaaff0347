"""The server's application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles

import rimkit
from rimkit.web.guards import Guards
from rimkit.web.limits import Limits
from rimkit.web.routes import router
from rimkit.web.solvers import offers
from rimkit.web.studio import Studio

_LEAST_SIDE = 256  # of an image that every solver must take
_LONGEST_WISH = 300_000  # bytes: MOST_RUNS numbers of two million pixels, and a margin
_LONGEST = 20_000  # bytes of any other request


def create_app(
    models: Sequence[str], *, limits: Limits | None = None, hosts: Sequence[str] = ("*",)
) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    models
        Names or paths of the models that are offered.
    limits
        What visitors may use of this computer.
    hosts
        Host names of the server, as in `rimkit.web.guards.Guards`: requests to others are refused,
        so that no other page can reach it under a name of its own.

    Raises
    ------
    ValueError
        If a model cannot be loaded, two have the same name, or the memory is too little for any
        image that somebody would send.
    """
    limits = limits if limits is not None else Limits()
    offered = offers(models, memory=limits.memory)
    for offer in offered.values():
        if offer.together(np.zeros((_LEAST_SIDE, _LEAST_SIDE, offer.channels), np.uint8)) < 1:
            raise ValueError(
                f"{limits.memory / 1e6:g} MB of memory are not enough: {offer.name} needs more "
                f"even for an image of {_LEAST_SIDE}x{_LEAST_SIDE}"
            )

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with Studio(offered, limits) as studio:
            app.state.studio = studio
            yield

    app = FastAPI(title="rimkit", version=rimkit.__version__, lifespan=lifespan, openapi_url=None)
    app.add_middleware(
        Guards,
        hosts=hosts,
        longest={
            "/api/images": limits.upload_bytes,
            "/api/jobs": _LONGEST_WISH,
            "": _LONGEST,
        },
        seconds=limits.upload_seconds,
    )
    app.add_exception_handler(RequestValidationError, _explain)
    app.include_router(router)
    app.mount("/", _Fresh(directory=static_folder(), html=True))
    return app


class _Fresh(StaticFiles):
    """Files that a browser must revalidate: after an upgrade, old ones would meet new answers."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file, or the response that it has not changed."""
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def static_folder() -> Path:
    """Folder of the page's files."""
    return Path(str(resources.files("rimkit.web") / "static"))


async def _explain(_: Request, error: Exception) -> JSONResponse:
    """Say in one line what is wrong with a request."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    lines = [_line(each["loc"][1:], each["msg"]) for each in problems[:3]]
    return JSONResponse({"detail": "; ".join(lines)[:500]}, status_code=422)


def _line(place: Sequence[int | str], message: str) -> str:
    where = ".".join(str(part) for part in place if isinstance(part, str))
    return f"{where}: {message}" if where else message
