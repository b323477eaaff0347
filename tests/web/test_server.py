"""What visitors get, good and bad."""

from __future__ import annotations

import contextlib
import io
import json
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import imagecodecs
import numpy as np
import psutil
import pytest
import tifffile
from PIL import Image, ImageCms
from tests.processes import started
from tests.web.conftest import (
    Serve,
    as_png,
    ask,
    encoded,
    pixels,
    restored,
    runs_of,
    scribble,
    send,
    watch,
)

from rimkit.cli.main import main
from rimkit.files.picture import Picture
from rimkit.web.uploads import Upload, Uploads, title_of

NOISE = {"kind": "noise", "sigma": 25}
KINDS: list[dict[str, Any]] = [
    NOISE,
    {"kind": "missing", "share": 0.3},
    {"kind": "scratches", "count": 400},
    {"kind": "blur", "width": 1.0},
    {"kind": "smaller", "scale": 1.7},
    {"kind": "projections", "share": 0.5},
]


def test_the_page_is_there_and_says_what_may_be_chosen(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "http" not in page.text.replace("http://www.w3.org", "")
    about = client.get("/api/about").json()
    offered = {solver["name"]: solver for solver in about["solvers"]}
    assert list(offered)[:2] == ["denoise-color", "denoise-gray"]
    assert [offered[name]["channels"] for name in ("denoise-color", "denoise-gray")] == [3, 1]
    assert offered["denoise-gray"]["trained"] == ["photograph", "noise"]
    for sample in about["samples"]:
        shown = pixels(client.get(f"/api/images/{sample['name']}").content)
        assert shown.shape[:2] == (sample["height"], sample["width"])


@pytest.mark.parametrize("path", ["/", "/page.js", "/api/about", "/api/jobs/none"])
def test_every_answer_forbids_what_is_not_needed(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-embedder-policy"] == "require-corp"


def test_files_of_the_page_are_asked_for_again(client: httpx.Client) -> None:
    for path in ("/", "/page.js", "/api/images/sample-cat"):
        assert client.get(path).headers["cache-control"] == "no-cache"
    tag = client.get("/page.js").headers["etag"]
    assert client.get("/page.js", headers={"if-none-match": tag}).status_code == 304


def test_it_is_told_whether_channels_share_their_noise(client: httpx.Client) -> None:
    grey = encoded(60, 81, channels=1)
    shared = as_png(pixels(grey).reshape(60, 81, 1).repeat(3, axis=2))
    given = (grey, shared, encoded(60, 81, channels=3))
    assert [send(client, content)["shares_noise"] for content in given] == [False, True, False]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", ["auto", 20, 1, 0])
def test_the_result_has_the_pixels_that_rimkit_restore_writes(
    client: httpx.Client, tmp_path: Path, channels: int, sigma: Any
) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    source.write_bytes(encoded(60, 81, channels=channels))
    assert main(["restore", str(source), "-o", str(target), "--sigma", str(sigma), "--quiet"]) == 0
    image = send(client, source.read_bytes())
    wish = {"degradation": {"kind": "photograph", "sigma": sigma}}
    solver = {1: "denoise-gray", 3: "denoise-color"}[channels]
    status, events, job = restored(client, image["name"], solver=solver, **wish)
    assert status == "done", events
    result = client.get(f"/api/jobs/{job}/result")
    assert np.array_equal(pixels(result.content), pixels(target.read_bytes()))
    last = client.get(f"/api/jobs/{job}/estimate-{events[-2]['number']}")
    assert np.array_equal(pixels(last.content), pixels(result.content))
    changed = not np.array_equal(pixels(result.content), pixels(source.read_bytes()))
    assert changed == (sigma not in (0, 1))  # one grey level is too little


@pytest.mark.parametrize("kind", ["photograph", "noise"])
def test_a_download_says_which_colours_it_means(client: httpx.Client, kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    Image.open(io.BytesIO(encoded(channels=3))).save(file, "PNG", icc_profile=profile)
    image = send(client, file.getvalue())["name"]
    sigma = "auto" if kind == "photograph" else 15
    wish = {"degradation": {"kind": kind, "sigma": sigma}}
    status, events, job = restored(client, image, solver="denoise-color", **wish)
    assert status == "done", events
    result = client.get(f"/api/jobs/{job}/result")
    assert Image.open(io.BytesIO(result.content)).info["icc_profile"] == profile


def test_samples_that_are_too_large_here_are_not_offered(serve: Serve) -> None:
    with serve(pixels=50_000) as client:
        assert client.get("/api/about").json()["samples"] == []


def test_transparency_and_16_bits_come_back(client: httpx.Client, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(20_000, 40_000, (32, 32, 4), dtype=np.uint16)
    values[..., 3] = 65535
    source, target = tmp_path / "in.tif", tmp_path / "out.png"
    tifffile.imwrite(source, values, extrasamples=["unassalpha"], photometric="rgb")
    assert main(["restore", str(source), "-o", str(target), "--quiet"]) == 0
    image = send(client, source.read_bytes())["name"]
    status, events, job = restored(client, image, solver="denoise-color")
    assert status == "done", events
    assert client.get(f"/api/jobs/{job}/result").content == target.read_bytes()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("sigma", [0, 15])
def test_what_is_painted_over_is_filled_in_as_by_rimkit_restore(
    serve: Serve, tmp_path: Path, fills: str, sigma: int, channels: int
) -> None:
    source, marks, target = (tmp_path / f"{name}.png" for name in ("in", "marks", "out"))
    source.write_bytes(encoded(90, 131, channels=channels))
    missing = scribble(90, 131)
    marks.write_bytes(as_png(255 * missing.astype(np.uint8)[..., None]))
    command = ["restore", str(source), "-o", str(target), "--missing", str(marks), "--quiet"]
    noise = ["--sigma", str(sigma)] if sigma else []
    assert main([*command, "--model", fills, *noise]) == 0
    wish = {"kind": "painted", "runs": runs_of(missing), "sigma": sigma}
    with serve(models=(fills,)) as client:
        image = send(client, source.read_bytes())["name"]
        status, events, job = restored(client, image, solver="fills", degradation=wish)
        assert status == "done", events
        assert all(event["psnr"] is None for event in events[1:-1])
        found, start, last, shown = (
            pixels(client.get(f"/api/jobs/{job}/{file}").content)
            for file in ("result", "estimate-0", "estimate-3", "measurement")
        )
        assert client.get(f"/api/jobs/{job}/truth").status_code == 404
    given = pixels(source.read_bytes())
    assert np.array_equal(found, pixels(target.read_bytes()))
    assert np.array_equal(found, last)
    assert np.array_equal(shown, given)
    assert found.shape == given.shape
    assert (found != given)[missing].mean() > 0.9
    assert (found != given)[~missing].any() == (sigma > 0)
    assert (start != last)[missing].mean() > 0.5


def test_transparency_and_16_bits_stay_where_an_image_is_filled_in(
    serve: Serve, tmp_path: Path, fills: str
) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (40, 50, 4), dtype=np.uint16)
    source, target = tmp_path / "in.tif", tmp_path / "out.png"
    tifffile.imwrite(source, values, extrasamples=["unassalpha"], photometric="rgb")
    missing = scribble(40, 50)
    with serve(models=(fills,)) as client:
        image = send(client, source.read_bytes())["name"]
        wish = {"kind": "painted", "runs": runs_of(missing)}
        status, events, job = restored(client, image, solver="fills", degradation=wish)
        assert status == "done", events
        target.write_bytes(client.get(f"/api/jobs/{job}/result").content)
    found = imagecodecs.png_decode(target.read_bytes())
    assert found.dtype == np.uint16
    assert np.array_equal(found[~missing], values[~missing])
    assert np.array_equal(found[..., 3], values[..., 3])
    assert (found != values).any(2)[missing].mean() > 0.9


def test_colours_that_nobody_sees_are_neither_shown_nor_changed(
    serve: Serve, tmp_path: Path, fills: str
) -> None:
    values = np.full((40, 50, 4), 200, np.uint8)
    values[:, 25:] = 0  # black, and fully transparent
    missing = np.zeros((40, 50), bool)
    missing[10:20] = True
    source, marks, target = (tmp_path / f"{name}.png" for name in ("in", "marks", "out"))
    Image.fromarray(values).save(source)
    Image.fromarray(missing).save(marks)
    command = ["restore", str(source), "--missing", str(marks), "--model", fills, "--quiet"]
    assert main([*command, "--sigma", "5", "-o", str(target)]) == 0
    with serve(models=(fills,)) as client:
        image = send(client, source.read_bytes())["name"]
        wish = {"kind": "painted", "runs": runs_of(missing), "sigma": 5}
        status, events, job = restored(client, image, solver="fills", degradation=wish)
        assert status == "done", events
        found = imagecodecs.png_decode(client.get(f"/api/jobs/{job}/result").content)
        wish["runs"] = runs_of(values[..., 3] > 0)
        status, events, _ = restored(client, image, solver="fills", degradation=wish)
        assert status == "failed"
        assert "all that can be seen is painted" in str(events)
    assert np.array_equal(found, np.asarray(Image.open(target)))
    assert np.array_equal(found[:, 25:], values[:, 25:])
    assert not np.array_equal(found[10:20, :25], values[10:20, :25])


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], "what is painted has 0 pixels, but an image of 56x40 has 2240"),
        ([2000, 200], "has 2200 pixels"),
        ([2**32 - 1] * 50, "has 214748364750 pixels"),
        ([2240], "nothing is painted"),
        ([1000, 0, 1240, 0, 0, 0], "nothing is painted"),
        ([0, 2240], "everything is painted"),
    ],
)
def test_what_cannot_be_filled_in_is_said(
    client: httpx.Client, runs: list[int], expected: str
) -> None:
    image = send(client, encoded())["name"]
    status, events, _ = restored(client, image, degradation={"kind": "painted", "runs": runs})
    assert status == "failed"
    assert expected in events[-1]["detail"]


