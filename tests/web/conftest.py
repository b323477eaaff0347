"""The server, run as `rimkit serve` runs it, in a thread."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
import uvicorn
from PIL import Image
from tests.web.browser import opened_browser, opened_page

from rimkit.networks import CompactConfig
from rimkit.rim import RIM, RIMConfig
from rimkit.web.app import create_app
from rimkit.web.limits import Limits
from rimkit.weights import store

SIDES = (60, 82)

Serve = Callable[..., contextlib.AbstractContextManager[httpx.Client]]


@contextlib.contextmanager
def _serve(
    models: tuple[str, ...] = ("denoise-color", "denoise-gray"), **limits: Any
) -> Iterator[httpx.Client]:
    app = create_app(models, limits=Limits(**limits), hosts=("127.0.0.1",))
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="on")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            client.app = app  # type: ignore[attr-defined]
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def serve() -> Serve:
    return _serve


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A server with safe defaults, but for the images: they are small."""
    with _serve(pixels=100_000, upload_bytes=2_000_000, patience=30.0) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Any, client: httpx.Client) -> Iterator[Any]:
    with opened_page(browser, str(client.base_url)) as page:
        yield page


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "my photo.png"
    path.write_bytes(encoded(*SIDES, channels=3))
    return path


@pytest.fixture
def large_source(tmp_path: Path) -> Path:
    """Two hundred steps on it are not over before somebody stops them."""
    path = tmp_path / "large.png"
    path.write_bytes(encoded(250, 300, channels=3))
    return path


def write_model(path: Path, *, task: str = "inpainting", **config: Any) -> str:
    """Small, for colour, with random weights that do something."""
    torch.manual_seed(0)
    network = CompactConfig(channels=3, features=8, blocks=1)
    model = RIM(RIMConfig(**{"network": network, "steps": 3, "score_scale": 0.02, **config}))
    torch.nn.init.normal_(model.network.out.weight, std=0.2)
    store.save(model, path, training={"task": {"name": task, "sigma": [0.3, 25.0]}})
    return str(path)


@pytest.fixture
def fills(tmp_path: Path) -> str:
    """A model for inpainting, called fills."""
    return write_model(tmp_path / "fills.safetensors")


def encoded(height: int = 40, width: int = 56, *, channels: int = 1, seed: int = 0) -> bytes:
    """A noisy PNG."""
    values = np.random.default_rng(seed).normal(120, 30, (height, width, channels)).clip(0, 255)
    return as_png(values.astype(np.uint8))


def as_png(values: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values[..., 0] if values.shape[2] == 1 else values).save(file, "PNG")
    return file.getvalue()


def runs_of(missing: Any) -> list[int]:
    """(H, W) of booleans as the page sends them: so many seen, so many missing, and so on."""
    flat = np.concatenate([[False], missing.ravel()])
    ends = [*np.flatnonzero(flat[1:] != flat[:-1]), missing.size]
    return [int(run) for run in np.diff([0, *ends])]


def scribble(height: int, width: int) -> Any:
    """(H, W), booleans: a stroke across an image, and a hole."""
    rows, columns = np.mgrid[:height, :width]
    stroke = abs(rows * width - columns * height) < 2.5 * width
    return stroke | ((rows - 10) ** 2 + (columns - width + 14) ** 2 < 50)


def send(client: httpx.Client, content: bytes, title: str = "photo.png") -> dict[str, Any]:
    answer = client.post("/api/images", params={"title": title}, content=content)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def ask(client: httpx.Client, image: str, **wish: Any) -> httpx.Response:
    whole = {"degradation": {"kind": "photograph"}, "solver": "denoise-gray", **wish}
    return client.post("/api/jobs", json={"image": image, **whole})


def watch(client: httpx.Client, job: str) -> tuple[str, list[dict[str, Any]]]:
    """Follow a job to its end; return its status and all events."""
    events: list[dict[str, Any]] = []
    while True:
        news = client.get(f"/api/jobs/{job}", params={"after": len(events)})
        assert news.status_code == 200, news.text
        events += news.json()["events"]
        if news.json()["status"] in ("done", "failed", "cancelled"):
            return news.json()["status"], events


def restored(
    client: httpx.Client, image: str, **wish: Any
) -> tuple[str, list[dict[str, Any]], str]:
    """Ask and watch: status, events, name of the job."""
    answer = ask(client, image, **wish)
    assert answer.status_code == 202, answer.text
    name = answer.json()["name"]
    return (*watch(client, name), name)


def pixels(content: bytes) -> Any:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image)
