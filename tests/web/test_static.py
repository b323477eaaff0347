"""The page as files, with no server behind it but one that hands out files."""

from __future__ import annotations

import http.server
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from tests.web.browser import (
    FilesAlone,
    colours,
    downloaded,
    drawn,
    handed_out,
    opened_page,
    restore,
    says,
    until,
)
from tests.web.conftest import as_png, encoded, pixels, write_model

import rimkit
from rimkit import weights
from rimkit.cli.main import main
from rimkit.networks import CompactConfig
from rimkit.noises import GaussianNoise
from rimkit.operators import Mask
from rimkit.problem import Problem
from rimkit.web import runtime
from rimkit.web import site as site_module
from rimkit.web.looks import values_of
from rimkit.web.site import export_site


class Files(http.server.SimpleHTTPRequestHandler):
    """Hands out files, with the headers that let a page use threads."""

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("npm") is None:
        pytest.skip("needs npm, which fetches onnxruntime-web")
    folder: Path = tmp_path_factory.mktemp("site")
    assert main(["serve", "--export", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module", params=[Files, FilesAlone], ids=["threads", "one thread"])
def url(site: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    with handed_out(site, request.param) as url:
        yield url


@pytest.fixture
def page(browser: Any, url: str) -> Iterator[Any]:
    with opened_page(browser, url) as page:
        yield page


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_downloaded_is_what_rimkit_restore_writes(
    page: Any, tmp_path: Path, channels: int
) -> None:
    source, target = tmp_path / "photo.png", tmp_path / "out.png"
    values = pixels(encoded(61, 83, channels=channels)).reshape(61, 83, channels).copy()
    values[:20, :30] = 255  # shows no noise, and stays
    source.write_bytes(as_png(values))
    restore(page, source, sigma=20)
    assert downloaded(page, tmp_path / "page.png") == "photo-restored.png"
    assert main(["restore", str(source), "-o", str(target), "--sigma", "20", "--quiet"]) == 0
    expected = colours(pixels(target.read_bytes())).astype(int)
    found = pixels((tmp_path / "page.png").read_bytes())[..., :3].astype(int)
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.01
    assert np.abs(expected - colours(values.squeeze())).mean() > 5
    assert "s. Move" in page.inner_text("#status"), "the time is shown"


def test_too_little_noise_stays(page: Any, tmp_path: Path) -> None:
    source = tmp_path / "photo.png"
    source.write_bytes(encoded(61, 83, channels=1))
    restore(page, source, sigma=1)
    assert "so little that the image stays" in page.inner_text("#status")
    assert downloaded(page, tmp_path / "page.png") == "photo-restored.png"
    found = pixels((tmp_path / "page.png").read_bytes())[..., :3]
    assert np.array_equal(found, colours(pixels(source.read_bytes())))


@pytest.mark.parametrize("level", [8, 30, 60])  # at 60 much is cut off
def test_sigma_is_estimated_as_by_rimkit(page: Any, tmp_path: Path, level: int) -> None:
    clean = np.linspace(60, 190, 128)[None, :, None] + np.zeros((96, 1, 3))
    noisy = clean + np.random.default_rng(1).normal(0, level, clean.shape)
    source = tmp_path / "noisy.png"
    source.write_bytes(as_png(noisy.round().clip(0, 255).astype(np.uint8)))
    restore(page, source, sigma=None)
    y = torch.from_numpy(pixels(source.read_bytes()).copy()).permute(2, 0, 1)
    expected = float(rimkit.estimate_sigma(y[None]))
    shown = float(page.inner_text("label[for=set-sigma] output").split()[-1])
    assert shown == pytest.approx(expected, abs=0.06)
    assert shown == pytest.approx(level, rel=0.1)


def test_missing_pixels_are_filled_in_and_psnr_grows(page: Any) -> None:
    page.check("#samples input[value=sample-astronaut]", force=True)
    page.select_option("#kind", "missing")
    page.select_option("#solver", "denoise-color")
    page.fill("#set-share", "0.05")
    page.check("#inspect")
    page.fill("#steps", "2")
    page.click("#run")
    page.wait_for_selector("#download:not([hidden])", timeout=100_000)
    start, end = (
        float(text.split()[0])
        for text in page.inner_text("#chart-caption").removeprefix("PSNR by step: ").split(", ")
    )
    assert end > start > 25  # the start has no holes
    until(page, lambda: drawn(page, "score").std() > 10)
    until(page, lambda: drawn(page, "state").std() > 10)
    page.select_option("#against", "truth")
    truth = pixels((Path(rimkit.__file__).parent / "web/static/samples/astronaut.png").read_bytes())
    until(page, lambda: np.array_equal(drawn(page, "before"), truth))


MEASURE = """async ({ image, ...degradation }) => {
  const { measure } = await import(new URL("problem.js", location).href);
  const { y, mask } = measure(Float32Array.from(image), degradation, { channels: 3, levels: null });
  return [y, mask].map((each) => Array.from(each));
}"""


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm, for onnxruntime-web")
@pytest.mark.parametrize("recurrent", [True, False])
def test_a_model_for_inpainting_walks_as_in_the_library(
    browser: Any, tmp_path: Path, source: Path, recurrent: bool
) -> None:
    network = CompactConfig(channels=3, features=8, blocks=1, recurrent=recurrent)
    fills = write_model(tmp_path / "fills.safetensors", network=network)
    denoises = write_model(tmp_path / "denoises.safetensors", task="denoising")
    list(export_site(tmp_path / "site", [denoises, fills]))
    degradation = {"kind": "missing", "share": 0.6, "sigma": 4}
    clean = torch.tensor(pixels(source.read_bytes()) / 255).permute(2, 0, 1)[None]
    with handed_out(tmp_path / "site", FilesAlone) as url, opened_page(browser, url) as page:
        assert page.input_value("#solver") == "denoises"
        page.select_option("#kind", "missing")
        assert page.input_value("#solver") == "fills"
        assert "never" not in page.inner_text("#about-solver")
        page.set_input_files("#file", source)
        page.wait_for_selector("#run:enabled")
        page.fill("#set-share", "0.6")
        page.fill("#set-sigma", "4")
        page.check("#inspect")
        page.click("#run")
        page.wait_for_selector("#download:not([hidden])", timeout=60_000)
        found = drawn(page, "after")
        parts = page.evaluate(MEASURE, {**degradation, "image": clean.flatten().tolist()})
    y, mask = (torch.tensor(part).view(1, -1, *clean.shape[2:]) for part in parts)
    problem = Problem(Mask(mask.float()), GaussianNoise(4 / 255))
    start, x = problem.initial(y), weights.load(fills).solve(y, problem).x
    assert (x - start).abs().mean() > 2 / 255
    assert np.abs(found - values_of(x).astype(int)).max() <= 1


def test_a_wrong_file_is_said(page: Any, tmp_path: Path) -> None:
    for name, content in (("empty.png", b""), ("text.png", b"no photograph")):
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#file", tmp_path / name)
        says(page, "chosen", "empty" if not content else "cannot read it")
        assert page.is_disabled("#run")


def test_16_bits_are_not_cut_to_8(page: Any, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (40, 40), dtype=np.uint16)
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode(values))
    page.set_input_files("#file", tmp_path / "deep.png")
    says(page, "chosen", "It has 16 bits")
    assert page.is_disabled("#run")


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("**/samples/cat.png", "has no samples/cat.png: it answered 404"),
        ("**/*.onnx", "has no models/denoise-gray.onnx: it answered 404"),
    ],
)
def test_what_the_folder_lacks_is_said(page: Any, missing: str, expected: str) -> None:
    page.route(missing, lambda route: route.fulfill(status=404, body="<html>"))
    page.check("#samples input[value=sample-cat]", force=True)
    page.click("#run")
    says(page, "status", expected)