def test_what_was_painted_takes_little_while_it_waits(client: httpx.Client) -> None:
    image = send(client, encoded(200, 300))["name"]
    wish = {"kind": "painted", "runs": [600, 600] * 25 + [300] * 100}
    _, events, name = restored(client, image, degradation=wish, steps=1)
    assert events[-1]["kind"] == "done"
    job = client.app.state.studio.worker.get(name)  # type: ignore[attr-defined]
    assert job.wish.painted_bytes == 4 * 150 == job.wish.degradation.runs.itemsize * 150
    assert job.size == sum(map(len, job.files.values())) + 600


def test_an_image_comes_back_from_random_projections(client: httpx.Client) -> None:
    wish = {"degradation": {"kind": "projections", "share": 0.5, "sigma": 2}}
    status, events, _ = restored(client, "sample-cat", solver="total-variation", steps=60, **wish)
    assert status == "done", events
    assert events[-2]["psnr"] > events[1]["psnr"] + 3


@pytest.mark.parametrize("degradation", KINDS, ids=lambda each: each["kind"])
@pytest.mark.parametrize(
    "solver", ["denoise-color", "denoise-gray", "total-variation", "gradient-descent"]
)
def test_every_solver_runs_on_every_problem(
    client: httpx.Client, degradation: dict[str, Any], solver: str
) -> None:
    image = send(client, encoded(33, 40, channels=3))
    wish = {"degradation": degradation, "solver": solver, "steps": 3, "inspect": True}
    status, events, job = restored(client, image["name"], **wish)
    assert status == "done", events
    assert [event["kind"] for event in events] == ["started", *["step"] * 4, "done"]
    assert all(event["psnr"] > 5 for event in events[1:-1])
    files = ["truth", "measurement", "estimate-0", "estimate-3", "score-3"]
    files += [] if solver == "gradient-descent" else ["state-3"]
    for name in files:
        picture = client.get(f"/api/jobs/{job}/{name}")
        assert picture.headers["content-type"] == "image/png", name
        if not name.startswith("state"):
            assert pixels(picture.content).shape[:2] == (33, 40), name


