"""Take the screenshots of the web page that the documentation shows.

python tools/page_pictures.py writes docs/images/page-*.png, or only those that are named. It needs
rimkit[web], playwright and Chromium.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from playwright.sync_api import sync_playwright

from rimkit.web.app import create_app
from rimkit.web.limits import Limits

IMAGES = Path(__file__).parents[1] / "docs" / "images"
MODELS = ("denoise-color", "denoise-gray", "inpainting")
LINES = [((60, 40), (250, 130)), ((250, 130), (330, 60)), ((90, 200), (200, 225))]
"""Lines painted over the image, in its pixel coordinates."""


class View(NamedTuple):
    """What is shown, and on which screen."""

    name: str
    size: tuple[int, int]
    sample: str
    scheme: str = "light"
    inside: bool = False
    bottom: bool = False
    painted: bool = False


VIEWS = [
    View("page-wide", (1200, 900), "coffee"),
    View("page-inside", (900, 1500), "cat", inside=True),
    View("page-narrow-dark", (360, 1000), "coffee", scheme="dark", bottom=True),
    View("page-painted", (1200, 900), "coffee", painted=True),
]


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serve the page, and yield its address."""
    app = create_app(MODELS, limits=Limits(), hosts=("127.0.0.1",))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                sys.exit("the server did not start")
            time.sleep(0.02)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


def take(browser: Any, url: str, view: View) -> None:
    """Add noise to a sample and remove it, or paint on the sample, and take a screenshot."""
    width, height = view.size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=view.scheme)
    page.goto(url)
    page.check(f"#samples input[value=sample-{view.sample}]", force=True)
    page.select_option("#kind", "painted" if view.painted else "noise")
    page.wait_for_selector("#run:enabled")
    if view.painted:
        paint(page)
    else:
        if view.inside:
            page.check("#inspect")
        page.click("#run")
        page.wait_for_selector("#download:not([hidden])", timeout=60_000)
    page.evaluate("document.activeElement.blur()")
    page.evaluate("bottom => scrollTo(0, bottom ? document.body.scrollHeight : 0)", view.bottom)
    page.wait_for_timeout(300)
    page.screenshot(path=IMAGES / f"{view.name}.png")
    page.close()


def paint(page: Any) -> None:
    """Draw lines on the image with the mouse."""
    page.wait_for_selector("#painting:not([hidden])")
    box = page.locator("#marks").bounding_box()
    width = page.evaluate("document.getElementById('marks').width")
    for line in LINES:
        for number, (x, y) in enumerate(line):
            scale = box["width"] / width
            page.mouse.move(box["x"] + scale * x, box["y"] + scale * y, steps=5)
            if number == 0:
                page.mouse.down()
        page.mouse.up()


def main() -> None:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        sys.exit("needs Chromium: apt-get install chromium")
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for view in (view for view in VIEWS if view.name in (sys.argv[1:] or [view.name])):
            take(browser, url, view)
            print(IMAGES / f"{view.name}.png")
        browser.close()


if __name__ == "__main__":
    main()
