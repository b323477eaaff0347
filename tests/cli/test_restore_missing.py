"""`rimkit restore --missing`, as a person and as a hostile person would use it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rimkit.allocation import resident
from rimkit.cli.main import main
from rimkit.networks import CompactConfig
from rimkit.restoring.inpainter import Inpainter
from rimkit.restoring.tiling import plan
from rimkit.rim import RIM, RIMConfig
from rimkit.weights import store

HOLES = np.random.default_rng(1).random((20, 24)) < 0.25


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    network = CompactConfig(channels=3, features=8, blocks=1)
    rim = RIM(RIMConfig(network=network, steps=2, score_scale=0.001))
    torch.nn.init.normal_(rim.network.out.weight, std=0.02)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    store.save(rim, path, training={"task": {"name": "inpainting", "sigma": [0.3, 25.0]}})
    return str(path)


def values(mode: str = "RGB", seed: int = 0) -> np.ndarray:
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    drawn = np.random.default_rng(seed).normal(128, 25, (20, 24, *channels))
    return drawn.clip(0, 255).astype(np.uint8)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(values()).save(tmp_path / "in.png")
    return tmp_path / "in.png"


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    Image.fromarray(HOLES).save(tmp_path / "mask.png")
    return tmp_path / "mask.png"


def restore(*arguments: object, model: str) -> int:
    return main(["restore", *map(str, arguments), "--model", model])


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_holes_are_filled_and_all_else_stays(
    photo: Path, mask: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = photo.with_name("report.json")
    assert restore(photo, "--missing", mask, "--report", report, model=model) == 0
    out = photo.with_name("in-filled.png")
    captured = capsys.readouterr()
    assert captured.out == f"{out} ({HOLES.mean():.1%} filled in)\n"
    assert captured.err == ""
    before, after = read(photo), read(out)
    assert np.array_equal(before[~HOLES], after[~HOLES])
    assert (before[HOLES] != after[HOLES]).mean() > 0.9
    (said,) = json.loads(report.read_text())["files"]
    assert said["marks"] == str(mask)
    assert said["missing_share"] == pytest.approx(HOLES.mean())


def test_with_sigma_all_is_restored(photo: Path, mask: Path, model: str) -> None:
    out = photo.with_name("out.png")
    assert restore(photo, "-o", out, "--missing", mask, "--sigma", 20, model=model) == 0
    assert (read(photo)[~HOLES] != read(out)[~HOLES]).any()


def test_a_sigma_that_was_not_trained_is_said(
    photo: Path, mask: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(photo, "--missing", mask, "--sigma", 40, model=model) == 0
    assert "sigma 40 is outside what the model was trained for (0.3 to 25)" in (
        capsys.readouterr().err
    )


def test_grey_and_transparency_stay_what_they_are(tmp_path: Path, mask: Path, model: str) -> None:
    for mode in ("L", "RGBA"):
        Image.fromarray(values(mode)).save(tmp_path / "in.png")
        out = tmp_path / f"{mode}.png"
        assert restore(tmp_path / "in.png", "-o", out, "--missing", mask, model=model) == 0
        before, after = values(mode), read(out)
        assert after.shape == before.shape
        assert np.array_equal(after[~HOLES], before[~HOLES])
        if mode == "RGBA":
            assert np.array_equal(after[..., 3], before[..., 3])


def test_a_folder_with_a_folder_of_masks(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(values(seed=number)).save(tmp_path / "in" / f"{number}.png")
        if number < 2:
            holes = np.roll(HOLES, number, 0) & (number == 0)
            Image.fromarray(holes).save(tmp_path / "masks" / f"{number}.bmp")
    out = tmp_path / "out"
    code = restore(tmp_path / "in", "-o", out, "--missing", tmp_path / "masks", model=model)
    assert code == 1
    said = capsys.readouterr()
    assert "2 restored, 0 skipped, 1 failed" in said.err
    assert "2.png: there is no such file" in said.err
    assert "1.bmp marks no pixel: white means missing" in said.err
    assert np.array_equal(read(out / "1.png"), values(seed=1))
    assert not np.array_equal(read(out / "0.png"), values())
    assert not (out / "2.png").exists()


def test_jpeg_is_said_to_change_what_was_to_stay(
    photo: Path, mask: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, warned in (("out.jpg", True), ("out.webp", False)):
        out = photo.with_name(name)
        assert restore(photo, "-o", out, "--missing", mask, model=model) == 0
        assert ("JPEG also changes what should stay" in capsys.readouterr().err) == warned
        assert np.array_equal(read(out)[~HOLES], read(photo)[~HOLES]) != warned


def test_a_photograph_that_was_taken_for_a_mask_is_noticed(
    photo: Path, mask: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    almost = np.full((20, 24), 200, np.uint8)
    almost[3, 4] = 0
    Image.fromarray(almost).save(mask)
    assert restore(photo, "--missing", mask, model=model) == 0
    assert "mask.png marks 100% of the pixels as missing" in capsys.readouterr().err


def test_what_is_hidden_is_not_seen_and_stays(tmp_path: Path, mask: Path, model: str) -> None:
    image = values("RGBA")
    image[..., 3] = 255
    image[:, 12:, 3] = 0
    written = []
    for hidden in (0, 255):
        image[:, 12:, :3] = hidden
        Image.fromarray(image).save(tmp_path / "in.png")
        out = tmp_path / f"{hidden}.png"
        assert restore(tmp_path / "in.png", "-o", out, "--missing", mask, model=model) == 0
        written.append(read(out))
        assert np.array_equal(written[-1][:, 12:], image[:, 12:])
    assert np.array_equal(written[0][:, :12], written[1][:, :12])
    assert not np.array_equal(written[0][:, :12], image[:, :12])


@pytest.mark.parametrize("options", [("--self-ensemble",), ("--precision", "bfloat16")])
def test_other_ways_to_run_it(
    photo: Path,
    mask: Path,
    model: str,
    options: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[object] = []
    begin = Inpainter.__init__

    def noted(self: Inpainter, *arguments: Any, **how: Any) -> None:
        told.append((how["precision"], how["self_ensemble"]))
        begin(self, *arguments, **how)

    monkeypatch.setattr(Inpainter, "__init__", noted)
    plain, other = photo.with_name("plain.png"), photo.with_name("other.png")
    assert restore(photo, "-o", plain, "--missing", mask, model=model) == 0
    assert restore(photo, "-o", other, "--missing", mask, *options, model=model) == 0
    assert np.array_equal(read(other)[~HOLES], read(photo)[~HOLES])
    difference = np.abs(read(plain)[HOLES].astype(int) - read(other)[HOLES])
    assert difference.max() < 30
    assert told[0] == ("float32", False)
    assert told[1] == (("bfloat16", False) if len(options) > 1 else ("float32", True))
    assert difference.max() > 0 or "--precision" in options  # which need not show in 8 bits


def test_in_tiles_where_it_must(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles: list[object] = []

    def counted(*arguments: object, **options: object) -> list[object]:
        planned = plan(*arguments, **options)  # type: ignore[arg-type]
        tiles.extend(planned)
        return planned  # type: ignore[return-value]

    monkeypatch.setattr("rimkit.restoring.restorer.plan", counted)
    image = np.random.default_rng(0).normal(128, 40, (900, 800, 3)).clip(0, 255).astype(np.uint8)
    holes = np.random.default_rng(1).random((900, 800)) < 0.3
    Image.fromarray(image).save(tmp_path / "in.png")
    Image.fromarray(holes).save(tmp_path / "mask.png")
    written = []
    for number, memory in enumerate((resident() + 3e7, 4e9)):
        out = tmp_path / f"{number}.png"
        options = ("-o", out, "--missing", tmp_path / "mask.png", "--memory", f"{memory:.0f}B")
        assert restore(tmp_path / "in.png", *options, model=model) == 0
        written.append(read(out).astype(int))
    assert len(tiles) > 1
    assert np.abs(written[0] - written[1]).max() <= 1


def test_what_cannot_be(
    photo: Path, mask: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, message in [
        (("--missing", mask, "--scale", "2"), "--scale and --missing cannot be combined"),
        (("--missing", "gone.png"), "gone.png: there is no such file"),
        ((), "trained for inpainting, not for denoising"),
    ]:
        assert restore(photo, "-o", photo.with_name("out.png"), *options, model=model) != 0
        assert message in capsys.readouterr().err
    assert restore(photo, "-o", mask, "--missing", mask, model=model) != 0
    assert "mask.png: the output would overwrite an input" in capsys.readouterr().err
    assert np.array_equal(read(mask), HOLES)
    Image.fromarray(HOLES[:, :20]).save(mask)
    assert restore(photo, "--missing", mask, model=model) == 1
    assert "20x20, but this one is 24x20" in capsys.readouterr().err
    assert main(["restore", str(photo), "--missing", str(mask), "--model", "denoise-color"]) != 0
    assert "trained for denoising, not for inpainting" in capsys.readouterr().err