def test_psnr_is_that_of_the_estimate(client: httpx.Client) -> None:
    _, events, job = restored(client, "sample-cat", degradation=NOISE, steps=2)
    estimate, truth = (
        pixels(client.get(f"/api/jobs/{job}/{name}").content) / 255
        for name in ("estimate-2", "truth")
    )
    error = -10 * np.log10(np.mean((estimate - truth) ** 2))
    assert events[-2]["psnr"] == pytest.approx(error, abs=0.02)  # the picture is rounded
    assert events[1]["psnr"] < events[-2]["psnr"] - 5
    assert events[-2]["change"] > 0


def test_the_state_shows_a_channel_for_each_of_the_networks(client: httpx.Client) -> None:
    _, _, job = restored(client, "sample-cat", degradation=NOISE, steps=1, inspect=True)
    before, after = (
        pixels(client.get(f"/api/jobs/{job}/state-{number}").content) for number in (0, 1)
    )
    assert len(np.unique(before)) <= 2  # zero in mid grey, and the lines between
    assert after.std() > 5


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "text": (b"I am a photograph, really.", "no known image format"),
    "cut short": (encoded()[:200], "cannot be read"),
    "one pixel": (as_png(np.zeros((1, 1, 1), np.uint8)), "at least 8x8"),
    "too large": (as_png(np.zeros((400, 400, 1), np.uint8)), "400x400 is too large"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_what_is_no_image_is_refused_in_one_line(client: httpx.Client, kind: str) -> None:
    content, expected = BAD_FILES[kind]
    answer = client.post("/api/images", params={"title": "holiday.png"}, content=content)
    assert answer.status_code == 415
    assert expected in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]
    assert "/" not in answer.json()["detail"], "no paths of the server"


