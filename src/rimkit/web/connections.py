"""Close connections that send no request, and those beyond a maximum number."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

_SPARE = 64  # file descriptors for everything else


def bounded_protocol(*, most: int, seconds: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, with limits.

    Parameters
    ----------
    most
        Most connections that may be open; fewer if the process may open fewer files. A new one
        beyond that is closed at once.
    seconds
        Time within which the head of a request must arrive.
    """
    most = max(1, min(most, _files() - _SPARE))

    class Bounded(H11Protocol):
        _waiting: asyncio.TimerHandle | None = None
        _after: RequestResponseCycle | None = None  # the request before the one awaited

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > most:
                transport.abort()
            else:
                self._expect_a_request()

        def data_received(self, data: bytes) -> None:
            if self._idle() and (self._waiting is None or self._after is not self.cycle):
                self._expect_a_request()
            super().data_received(data)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
            super().connection_lost(exc)

        def _idle(self) -> bool:
            return self.cycle is None or self.cycle.response_complete

        def _expect_a_request(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
            self._after = self.cycle

            def look() -> None:
                self._waiting = None
                if self.cycle is self._after and not self.transport.is_closing():
                    self.transport.close()

            self._waiting = self.loop.call_later(seconds, look)

    return cast("type[asyncio.Protocol]", Bounded)


def _files() -> int:
    """How many files this process may open."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource  # noqa: PLC0415, not everywhere

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
