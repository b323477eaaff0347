"""Connections that say nothing, and many of them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from rimkit.web.connections import bounded_protocol

ASK = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@contextlib.contextmanager
def _served(*, most: int = 50, seconds: float = 0.5) -> Iterator[tuple[str, int]]:
    async def app(scope: dict[str, str], _receive: object, send: object) -> None:
        await asyncio.sleep(1.6 * seconds if scope["path"] == "/slow" else 0)
        await send(  # type: ignore[operator]
            {"type": "http.response.start", "status": 204, "headers": []}
        )
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    protocol = bounded_protocol(most=most, seconds=seconds)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http=protocol, log_level="error", lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield server.servers[0].sockets[0].getsockname()
    finally:
        server.should_exit = True
        thread.join()


def _connected(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=5)


@pytest.mark.parametrize("said", [b"", b"G", ASK[:-2]])
def test_who_asks_for_nothing_is_not_kept(said: bytes) -> None:
    began = time.monotonic()
    with _served() as address, _connected(address) as line:
        line.sendall(said)
        assert line.recv(1000).partition(b"\r\n")[0] in (b"", b"HTTP/1.1 400 Bad Request")
        assert 0.3 < time.monotonic() - began < 10


def test_half_a_request_after_a_whole_one_is_not_waited_for() -> None:
    with _served() as address, _connected(address) as line:
        line.sendall(ASK)
        assert b" 204 " in line.recv(1000)
        line.sendall(ASK[:-2])  # while the time of the first has not run out
        began = time.monotonic()
        assert line.recv(1000).partition(b"\r\n")[0] in (b"", b"HTTP/1.1 400 Bad Request")
        assert time.monotonic() - began < 3


def test_who_asks_again_is_kept_and_slow_answers_are_given() -> None:
    with _served(seconds=1.5) as address, _connected(address) as line:
        for path in (b"/", b"/slow", b"/", b"/", b"/", b"/"):
            line.sendall(ASK.replace(b"/ ", path + b" ", 1))
            assert b" 204 " in line.recv(1000)
            time.sleep(0.4)


def test_one_more_than_may_be_is_closed_and_there_is_room_afterwards() -> None:
    with _served(most=3, seconds=30) as address:
        with contextlib.ExitStack() as stack:
            lines = [stack.enter_context(_connected(address)) for _ in range(3)]
            for line in lines:
                line.sendall(ASK)
                assert b" 204 " in line.recv(1000)
            with _connected(address) as more, contextlib.suppress(ConnectionError):
                more.sendall(ASK)
                assert more.recv(1000) == b""
            lines[0].sendall(ASK)
            assert b" 204 " in lines[0].recv(1000)
        deadline = time.monotonic() + 10
        answered = False
        while not answered and time.monotonic() < deadline:  # once the others are closed
            with _connected(address) as line, contextlib.suppress(ConnectionError):
                line.sendall(ASK)
                answered = b" 204 " in line.recv(1000)
        assert answered