def bomb_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.png", bytes(300_000_000))
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(kind + content)
    return len(content).to_bytes(4, "big") + kind + content + crc.to_bytes(4, "big")


def bomb_png(*, side: int, text: bool) -> bytes:
    """A header that asks for much, or a text that unfolds to much."""
    header = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    packed = zlib.compress(bytes(300_000_000), 9)
    parts = [chunk(b"IHDR", header)]
    if text:
        parts.append(chunk(b"zTXt", b"Comment\0\0" + packed))
    parts += [chunk(b"IDAT", packed), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def bomb_tiff(content: bytes, *, compression: int = 8, **tags: int) -> bytes:
    """Says that it is 64x64, and unfolds to what is in it."""
    entries = {256: 64, 257: 64, 258: 8, 259: compression, 262: 1, 277: 1, 278: 64}
    entries |= {int(tag.lstrip("t")): value for tag, value in tags.items()}
    offset, count = (324, 325) if 322 in entries else (273, 279)
    begin = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries |= {offset: begin, count: len(content)}
    directory = b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(entries.items())
    )
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    return head + directory + bytes(4) + content


def much(count: int = 300_000_000) -> bytes:
    return zlib.compress(bytes(count), 9)


BOMBS = {
    "zip": bomb_zip,
    "png of 60000x60000": lambda: bomb_png(side=60_000, text=False),
    "png with a text": lambda: bomb_png(side=64, text=True),
    "png with too much": lambda: bomb_png(side=64, text=False),
    "tiff with too much": lambda: bomb_tiff(much()),
    "tiff of 3000 channels": lambda: bomb_tiff(
        much(316**2 * 3000), t256=316, t257=316, t277=3000, t278=316
    ),
    "tiff of 65535 channels": lambda: bomb_tiff(b"", t256=316, t257=316, t277=65_535, t278=316),
    "tiff of depth 50000": lambda: bomb_tiff(much(), t32997=50_000),
    "tiff of large tiles": lambda: bomb_tiff(much(14_000**2), t322=14_000, t323=14_000),
    "tiff with a number for a profile": lambda: bomb_tiff(much(64**2), t34675=500_000_000),
    "tiff with a png": lambda: bomb_tiff(
        imagecodecs.png_encode(np.zeros((12_000, 12_000), np.uint8), level=1), compression=34_933
    ),
    "tiff with a jpeg": lambda: bomb_tiff(
        imagecodecs.jpeg8_encode(np.zeros((13_000, 13_000), np.uint8)), compression=7
    ),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_what_unfolds_to_much_takes_little(client: httpx.Client, kind: str) -> None:
    content = BOMBS[kind]()
    assert len(content) <= 2_000_000
    highest = 0
    done = threading.Event()

    def look() -> None:
        nonlocal highest
        while not done.wait(0.005):
            highest = max(highest, psutil.Process().memory_info().rss)

    before = psutil.Process().memory_info().rss
    thread = threading.Thread(target=look)
    thread.start()
    began = time.monotonic()
    answer = client.post("/api/images", content=content)
    done.set()
    thread.join()
    assert answer.status_code in (201, 415)  # what is needless in a file may be left unread
    assert time.monotonic() - began < 5
    assert highest - before < 120e6


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("../../etc/passwd", "passwd"),
        ("..%2F..%2Fetc%2Fshadow.png", "%2F..%2Fetc%2Fshadow"),
        ("C:\\temp\\photo.jpg", "photo"),
        ("..", "image"),
        ("", "image"),
        (".bashrc", "bashrc"),
        ("a\r\nSet-Cookie: x=1.png", "aSet-Cookie x=1"),
        ("Käse 2.tar.png", "Käse 2.tar"),
        ("x" * 500, "x" * 80),
    ],
)
def test_titles_name_no_folders(title: str, expected: str) -> None:
    assert title_of(title).replace(":", "") == expected


