"""Take the pictures of the page that stand in the docs: python tools/screenshots.py URL.

The page must be served there (`rimkit serve`); needs playwright and Chromium.
"""

from __future__ import annotations

import argparse
import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SHOTS: dict[str, dict[str, Any]] = {
    "page-wide": {"size": (1200, 900), "scheme": "light", "inside": False},
    "page-wide-dark": {"size": (1200, 900), "scheme": "dark", "inside": False},
    "page-inside": {"size": (900, 1500), "scheme": "light", "inside": True},
    "page-narrow": {"size": (360, 1000), "scheme": "light", "inside": False},
    "page-narrow-dark": {"size": (360, 1000), "scheme": "dark", "inside": False},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    url = parser.parse_args().url
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, shot in SHOTS.items():
            width, height = shot["size"]
            page = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=shot["scheme"]
            )
            page.goto(url)
            page.wait_for_selector("#samples input")
            sample = "sample-cat" if shot["inside"] else "sample-coffee"
            page.check(f"#samples input[value={sample}]", force=True)
            if shot["inside"]:
                page.check("#inspect")
            page.click("#run")
            page.wait_for_selector("#download:not([hidden])", timeout=120_000)
            page.fill("#scrub", "5")
            page.wait_for_timeout(500)
            if width < 600:
                page.locator("#view").scroll_into_view_if_needed()
                page.evaluate("document.getElementById('view').scrollIntoView()")
            else:
                page.evaluate("window.scrollTo(0, 0)")
            with Image.open(io.BytesIO(page.screenshot())) as image:
                few = image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
                few.save(IMAGES / f"{name}.png", optimize=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
