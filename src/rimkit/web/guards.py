"""Checks between visitors and the application: sizes, times, origins, headers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""Sent with every response: nothing is loaded from elsewhere, and no other page can look in."""


class _Refused(Exception):  # noqa: N818
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Guards:
    """Refuses other host names, bodies that are too long or slow, and requests from other pages.

    Starlette's own check of host names does not accept IPv6 addresses.

    Parameters
    ----------
    app
        The application to guard.
    hosts
        Accepted host names and addresses; ``"*"`` is any, ``"*.a.b"`` all below a.b.
    longest
        Most bytes of a body, by prefix of the request's path; the first match counts.
    seconds
        Time within which a body must arrive.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Sequence[str], longest: Mapping[str, int], seconds: float
    ) -> None:
        self._app = app
        self._hosts = tuple(host.strip("[]").lower() for host in hosts)
        self._longest = longest
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        refusals: list[_Refused] = []  # the application may mistake one for an error of its own

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if refusals and not started:
                raise refusals[0]
            if message["type"] == "http.response.start":
                started = True
                added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        try:
            _check_host(scope, self._hosts)
            _check_origin(scope)
            await self._app(scope, self._bounded(scope, receive, refusals), send_guarded)
        except _Refused as refused:
            refusals.clear()
            if not started:
                await _answer(send_guarded, refused)

    def _bounded(self, scope: Scope, receive: Receive, refusals: list[_Refused]) -> Receive:
        longest = next(
            most for path, most in self._longest.items() if scope["path"].startswith(path)
        )
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > longest:
            raise _Refused(413, _too_long(longest))
        loop = asyncio.get_running_loop()
        end = loop.time() + self._seconds
        received = 0
        complete = False

        def refuse(status: int, detail: str) -> _Refused:
            refusals.append(_Refused(status, detail))
            return refusals[0]

        async def bounded() -> Message:
            nonlocal received, complete
            if complete:  # only the end of the connection can follow, which may take its time
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, end - loop.time()))
            except TimeoutError as error:
                raise refuse(
                    408, f"no complete request arrived within {self._seconds:g} s"
                ) from error
            received += len(message.get("body", b""))
            if received > longest:
                raise refuse(413, _too_long(longest))
            complete = not message.get("more_body", False)
            return message

        return bounded


def _check_host(scope: Scope, hosts: Sequence[str]) -> None:
    """Refuse requests to another host name: a page may have pointed its own at this address."""
    called = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
    name = re.sub(r":\d*$", "", called).strip("[]")
    for host in hosts:
        if host in ("*", name) or (host.startswith("*.") and name.endswith(host[1:])):
            return
    raise _Refused(400, f"this server is not called {name[:80]!r}; add the name with --name")


def _check_origin(scope: Scope) -> None:
    """Refuse requests that another page makes a visitor's browser send."""
    if scope["method"] in ("GET", "HEAD"):
        return
    headers = dict(scope["headers"])
    origin = headers.get(b"origin")
    if origin is not None and origin.partition(b"://")[2] != headers.get(b"host"):
        raise _Refused(403, "this request came from another page")


def _too_long(longest: int) -> str:
    size = f"{longest / 1e6:g} MB" if longest >= 1e6 else f"{longest / 1e3:g} kB"
    return f"that is more than {size}"


async def _answer(send: Send, refused: _Refused) -> None:
    body = json.dumps({"detail": refused.detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