def test_the_name_of_the_result_is_that_of_the_image(client: httpx.Client) -> None:
    image = send(client, encoded(), title='../my "photo"\r\nX: y.png')
    _, _, job = restored(client, image["name"])
    named = client.get(f"/api/jobs/{job}/result").headers["content-disposition"]
    assert named == "attachment; filename*=UTF-8''my%20%22photo%22X%3A%20y-restored.png"


@pytest.mark.parametrize(
    "path", ["/../app.py", "/..%2fapp.py", "/%2e%2e/%2e%2e/tree.py", "/samples/"]
)
def test_nothing_beside_the_page_is_handed_out(client: httpx.Client, path: str) -> None:
    # As it stands: clients tidy paths up.
    with socket.create_connection((client.base_url.host, client.base_url.port)) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert line.recv(4000).startswith(b"HTTP/1.1 404 ")


def test_a_preview_is_drawn_once_and_those_who_wait_take_no_thread(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as client:
        name = send(client, encoded())["name"]
        reads: list[str] = []
        read = Uploads.read
        goes_on = threading.Event()

        def slowly(self: Uploads, upload: Upload) -> Picture:
            reads.append(upload.name)
            assert goes_on.wait(60)
            return read(self, upload)

        monkeypatch.setattr(Uploads, "read", slowly)

        def look(_: int) -> bytes:
            address = f"{client.base_url}/api/images/{name}"
            return httpx.get(address, timeout=60, verify=False).content

        with ThreadPoolExecutor(60) as pool:
            seen = [pool.submit(look, number) for number in range(60)]
            while not reads:
                time.sleep(0.01)
            assert client.get("/").status_code == 200  # though no picture has come yet
            goes_on.set()
            assert len({each.result() for each in seen}) == 1
        assert reads == [name]


PAINTED = (
    b'{"image": "sample-cat", "solver": "denoise-gray",'
    b' "degradation": {"kind": "painted", "runs": %s}}'
)
BAD_WISHES: dict[str, tuple[bytes, int, str]] = {
    "no json": (b"{", 422, "JSON"),
    "a list": (b"[]", 422, "valid dictionary"),
    "nothing": (b"{}", 422, "image: Field required"),
    "no such kind": (b'{"degradation": {"kind": "zoom"}}', 422, "'zoom'"),
    "not a number": (
        b'{"image": "sample-cat", "solver": "denoise-gray",'
        b' "degradation": {"kind": "noise", "sigma": NaN}}',
        422,
        "finite",
    ),
    "much noise": (
        b'{"image": "sample-cat", "solver": "denoise-gray",'
        b' "degradation": {"kind": "noise", "sigma": 1e9}}',
        422,
        "less than or equal to 100",
    ),
    "misspelt": (
        b'{"image": "sample-cat", "solver": "denoise-gray",'
        b' "degradation": {"kind": "noise", "sigam": 5}}',
        422,
        "sigam",
    ),
    "no such solver": (
        b'{"image": "sample-cat", "solver": "../x", "degradation": {"kind": "noise"}}',
        422,
        "no solver",
    ),
    "no such image": (
        b'{"image": "../x", "solver": "denoise-gray", "degradation": {"kind": "noise"}}',
        404,
        "no longer here",
    ),
    "painted by nobody": (PAINTED % b'"all of it"', 422, "a list of at most 50000"),
    "painted by halves": (PAINTED % b"[3, 1.5]", 422, "whole numbers from 0 on"),
    "painted less than not": (PAINTED % b"[3, -1]", 422, "whole numbers from 0 on"),
    "painted beyond all": (PAINTED % b"[3, 4294967296]", 422, "whole numbers from 0 on"),
    "painted too finely": (PAINTED % json.dumps([1] * 50_001).encode(), 422, "at most 50000"),
    "bad from end to end": (PAINTED % json.dumps([""] * 60_000).encode(), 422, "at most 50000"),
    "much": (b'"' + b"x" * 400_000 + b'"', 413, "more than 300 kB"),
    "nested": (b"[" * 9_000 + b"]" * 9_000, 400, "error parsing"),
}


@pytest.mark.parametrize("kind", BAD_WISHES)
def test_bad_wishes_are_refused_in_one_line(client: httpx.Client, kind: str) -> None:
    content, status, expected = BAD_WISHES[kind]
    answer = client.post("/api/jobs", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert expected in answer.json()["detail"]
    assert len(answer.json()["detail"]) <= 500


def test_too_many_steps_fail_and_say_how_many_there_are(client: httpx.Client) -> None:
    status, events, _ = restored(client, "sample-cat", steps=5000)
    assert status == "failed"
    assert "at most 200 steps" in events[-1]["detail"]


def test_other_hosts_and_other_pages_are_refused(client: httpx.Client) -> None:
    refused = client.get("/api/about", headers={"host": "evil.example:80"})
    assert refused.status_code == 400
    assert "is not called 'evil.example'" in refused.json()["detail"]
    wish = {"image": "sample-cat", "degradation": NOISE, "solver": "denoise-gray"}
    refused = client.post("/api/jobs", json=wish, headers={"origin": "https://evil.example"})
    assert refused.status_code == 403
    own = str(client.base_url).rstrip("/")
    assert client.post("/api/jobs", json=wish, headers={"origin": own}).status_code == 202


def test_uploads_that_are_too_long_are_refused_before_they_have_come(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port)) as line:
        line.sendall(
            b"POST /api/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000000\r\n\r\n"
        )
        assert b" 413 " in line.recv(4000)

    def endless() -> Any:
        while True:
            yield bytes(100_000)

    # The server may close the line before all has been sent.
    with contextlib.suppress(httpx.TransportError):
        assert client.post("/api/images", content=endless()).status_code == 413
    assert client.get("/api/about").status_code == 200


def test_uploads_that_never_end_are_ended(serve: Serve) -> None:
    with serve(upload_seconds=3, uploads=1) as client:
        address = (client.base_url.host, client.base_url.port)
        with socket.create_connection(address, timeout=20) as line:
            line.sendall(
                b"POST /api/images HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 90\r\n\r\nx"
            )
            time.sleep(0.2)
            assert client.post("/api/images", content=encoded()).status_code == 503
            assert b" 408 " in line.recv(4000)
        assert client.post("/api/images", content=encoded()).status_code == 201


def test_an_inference_that_nobody_watches_stops(serve: Serve) -> None:
    with serve(patience=0.3) as client:
        image = send(client, encoded(96, 96))
        first, second = (ask(client, image["name"], steps=200).json()["name"] for _ in range(2))
        client.get(f"/api/jobs/{first}")
        time.sleep(1.5)
        for name in (first, second):
            status, events = watch(client, name)
            assert status == "cancelled"
            assert events[-1]["detail"] == "nobody was watching any more"
            assert client.get(f"/api/jobs/{name}/estimate-0").status_code == 404
        assert restored(client, image["name"], steps=1)[0] == "done"


def test_who_looks_at_pictures_watches(serve: Serve) -> None:
    with serve(patience=2) as client:
        image = send(client, encoded(200, 200))["name"]
        job = ask(client, image, steps=200).json()["name"]
        began = time.monotonic()
        while time.monotonic() - began < 5:
            client.get(f"/api/jobs/{job}/estimate-0")
            time.sleep(0.1)
        events = client.get(f"/api/jobs/{job}").json()["events"]
    assert not [event for event in events if event["kind"] == "cancelled"]


def test_wishes_that_come_too_slowly_or_without_end_are_refused(serve: Serve) -> None:
    head = b"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with serve(upload_seconds=0.5) as client:
        address = (client.base_url.host, client.base_url.port)
        with socket.create_connection(address, timeout=20) as line:
            line.sendall(head + b"Content-Length: 90\r\n\r\n{")
            assert b" 408 " in line.recv(4000)
        with socket.create_connection(address, timeout=20) as line:
            line.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(4):
                line.sendall(b"186a0\r\n" + bytes(100_000) + b"\r\n")
            assert b" 413 " in line.recv(4000)


def test_what_is_done_does_not_fail_afterwards(serve: Serve) -> None:
    with serve() as client:
        _, events, job = restored(client, "sample-cat", steps=1)
        assert client.delete(f"/api/jobs/{job}").status_code == 204
        assert watch(client, job) == ("done", events)
        assert client.get(f"/api/jobs/{job}/result").status_code == 200


def test_who_stops_keeps_what_has_come(client: httpx.Client) -> None:
    job = ask(client, "sample-cat", degradation=NOISE, steps=200).json()["name"]
    while len(client.get(f"/api/jobs/{job}").json()["events"]) < 2:
        pass
    client.delete(f"/api/jobs/{job}")
    assert watch(client, job)[0] == "cancelled"
    assert client.get(f"/api/jobs/{job}/estimate-0").status_code == 200
    assert client.get(f"/api/jobs/{job}/result").status_code == 404


def test_who_stops_stops_the_work(client: httpx.Client) -> None:
    image = send(client, encoded(96, 96))
    job = ask(client, image["name"], steps=200).json()["name"]
    while not client.get(f"/api/jobs/{job}").json()["events"]:
        pass
    assert client.delete(f"/api/jobs/{job}").status_code == 204
    began = time.monotonic()
    assert watch(client, job)[0] == "cancelled"
    assert time.monotonic() - began < 3


def test_time_is_limited(serve: Serve) -> None:
    with serve(seconds=0.2) as client:
        status, events, _ = restored(client, "sample-cat", degradation=NOISE, steps=200)
    assert status == "failed"
    assert "the time limit here" in events[-1]["detail"]


def test_the_queue_is_limited_and_says_so(serve: Serve) -> None:
    with serve(waiting=3, waiting_each=2) as client:
        image = send(client, encoded(64, 64))["name"]
        answers = [ask(client, image, steps=200, visitor="me") for _ in range(5)]
        assert [answer.status_code for answer in answers[-2:]] == [503, 503]
        assert "of your inferences are waiting" in answers[-1].json()["detail"]
        other = ask(client, image, steps=1, visitor="you")
        assert other.status_code == 202
        assert ask(client, image, visitor="a third").status_code == 503


def test_a_server_that_ends_takes_its_files_along(serve: Serve) -> None:
    with serve() as client:
        image = send(client, encoded())
        upload = client.app.state.studio.uploads.get(image["name"])  # type: ignore[attr-defined]
        assert upload.path.exists()
        ask(client, image["name"], steps=200)
    assert not upload.path.exists()


def test_old_uploads_and_results_make_room(serve: Serve) -> None:
    with serve(kept_bytes=60_000) as client:
        images = [send(client, encoded(seed=seed)) for seed in range(30)]
        old = ask(client, images[0]["name"])
        assert old.status_code == 404
        assert "send it again" in old.json()["detail"]
        jobs = [restored(client, images[-1]["name"], steps=2)[2] for _ in range(4)]
        assert client.get(f"/api/jobs/{jobs[0]}").status_code == 404
        assert client.get(f"/api/jobs/{jobs[-1]}/result").status_code == 200


def test_rimkit_serve_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--model", "nothing"]) == 1
    assert "nothing" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["serve", "--port", "99999"])
    assert "65535" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert "Address already in use" in capsys.readouterr().err


def test_rimkit_serve_ends_at_once_when_it_is_told_to() -> None:
    command = [sys.executable, "-m", "rimkit", "serve", "--port", "0"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        with httpx.Client(base_url=url, timeout=30) as client:
            job = ask(client, "sample-coffee", degradation=NOISE, steps=200).json()["name"]
            while not client.get(f"/api/jobs/{job}").json()["events"]:
                pass
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
    assert time.monotonic() - began < 15
    assert process.returncode in (0, 130)
    assert "Traceback" not in errors
