"""Chromium for the tests of the page; they are skipped where there is none."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import io
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def opened_browser() -> Iterator[Any]:
    """A headless Chromium, as Playwright drives it."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright, from PyPI")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def opened_page(browser: Any, url: str, **options: Any) -> Iterator[Any]:
    """The page, loaded. It must not complain, nor ask any other host for anything."""
    page = browser.new_page(**options)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((url, "blob:", "data:"))
            else complaints.append(f"asks for {request.url}")
        ),
    )
    page.goto(url)
    page.wait_for_selector("#samples input")
    try:
        yield page
        assert not complaints
    finally:
        page.close()


class FilesAlone(http.server.SimpleHTTPRequestHandler):
    """Hands out files, and says nothing of it."""

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def handed_out(site: Path, kind: type[http.server.SimpleHTTPRequestHandler]) -> Iterator[str]:
    """The address at which the files of a folder are had."""
    handler = functools.partial(kind, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def restore(page: Any, source: Path, *, sigma: int | None) -> None:
    """Choose a file, say that it is noisy, and wait for the end."""
    page.set_input_files("#file", source)
    page.wait_for_selector("#run:enabled")
    page.select_option("#kind", "photograph")
    if sigma is not None:
        page.uncheck("#automatic")
        page.fill("#set-sigma", str(sigma))
    page.click("#run")
    page.wait_for_selector("#download:not([hidden])", timeout=60_000)


def says(page: Any, element: str, text: str) -> None:
    """Wait until an element says something."""
    page.locator(f"#{element}", has_text=text).wait_for(timeout=20_000)


def until(page: Any, holds: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait until something holds, and fail if it does not in so many seconds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "what was waited for did not come"
        page.wait_for_timeout(50)


def drawn(page: Any, canvas: str) -> Any:
    """The pixels (H, W, 3) of a canvas."""
    url = page.evaluate("id => document.getElementById(id).toDataURL('image/png')", canvas)
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def downloaded(page: Any, target: Path) -> str:
    """Save the result, and return what it was to be called."""
    with page.expect_download() as waiting:
        page.click("#download")
    waiting.value.save_as(target)
    return str(waiting.value.suggested_filename)


def colours(pixels: Any) -> Any:
    """Grey or colour (H, W[, 3]) as (H, W, 3)."""
    return np.broadcast_to(pixels[..., None], (*pixels.shape, 3)) if pixels.ndim == 2 else pixels
