"""``rimkit serve``."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket

import uvicorn

from rimkit import weights
from rimkit.allocation import keep_large_blocks
from rimkit.cli.main import say
from rimkit.signals import handled, hang_up
from rimkit.web.app import create_app
from rimkit.web.connections import bounded_protocol
from rimkit.web.limits import Limits

_HEAD_SECONDS = 20.0  # within which the head of a request must arrive
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def run(options: argparse.Namespace) -> int:
    """Serve the page until interrupted, or write it as files."""
    models = options.model or weights.model_names()
    if options.export is not None:
        from rimkit.web.site import export_site

        for line in export_site(options.export, models, package=options.onnxruntime_web):
            print(line)
        return 0
    if options.onnxruntime_web is not None:
        raise ValueError("--onnxruntime-web can only be used with --export")
    limits = Limits(
        pixels=options.pixels,
        memory=options.memory,
        seconds=options.seconds,
        upload_bytes=int(options.upload),
        waiting=options.waiting,
        kept_bytes=options.kept,
    )
    keep_large_blocks()
    local = _is_loopback(options.host)
    hosts = [*_LOOPBACK, options.host, *options.name] if local or options.name else ["*"]
    app = create_app(models, limits=limits, hosts=hosts)
    if not local:
        say(f"note: anyone who can reach {options.host} can use this machine's processor")
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=3,
        lifespan="on",  # a failure at the start ends the program
        http=bounded_protocol(most=options.connections, seconds=_HEAD_SECONDS),
    )
    with (
        handled(hang_up(), lambda *_: signal.raise_signal(signal.SIGTERM)),  # which uvicorn handles
        _listening(options.host, options.port) as listener,
    ):
        server = _Server(config)
        server.run([listener])
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Prints its address once it can be reached."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets if sockets and self.started else ():
            host, port = each.getsockname()[:2]
            print(
                f"http://{f'[{host}]' if ':' in host else host}:{port} (Ctrl-C to stop)", flush=True
            )


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno and not isinstance(error, socket.gaierror):  # whose numbers differ
            reason = os.strerror(error.errno)
        raise ValueError(f"cannot listen on {host} port {port}: {reason}") from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