@pytest.mark.parametrize(
    ("status", "expected"), [(404, "it answered 404"), (200, "is not what `rimkit serve --export`")]
)
def test_a_page_without_its_contents_says_so(
    browser: Any, url: str, status: int, expected: str
) -> None:
    page = browser.new_page()
    page.route("**/about.json", lambda route: route.fulfill(status=status, body="<html>"))
    page.goto(url)
    says(page, "status", expected)
    page.close()


def test_a_model_that_is_none_is_said(page: Any) -> None:
    page.route("**/*.onnx", lambda route: route.fulfill(body="no model"))
    page.check("#samples input[value=sample-cat]", force=True)
    page.click("#run")
    says(page, "status", "The model models/denoise-gray.onnx cannot be run")


def test_from_disk_it_says_what_it_needs(browser: Any, site: Path) -> None:
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    says(page, "status", "it needs a web server")
    page.close()


def test_only_what_it_can_do_is_offered(page: Any) -> None:
    assert page.locator("#kind option").count() == 4
    able = [name for name in weights.model_names() if name.startswith(("denoise-", "inpainting"))]
    assert page.locator("#solver option").all_inner_texts() == able


def test_what_a_model_was_trained_for_is_said_to_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_module, "copy_runtime", lambda *_, **__: None)
    others = {
        "larger": {"task": "super-resolution"},
        "even": {"score_scaling": "whitened"},
        "bounded": {"link": "sigmoid"},
    }
    models = [
        write_model(tmp_path / f"{name}.safetensors", **config)
        for name, config in {"fills": {}, "denoises": {"task": "denoising"}, **others}.items()
    ]
    lines = list(export_site(tmp_path / "site", models))
    refused = [line for line in lines if "left out" in line]
    only = "the page without a server denoises and fills in missing pixels only"
    reasons = (only, "its scores are whitened", "its link is sigmoid")
    assert refused == [
        f"{model}: left out ({reason})" for model, reason in zip(models[2:], reasons, strict=True)
    ]
    solvers = json.loads((tmp_path / "site" / "about.json").read_text())["solvers"]
    assert [each["name"] for each in solvers] == ["fills", "denoises"]
    fills, denoises = solvers
    assert fills["trained"] == ["missing", "painted"]
    assert denoises["trained"] == ["photograph", "noise"]
    assert (fills["levels"], fills["least_sigma"], fills["start"]) == (None, 0.0, "initial")
    assert fills["seen_sigma"] == pytest.approx(0.3 / 255)
    assert denoises["least_sigma"] > 0
    with pytest.raises(ValueError, match="none of the models can run in a browser"):
        list(export_site(tmp_path / "none", models[2:]))
    assert not (tmp_path / "none").exists()


