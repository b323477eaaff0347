"""`rimkit restore`, as a person and as a hostile person would use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from rimkit import weights
from rimkit.cli.main import main
from rimkit.networks import CompactConfig
from rimkit.rim import RIM, RIMConfig
from rimkit.weights import store


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    rim = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=2))
    torch.nn.init.normal_(rim.network.out.weight, std=0.02)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    store.save(rim, path, training={"task": {"name": "denoising"}})
    return str(path)


def opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def noisy(size: tuple[int, int] = (20, 24), mode: str = "L", seed: int = 0) -> Image.Image:
    shape = size if mode == "L" else (*size, 3)
    values = np.random.default_rng(seed).normal(128, 25, shape).clip(0, 255)
    return Image.fromarray(values.astype(np.uint8))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    noisy().save(tmp_path / "in.png")
    return tmp_path / "in.png"


def restore(*arguments: object, model: str) -> int:
    return main(["restore", *map(str, arguments), "--model", model])


def test_a_file(image: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert restore(image, "--sigma", "25", model=model) == 0
    out = image.with_name("in-restored.png")
    assert opened(out).mode == "L"
    assert opened(out).size == (24, 20)
    assert capsys.readouterr().out == f"{out} (sigma 25.0)\n"


def test_sigma_is_estimated_unless_it_is_said(
    image: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    noisy((120, 120)).save(image)
    assert restore(image, model=model) == 0
    said = capsys.readouterr().out
    assert 23 < float(said.split("sigma ")[1].rstrip(")\n")) < 27


def test_colour_stays_colour(tmp_path: Path, model: str) -> None:
    noisy(mode="RGB").save(tmp_path / "in.png")
    assert restore(tmp_path / "in.png", "-o", tmp_path / "out.jpg", model=model) == 0
    assert opened(tmp_path / "out.jpg").mode == "RGB"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    noisy().save(folder / "a.png")
    noisy(seed=1).save(folder / "deep" / "b.png")
    return folder


def test_what_of_a_folder_is_left_out_is_said(
    folder: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "phone.HEIC").touch()
    assert restore(folder, model=model) == 0
    assert "not supported (save them as TIFF): 1 .heic" in capsys.readouterr().err
    assert restore(folder, "--quiet", "--overwrite", model=model) == 0
    assert not capsys.readouterr().err


def test_a_folder_is_mirrored_and_done_files_are_skipped(
    folder: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.with_name("out")
    assert restore(folder, "-o", out, model=model) == 0
    assert "2 restored, 0 skipped, 0 failed" in capsys.readouterr().err
    (out / "a.png").write_bytes(b"mine")
    assert restore(folder, "-o", out, model=model) == 0
    said = "0 restored, 2 skipped, 0 failed (2 already exist: use --overwrite)\n"
    assert said in capsys.readouterr().err
    assert (out / "a.png").read_bytes() == b"mine"
    assert restore(folder, "-o", out, "--overwrite", model=model) == 0
    assert opened(out / "a.png").size == (24, 20)
    assert (out / "deep" / "b.png").exists()


def test_one_bad_file_does_not_stop_a_folder(
    folder: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "0.png").write_text("no image")
    out = folder.with_name("out")
    assert restore(folder, "-o", out, model=model) == 1
    captured = capsys.readouterr()
    assert "0.png: cannot be read as an image" in captured.err
    assert "2 restored, 0 skipped, 1 failed" in captured.err
    assert (out / "deep" / "b.png").exists()
    assert not (out / "0.png").exists()


def test_several_files(folder: Path, model: str, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [folder / "a.png", folder / "deep" / "b.png"]
    (folder / "notes.txt").write_text("no image")
    assert restore(*sources, folder / "notes.txt", model=model) == 1
    assert "2 restored, 0 skipped, 1 failed" in capsys.readouterr().err
    made = sorted(folder.rglob("*-restored.png"))
    assert [path.name for path in made] == ["a-restored.png", "b-restored.png"]
    assert restore(*sources, *made, model=model) == 0
    said = capsys.readouterr().err
    assert "a-restored.png: taken for the result of " in said
    assert "0 restored, 4 skipped, 0 failed" in said
    assert sorted(folder.rglob("*-restored.png")) == made


def test_quiet_says_nothing_but_what_is_lost(
    folder: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(folder, "--quiet", model=model) == 0
    said = capsys.readouterr()
    assert said.out == said.err == ""
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    noisy().save(folder / "a.png", icc_profile=other)
    assert restore(folder / "a.png", "--quiet", model=model) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "its colour profile is not sRGB" in said.err


def write_bad(kind: str, path: Path) -> None:
    if kind == "truncated":
        noisy((200, 200)).save(path, "JPEG")
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "text":
        path.write_text("hello")
    elif kind == "nan":
        values = np.full((9, 9), np.nan, dtype=np.float32)
        Image.fromarray(values).save(path, "TIFF")
    elif kind == "infinite":
        values = np.full((9, 9), np.inf, dtype=np.float32)
        Image.fromarray(values).save(path, "TIFF")
    elif kind in ("1x1", "7x7"):
        noisy((int(kind[0]), int(kind[0]))).save(path, "PNG")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "there is no such file or folder"),
        ("truncated", "cannot be read as an image"),
        ("text", "no known image format"),
        ("1x1", "at least 8x8"),
        ("7x7", "at least 8x8"),
        ("nan", "NaN or infinite"),
        ("infinite", "NaN or infinite"),
    ],
)
@pytest.mark.parametrize("sigma", ["25", "auto"])
def test_bad_files(
    tmp_path: Path,
    model: str,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    message: str,
    sigma: str,
) -> None:
    source = tmp_path / "bad.png"
    write_bad(kind, source)
    out = tmp_path / "out.png"
    out.write_bytes(b"earlier")
    assert restore(source, "-o", out, "--sigma", sigma, model=model) == 1
    error = capsys.readouterr().err
    assert message in error
    assert "bad.png" in error
    assert error.count("\n") == 1
    assert out.read_bytes() == b"earlier"


@pytest.mark.parametrize("sigma", ["-5", "nan", "abc", "inf", ""])
def test_bad_sigma(image: Path, model: str, sigma: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        restore(image, f"--sigma={sigma}", model=model)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "sigma is a number from 0" in error
    assert error.count("\n") == 1


def test_sigma_zero_is_legal(image: Path) -> None:
    noisy((64, 64)).resize((128, 128), Image.Resampling.BICUBIC).save(image)
    assert main(["restore", str(image), "--sigma", "0"]) == 0
    change = np.asarray(opened(image)).astype(int) - opened(image.with_name("in-restored.png"))
    assert np.abs(change).mean() < 2


def test_a_sigma_beyond_the_training_is_said(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["restore", str(image), "--sigma", "90"]) == 0
    assert "outside what the model was trained for (0 to 55)" in capsys.readouterr().err


def test_an_ending_without_a_format_is_found_before_the_work(
    image: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(image, "-o", image.with_name("out.xyz"), model=model) == 1
    assert "is not that of a format that can be written" in capsys.readouterr().err


def test_a_source_that_is_no_image_is_blamed_itself(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert restore(tmp_path / "notes.txt", model=model) == 1
    error = capsys.readouterr().err
    assert "notes.txt: by its extension, this is not an image that can be read" in error


def test_weights_that_do_not_fit_are_one_line(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    assert restore(image, model=str(tmp_path / "bad.safetensors")) == 1
    error = capsys.readouterr().err
    assert "not a safetensors file" in error
    assert error.count("\n") == 1


def test_a_folder_without_images(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(tmp_path, model=model) == 1
    assert "no images below" in capsys.readouterr().err


def test_weights_that_say_no_task_are_taken_for_what_is_asked_which_is_said(
    image: Path, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(tmp_path / "loop.safetensors")
    store.save(weights.load(model), other, training={"updates": 7})
    assert restore(image, "--sigma", "25", model=other) == 0
    said = "loop.safetensors does not say what it was trained for"
    assert said in capsys.readouterr().err
    assert restore(image, "--sigma", "25", "--quiet", model=other) == 0
    assert restore(image, "--sigma", "25", model=model) == 0
    assert said not in capsys.readouterr().err
    assert main(["evaluate", other, "--data", str(tmp_path)]) == 0
    assert said in capsys.readouterr().err


def test_an_unknown_model_is_corrected(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert restore(image, model="denoise-grey") == 1
    error = capsys.readouterr().err
    assert 'no "denoise-grey"' in error
    assert error.count("\n") == 1


def test_an_output_that_cannot_be_written(
    image: Path, model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert restore(image, "-o", tmp_path / "file" / "out.png", model=model) == 1
    error = capsys.readouterr().err
    assert "Not a directory" in error or "File exists" in error
    assert error.count("\n") == 1


def test_a_report_never_takes_the_place_of_an_image(
    image: Path, model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = image.read_bytes()
    out = tmp_path / "out.png"
    link = tmp_path / "link.json"
    link.symlink_to(image)
    for report in (image, out, "-", ""):
        with pytest.raises(SystemExit):
            restore(image, "-o", out, "--report", report, model=model)
        said = capsys.readouterr().err
        assert any(
            part in said
            for part in ("the name is that of an image", "- is not a file", "the path is empty")
        )
    assert restore(image, "-o", out, "--report", link, model=model) == 1
    assert "the report would replace an image" in capsys.readouterr().err
    assert restore(image, "-o", out, "--report", tmp_path, model=model) == 1
    assert capsys.readouterr().err == f"rimkit: {tmp_path}: Is a directory\n"
    assert image.read_bytes() == before
    assert not out.exists()


def test_a_folder_without_permission(
    image: Path,
    model: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.geteuid() == 0:  # the superuser may write anywhere, and is asked as if not
        monkeypatch.setattr(os, "access", lambda *_: False)
    assert restore(image, "-o", locked / "out.png", model=model) == 1
    assert "Permission denied" in capsys.readouterr().err
    assert list(locked.iterdir()) == []


SCRIPT = """
import resource, sys
from rimkit.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
sys.exit(main(sys.argv[1:]))
"""


def test_a_write_that_is_cut_short_leaves_earlier_output(tmp_path: Path, model: str) -> None:
    """A limit on the size of files stands for the disk that fills up."""
    noisy((100, 100)).save(tmp_path / "in.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "in.png").write_bytes(b"earlier")
    arguments = ["restore", tmp_path / "in.png", "-o", out, "--sigma", "25", "--model", model]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in out.iterdir()] == ["in.png"]
    assert (out / "in.png").read_bytes() == b"earlier"


def test_a_closed_pipe_is_no_traceback(image: Path, model: str) -> None:
    command = f"{sys.executable} -m rimkit models | true; {sys.executable} -m rimkit models nope"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()  # of the second: of the first there is nothing to say
    assert '"nope"' in line


def test_sixteen_bits_of_colour_stay_what_they_are(tmp_path: Path, model: str) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (20, 24, 3), dtype=np.uint16)
    (tmp_path / "in.png").write_bytes(imagecodecs.png_encode(values))
    for name in ("out.png", "out.tif"):
        assert restore(tmp_path / "in.png", "-o", tmp_path / name, "--sigma", "5", model=model) == 0
    png = imagecodecs.png_decode((tmp_path / "out.png").read_bytes())
    assert png.dtype == np.uint16
    assert np.array_equal(png, tifffile.imread(tmp_path / "out.tif"))
    assert np.unique(png & 255).size > 200  # the lower bytes say something
    assert restore(tmp_path / "in.png", "-o", tmp_path / "out.jpg", model=model) == 1


def test_clean_transparency_is_left_alone_and_noisy_transparency_is_restored(
    tmp_path: Path, model: str
) -> None:
    image = noisy((64, 64), mode="RGB")
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 10:50] = 255
    rough = np.asarray(noisy((64, 64), seed=3))
    for name, alpha in (("clean", mask), ("rough", rough)):
        image.putalpha(Image.fromarray(alpha))
        image.save(tmp_path / f"{name}.png")
        assert restore(tmp_path / f"{name}.png", "--sigma", "25", model=model) == 0
        out = np.asarray(opened(tmp_path / f"{name}-restored.png"))
        assert np.array_equal(out[..., 3], alpha) == (name == "clean")


def test_metadata_are_kept_unless_they_are_stripped(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    noisy(mode="RGB").save(tmp_path / "in.png", exif=exif, icc_profile=other)
    for option, kept in (("--overwrite", True), ("--strip-metadata", False)):
        assert restore(tmp_path / "in.png", "--sigma", "25", option, model=model) == 0
        out = opened(tmp_path / "in-restored.png")
        assert (0x010F in out.getexif()) == kept
        assert out.info["icc_profile"] == other
    assert "its colour profile is not sRGB but" in capsys.readouterr().err


def test_gamma_that_is_lost_is_told(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    linear = PngInfo()
    linear.add(b"gAMA", (100_000).to_bytes(4, "big"))
    noisy(mode="RGB").save(tmp_path / "in.png", pnginfo=linear)
    for ending, told in (("png", False), ("tif", True)):
        target = tmp_path / f"out.{ending}"
        assert restore(tmp_path / "in.png", "-o", target, "--sigma", "25", model=model) == 0
        assert ("its gamma of 1 is left out" in capsys.readouterr().err) == told


# Larger


@pytest.fixture(scope="module")
def upscaling(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    network = CompactConfig(channels=3, features=8, blocks=1)
    rim = RIM(RIMConfig(network=network, steps=2, score_scale=0.001))
    torch.nn.init.normal_(rim.network.out.weight, std=0.02)
    path = tmp_path_factory.mktemp("weights") / "larger.safetensors"
    store.save(rim, path, training={"task": {"name": "super-resolution", "sigma": 0.4}})
    return str(path)


def test_a_photograph_is_made_larger_with_all_it_has(
    tmp_path: Path, upscaling: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8769)[0xA002] = 24  # ExifImageWidth
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = noisy(mode="RGB")
    image.putalpha(noisy(seed=1))
    image.save(tmp_path / "in.png", exif=exif, icc_profile=profile, dpi=(300, 300))
    report = tmp_path / "report.json"
    arguments = (tmp_path / "in.png", "--scale", "2.5", "--report", report)
    assert restore(*arguments, model=upscaling) == 0
    out = opened(tmp_path / "in-x2.5.png")
    assert (out.mode, out.size) == ("RGBA", (60, 50))
    assert out.info["icc_profile"] == profile
    assert out.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert out.getexif()[0x010F] == "a camera"
    assert out.getexif().get_ifd(0x8769)[0xA002] == 60
    assert "in-x2.5.png (60x50)" in capsys.readouterr().out
    written = json.loads(report.read_text())
    assert written["scale"] == 2.5
    (entry,) = written["files"]
    assert (entry["width"], entry["height"], entry["sigma"]) == (60, 50, pytest.approx(0.4))


def test_sixteen_bits_and_floats_of_grey_are_made_larger(tmp_path: Path, upscaling: str) -> None:
    values = np.random.default_rng(0).random((12, 14), dtype=np.float32)
    tifffile.imwrite(tmp_path / "float.tif", values)
    (tmp_path / "deep.png").write_bytes(imagecodecs.png_encode((values * 65535).astype(np.uint16)))
    for name, kind in (("float.tif", np.float32), ("deep.png", np.uint16)):
        out = tmp_path / "out" / name
        assert restore(tmp_path / name, "-o", out, "--scale", "3", model=upscaling) == 0
        read = tifffile.imread(out) if name.endswith("tif") else np.asarray(opened(out))
        assert read.shape == (36, 42)
        assert read.dtype == kind or read.max() > 255


@pytest.mark.parametrize("scale", ["0.5", "4.1", "nan", "inf", "three"])
def test_a_scale_that_is_none(
    image: Path, upscaling: str, scale: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        restore(image, f"--scale={scale}", model=upscaling)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert f'expected a scale from 1 to 4, got "{scale}"' in error
    assert error.count("\n") == 1


def test_a_description_of_the_pixels_is_not_carried_on(tmp_path: Path, upscaling: str) -> None:
    """What tifffile says of a shape would be wrong; what people say stays."""
    values = np.zeros((12, 14), np.uint8)
    for name, metadata in (("plain", {}), ("told", {"place": "here"})):
        tifffile.imwrite(tmp_path / f"{name}.tif", values, metadata=metadata)
        out = tmp_path / f"{name}-x2.tif"
        assert restore(tmp_path / f"{name}.tif", "--scale", "2", model=upscaling) == 0
        with tifffile.TiffFile(out) as tiff:
            description = tiff.pages[0].description
            assert "shape" not in description
            assert ("here" in description) == (name == "told")
            assert tiff.asarray().shape == (24, 28)


def test_a_sigma_that_was_not_trained_is_told(
    image: Path, upscaling: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(image, "--scale", "2", "--sigma", "5", model=upscaling) == 0
    assert "sigma 5 is outside what the model was trained for (0.4)" in capsys.readouterr().err


def test_a_model_for_the_other_task_is_refused(
    image: Path, upscaling: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(image, model=upscaling) == 1
    assert "is trained for super-resolution, not for denoising" in capsys.readouterr().err
    assert restore(image, "--scale", "2", model="denoise-gray") == 1
    error = capsys.readouterr().err
    assert error == "rimkit: denoise-gray is trained for denoising, not for super-resolution\n"


@pytest.mark.parametrize(
    ("size", "name", "message"),
    [
        ((3, 24), "out.png", "images must be at least 4x4, got 3x24"),
        ((4, 17_000), "out.jpg", "a side of JPEG has at most 65,500 pixels"),
        ((4, 5_000), "out.webp", "a side of WEBP has at most 16,383 pixels"),
        ((3400, 3400), "out.png", "more than 178,956,970 pixels"),
    ],
)
def test_sizes_that_cannot_be(
    tmp_path: Path,
    upscaling: str,
    size: tuple[int, int],
    name: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Image.fromarray(np.zeros(size, np.uint8)).save(tmp_path / "in.png")
    arguments = (tmp_path / "in.png", "-o", tmp_path / name, "--scale", "4")
    assert restore(*arguments, model=upscaling) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_folder_is_made_larger_once(
    folder: Path, upscaling: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder.with_name("out")
    for said in ("2 restored, 0 skipped, 0 failed", "0 restored, 2 skipped, 0 failed"):
        assert restore(folder, "-o", out, "--scale", "2", model=upscaling) == 0
        assert said in capsys.readouterr().err
    assert opened(out / "deep" / "b.png").size == (48, 40)


def test_the_model_is_the_one_for_the_image(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    noisy().save(folder / "grey.png")
    noisy(mode="RGB").save(folder / "colour.png")
    report = tmp_path / "report.json"
    options = ["--sigma", "20", "--quiet"]
    out = tmp_path / "out"
    assert main(["restore", str(folder), "-o", str(out), *options, "--report", str(report)]) == 0
    told = json.loads(report.read_text())["models"]
    assert [each["name"] for each in told] == ["denoise-gray", "denoise-color"]
    for name, model, other in (
        ("grey", "denoise-gray", None),
        ("colour", "denoise-color", "denoise-gray"),
    ):
        found = (out / f"{name}.png").read_bytes()
        for each in filter(None, (model, other)):
            target = tmp_path / f"{name}-{each}.png"
            source = folder / f"{name}.png"
            arguments = ["restore", str(source), "-o", str(target), *options, "--model", each]
            assert main(arguments) == 0
            assert (target.read_bytes() == found) == (each == model)