def test_a_folder_with_other_things_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    assert main(["serve", "--export", str(tmp_path)]) == 1
    assert "holds other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_runtime_must_be_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["serve", "--export", str(tmp_path / "site")]
    assert main([*arguments, "--onnxruntime-web", str(tmp_path)]) == 1
    assert "ort.wasm" in capsys.readouterr().err
    monkeypatch.setenv("RIMKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert main(arguments) == 1
    assert "npm is needed" in capsys.readouterr().err
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho something else > onnxruntime-web.tgz\n")
    npm.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(npm))
    assert main(arguments) == 1
    assert "its checksum differs" in capsys.readouterr().err
    assert not list((tmp_path / "cache").glob("**/*.wasm"))
    assert runtime.PACKAGE.startswith("onnxruntime-web@")


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    models = [str(tmp_path / name / "run" / "weights.safetensors") for name in "ab"]
    with pytest.raises(ValueError, match="every model must have a name of its own, got run, run"):
        list(export_site(tmp_path / "site", models))


def test_colours_of_a_profile_come_back_as_srgb(page: Any, tmp_path: Path) -> None:
    """Whoever hands back no profile may not hand back numbers that are meant by one."""
    icc = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {bytes(icc[at : at + 4]): at + 4 for at in range(132, 132 + 12 * icc[131], 12)}
    red, blue = (slice(places[tag], places[tag] + 8) for tag in (b"rXYZ", b"bXYZ"))
    icc[red], icc[blue] = icc[blue], icc[red]
    values = np.zeros((32, 32, 3), np.uint8)
    values[..., 0] = 255
    Image.fromarray(values).save(tmp_path / "photo.png", icc_profile=bytes(icc))
    restore(page, tmp_path / "photo.png", sigma=0)
    downloaded(page, tmp_path / "out.png")
    found = pixels((tmp_path / "out.png").read_bytes())[..., :3]
    assert np.abs(found[..., ::-1].astype(int) - values).max() <= 2
