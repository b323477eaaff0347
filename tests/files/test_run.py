"""Folders: batches, claims, interruptions, and people who mean no good."""

import contextlib
import hashlib
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from tests.processes import started

import rimkit
from rimkit import atomic
from rimkit.cli.main import main
from rimkit.files.jobs import plan
from rimkit.files.outcome import Outcome
from rimkit.files.picture import Picture, read_picture
from rimkit.files.run import Wishes, restore_files
from rimkit.files.ways import Denoisers, noisy_parts
from rimkit.networks import CompactConfig
from rimkit.restoring.denoiser import Denoiser, Noisy
from rimkit.rim import RIM, RIMConfig
from rimkit.weights import store

IMAGES = 10
"""In a folder that is interrupted."""


@pytest.fixture(scope="module")
def model() -> RIM:
    torch.manual_seed(0)
    rim = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=2)).eval()
    torch.nn.init.normal_(rim.network.out.weight, std=0.02)
    return rim


@pytest.fixture(scope="module")
def saved(model: RIM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    store.save(model, path)
    return path


def save(path: Path, *size: int, seed: int = 0) -> None:
    values = np.random.default_rng(seed).normal(128, 25, size).clip(0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, format="PNG")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(5):
        save(tmp_path / "in" / f"{number}.png", 20, 24, seed=number)
        save(tmp_path / "in" / f"{number}-tall.png", 24, 20, seed=number)
    save(tmp_path / "in" / "colour.png", 20, 24, 3)
    return tmp_path / "in"


def restore(photos: Path, model: RIM, **wishes: object) -> list[Outcome]:
    jobs = plan([photos], photos.with_name("out"))
    return list(restore_files(jobs, Denoiser(model), Wishes(sigma=0.1, **wishes)))


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images are restored together, one number for each time."""
    seen: list[int] = []
    original = Denoiser.denoise

    def spied(self: Denoiser, images: list[Noisy], **options: object) -> None:
        if images:
            seen.append(len(images))
        original(self, images, **options)

    monkeypatch.setattr(Denoiser, "denoise", spied)
    return seen


def test_equal_images_are_restored_together(photos: Path, model: RIM, batches: list[int]) -> None:
    outcomes = restore(photos, model)
    assert Counter(outcome.status for outcome in outcomes) == {"restored": 11}
    assert sorted(batches) == [1, 5, 5]
    for outcome in outcomes:  # together is as alone
        values = read_picture(Path(outcome.source)).values
        Denoiser(model).denoise([Noisy(values, 0.1)])
        difference = read_picture(Path(outcome.target)).values.astype(int) - values
        assert np.abs(difference).max() <= 1


def test_no_more_are_restored_together_than_the_memory_holds(
    photos: Path, model: RIM, batches: list[int]
) -> None:
    denoiser, values = Denoiser(model), read_picture(photos / "0.png").values
    denoiser.memory = 2.5 * (values.nbytes + values.size * denoiser._bytes_per_pixel)
    list(restore_files(plan([photos], photos.with_name("out")), denoiser, Wishes(sigma=0.1)))
    assert sorted(batches) == [1, 1, 1, 2, 2, 2, 2]


def test_a_bad_file_spoils_no_batch(photos: Path, model: RIM) -> None:
    whole = (photos / "1.png").read_bytes()
    (photos / "1.png").write_bytes(whole[: len(whole) // 2])
    outcomes = {Path(outcome.source).name: outcome for outcome in restore(photos, model)}
    assert outcomes.pop("1.png").status == "failed"
    assert {outcome.status for outcome in outcomes.values()} == {"restored"}


def test_progress_ends_at_one(photos: Path, model: RIM) -> None:
    (photos / "bad.png").write_bytes(b"")
    seen: list[float] = []
    jobs = plan([photos], photos.with_name("out"))
    list(restore_files(jobs, Denoiser(model), Wishes(sigma=0.1), on_progress=seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_what_another_process_claims_is_left_to_it(photos: Path, model: RIM) -> None:
    out = photos.with_name("out")
    with atomic.claimed(out / "2.png") as mine:
        assert mine
        outcomes = restore(photos, model)
    (skipped,) = (outcome for outcome in outcomes if outcome.status == "skipped")
    assert Path(skipped.source).name == "2.png"
    assert skipped.reason == "another process is working on it"
    assert not (out / "2.png").exists()
    assert Counter(outcome.status for outcome in restore(photos, model)) == {
        "restored": 1,
        "skipped": 10,
    }
    assert sorted(path.name for path in out.iterdir()) == sorted(
        path.name for path in photos.iterdir()
    )  # no scratch files


def test_a_claim_ends_with_its_block_and_removes_what_a_dead_process_left(tmp_path: Path) -> None:
    target = tmp_path / "a.png"
    with atomic.claimed(target) as mine, atomic.claimed(target) as second:
        assert (mine, second) == (True, False)
        with atomic.claimed(tmp_path / "b.png") as other:
            assert other
    with atomic.replacing(target):
        (part,) = tmp_path.iterdir()
        (tmp_path / f"{part.stem}x.part").write_bytes(b"half")  # a process that was killed
    assert len(list(tmp_path.iterdir())) == 2
    with atomic.claimed(target):
        pass
    assert list(tmp_path.iterdir()) == [target]


def command(photos: Path, saved: Path, *options: str) -> list[str]:
    out = str(photos.with_name("out"))
    arguments = ["restore", str(photos), "-o", out, "--sigma", "25", "--model", str(saved)]
    return [sys.executable, "-m", "rimkit", *arguments, *options]


def test_several_processes_do_no_file_twice(tmp_path: Path, saved: Path) -> None:
    for number in range(40):
        save(tmp_path / "in" / f"{number}.png", 40 + number, 60)
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                started(
                    command(tmp_path / "in", saved, "--report", str(tmp_path / f"{number}.json")),
                    stderr=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
            )
            for number in range(3)
        ]
        assert [process.wait(120) for process in running] == [0, 0, 0]
    restored = [
        Path(entry["source"]).name
        for number in range(3)
        for entry in json.loads((tmp_path / f"{number}.json").read_text())["files"]
        if entry["status"] == "restored"
    ]
    assert sorted(restored) == sorted(path.name for path in (tmp_path / "in").iterdir())
    assert len(list((tmp_path / "out").iterdir())) == 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_folder_goes_on(tmp_path: Path, saved: Path, number: int) -> None:
    photos, out = tmp_path / "in", tmp_path / "out"
    for place in range(IMAGES):
        save(photos / f"{place:02}.png", 400 + 100 * place, 400)
    report = tmp_path / "report.json"
    with started(
        command(photos, saved, "--report", str(report)),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # What runs these tests in the background may have told all below it to ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 120
        while not out.exists() or not list(out.glob("*.png")):
            time.sleep(0.01)
            assert process.poll() is None
            assert time.monotonic() < deadline, "nothing restored within two minutes"
        process.send_signal(number)
        error = process.communicate(timeout=60)[1]
    assert "Traceback" not in error
    done = {path: path.read_bytes() for path in out.glob("*.png")}
    assert 0 < len(done) < IMAGES
    for path in done:  # whole
        assert read_picture(path).values.shape[1] == 400
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "interrupted" in error
        assert {path.name for path in out.iterdir()} == {path.name for path in done}
        assert len(json.loads(report.read_text())["files"]) == len(done)
    if number == signal.SIGKILL:  # perhaps before this was removed
        digest = hashlib.sha256(os.fsencode(next(iter(done)).name)).hexdigest()[:16]
        (out / f".rimkit-{digest}-lock").touch()
    assert subprocess.run(command(photos, saved), check=False, capture_output=True).returncode == 0
    assert len(list(out.iterdir())) == IMAGES  # and nothing hidden
    assert all(path.read_bytes() == content for path, content in done.items())


def test_a_report_tells_of_every_file(
    photos: Path, saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.png").write_text("no image")
    report = tmp_path / "report.json"
    assert main([*command(photos, saved, "--report", str(report))[3:]]) == 1
    written = json.loads(report.read_text())
    files = {Path(entry["source"]).name: entry for entry in written["files"]}
    assert len(files) == 12
    assert written["models"][0]["weights_sha256"]
    assert files["bad.png"]["status"] == "failed"
    assert "no known image format" in files["bad.png"]["reason"]
    entry = files["colour.png"]
    assert (entry["status"], entry["sigma"]) == ("restored", 25)
    assert (entry["width"], entry["height"]) == (24, 20)
    assert entry["seconds"] > 0
    assert "11 restored, 0 skipped, 1 failed" in capsys.readouterr().err


def test_links_out_of_the_output_folder_are_not_followed(
    photos: Path, model: RIM, tmp_path: Path
) -> None:
    save(photos / "deep" / "a.png", 20, 24)
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    (out / "deep").symlink_to(elsewhere)
    (elsewhere / "precious").write_text("mine")
    (out / "0.png").symlink_to(elsewhere / "precious")
    outcomes = {Path(o.source).name: o for o in restore(photos, model, overwrite=True)}
    assert outcomes["a.png"].status == "failed"
    assert "leads out of the output folder" in outcomes["a.png"].reason
    assert outcomes["0.png"].status == "restored"
    assert not (out / "0.png").is_symlink()
    assert [path.name for path in elsewhere.iterdir()] == ["precious"]
    assert (elsewhere / "precious").read_text() == "mine"


def test_another_process_may_make_the_output_folder_first(
    photos: Path, model: RIM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = atomic.check_place

    def look_and_be_overtaken(path: Path) -> None:
        looked(path)
        path.parent.mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(atomic, "check_place", look_and_be_overtaken)
    outcomes = restore(photos, model)
    assert {outcome.status for outcome in outcomes} == {"restored"}, outcomes


def test_strange_names_stay_where_they_are(tmp_path: Path, model: RIM) -> None:
    names = ["..png", "...png", "a\nb.png", "-o.png", "ä\u202e.png", "x" * 250 + ".png", "~.png"]
    for name in names:
        save(tmp_path / "in" / name, 20, 24)
    outcomes = restore(tmp_path / "in", model)
    assert {outcome.status for outcome in outcomes} == {"restored"}
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {name for name in names if not name.startswith(".")}
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out"}


def png_header(width: int, height: int, depth: int = 8) -> bytes:
    content = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    chunk = b"IHDR" + content
    data = zlib.compress(bytes(1000))
    idat = b"IDAT" + data
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(content))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", len(data))
        + idat
        + struct.pack(">I", zlib.crc32(idat))
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.png", b"", "this file is empty"),
        ("claim.png", png_header(60_000, 60_000), "too large to be opened safely"),
        ("deep.png", png_header(60_000, 60_000, 16), "too large to be opened safely"),
        ("short.png", png_header(2_000, 2_000), "cannot be read as an image"),
        ("short-deep.png", png_header(2_000, 2_000, 16), "cannot be read as an image"),
        ("zip.png", b"PK\x03\x04" + bytes(100), "no known image format"),
        ("tiff.tif", b"II*\0\xff\xff\xff\x7f", "cannot be read as an image"),
    ],
)
def test_files_that_mean_no_good(
    tmp_path: Path, model: RIM, name: str, content: bytes, message: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    (outcome,) = restore(tmp_path / "in", model)
    assert outcome.status == "failed"
    assert message in outcome.reason
    assert name in outcome.reason
    assert list((tmp_path / "out").iterdir()) == []


def test_metadata_that_mean_no_good_stop_no_folder(photos: Path, model: RIM) -> None:
    values = np.zeros((20, 24), np.uint8)
    Image.fromarray(values).save(photos / "odd.png", exif=b"II*\0\x08\0")
    outcomes = {Path(o.source).name: o for o in restore(photos, model)}
    assert outcomes["odd.png"].warnings[0] == "some of its EXIF is damaged, and is left out"
    assert {outcome.status for outcome in outcomes.values()} == {"restored"}


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
@pytest.mark.parametrize("tag", [256, 282, 296])  # of the image, where there is to be a number
def test_a_tag_that_is_damaged_is_left_out(
    tmp_path: Path, model: RIM, tag: int, ending: str
) -> None:
    said = b"a maker\0"
    entries = struct.pack("<HHI4s", tag, 2, 4, b"abc\0")
    maker = struct.pack("<HHII", 271, 2, len(said), 8 + 2 + 24 + 4)
    first, second = sorted([entries, maker], key=lambda entry: entry[:2][::-1])
    exif = b"II*\0" + struct.pack("<IH", 8, 2) + first + second + bytes(4) + said
    source = tmp_path / "odd.png"
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(source, exif=exif)
    jobs = plan([source], tmp_path / f"b.{ending}")
    (outcome,) = restore_files(jobs, Denoiser(model), Wishes(sigma=0.1))
    assert outcome.status == "restored"
    assert outcome.warnings == ("some of its EXIF is damaged, and is left out",)
    with Image.open(outcome.target) as image:
        assert image.getexif()[271] == "a maker"


def test_what_a_model_cannot_take_stops_no_folder(photos: Path) -> None:
    torch.manual_seed(0)
    network = CompactConfig(channels=3, features=8, blocks=1)
    outcomes = restore(photos, RIM(RIMConfig(network=network, steps=2)).eval())
    by_status = Counter(outcome.status for outcome in outcomes)
    assert by_status == {"restored": 1, "failed": 10}
    assert any("takes 3 channels, the image has 1" in outcome.reason for outcome in outcomes)


def test_sigma_zero_leaves_noisy_transparency(tmp_path: Path, model: RIM) -> None:
    save(tmp_path / "in" / "a.png", 64, 64, 4)
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    (outcome,) = restore_files(jobs, Denoiser(model), Wishes(sigma=0.0))
    before, after = (read_picture(Path(path)) for path in (outcome.source, outcome.target))
    assert np.array_equal(before.values, after.values)


@pytest.mark.parametrize(("noise", "parts"), [(0.5, 1), (3.0, 2)])
def test_transparency_with_visible_noise_is_restored_too(noise: float, parts: int) -> None:
    noisy = np.random.default_rng(0).normal(128, (20, 20, 20, noise), (64, 64, 4))
    picture = Picture(noisy.round().clip(0, 255).astype(np.uint8))
    assert len(noisy_parts(picture, 0.1)) == parts


def test_what_gamma_says_of_the_pixels_is_not_stripped(tmp_path: Path, model: RIM) -> None:
    linear, source = PngInfo(), tmp_path / "a.png"
    linear.add(b"gAMA", (100_000).to_bytes(4, "big"))
    Image.fromarray(np.eye(12, dtype=np.uint8)).save(source, pnginfo=linear)
    wishes = Wishes(sigma=0.1, strip_metadata=True)
    list(restore_files(plan([source], tmp_path / "b.png"), Denoiser(model), wishes))
    assert read_picture(tmp_path / "b.png").metadata.gamma == 1


def test_what_is_stripped_need_not_fit(tmp_path: Path, model: RIM) -> None:
    exif, source = Image.Exif(), tmp_path / "a.png"
    exif[270] = "x" * 70_000  # ImageDescription
    Image.fromarray(np.eye(12, dtype=np.uint8)).save(source, exif=exif)
    jobs = plan([source], tmp_path / "b.jpg")
    (outcome,) = restore_files(jobs, Denoiser(model), Wishes(sigma=0.1))
    assert "too long for JPEG: use .png, or --strip-metadata" in outcome.reason
    (outcome,) = restore_files(jobs, Denoiser(model), Wishes(sigma=0.1, strip_metadata=True))
    assert outcome.status == "restored"


def test_what_a_file_says_of_its_colours_is_carried_or_told(tmp_path: Path, model: RIM) -> None:
    source, said = tmp_path / "a.png", PngInfo()
    said.add(b"cHRM", struct.pack(">8I", 31270, 32900, 70800, 29200, 17000, 79700, 13100, 4600))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    values = np.eye(12, dtype=np.uint8)
    for ending, options, expected in (
        ("tif", {"pnginfo": said}, ["its primary colours are left out, since only PNG"]),
        ("png", {"pnginfo": said}, []),
        ("bmp", {"icc_profile": profile}, ["is not sRGB but", "BMP cannot hold it"]),
        ("png", {"icc_profile": profile}, ["is not sRGB but", "it is kept"]),
    ):
        Image.fromarray(values).save(source, **options)  # type: ignore[arg-type]
        jobs = plan([source], tmp_path / f"b.{ending}")
        wishes = Wishes(sigma=0.1, overwrite=True)
        (outcome,) = restore_files(jobs, Denoiser(model), wishes)
        assert all(part in " ".join(outcome.warnings) for part in expected)
        assert bool(outcome.warnings) == bool(expected)


def test_what_stays_is_not_the_same_in_a_jpeg(tmp_path: Path, model: RIM) -> None:
    save(tmp_path / "a.png", 64, 64, 3)
    jobs = plan([tmp_path / "a.png"], tmp_path / "b.jpg")
    (outcome,) = restore_files(jobs, Denoiser(model), Wishes(sigma=0))
    assert outcome.warnings == (
        "JPEG also changes what should stay as it is, if only slightly: use .png",
    )
    assert outcome.unchanged


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_what_stays_is_copied(tmp_path: Path, model: RIM, ending: str) -> None:
    """Written again, a JPEG has other pixels and a palette is one no more."""
    source, target = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    save(tmp_path / "drawn.png", 24, 32, 3)
    picture = Image.open(tmp_path / "drawn.png")
    (picture.quantize(16) if ending == "png" else picture).save(source)
    (outcome,) = restore_files(plan([source], target), Denoiser(model), Wishes(sigma=0))
    assert outcome.unchanged
    assert not outcome.warnings
    assert target.read_bytes() == source.read_bytes()
    again = Wishes(sigma=0, overwrite=True, strip_metadata=True)
    (outcome,) = restore_files(plan([source], target), Denoiser(model), again)
    assert target.read_bytes() != source.read_bytes()
    assert ("JPEG also changes" in "".join(outcome.warnings)) == (ending == "jpg")
    (outcome,) = restore_files(
        plan([source], target), Denoiser(model), Wishes(sigma=0.1, overwrite=True)
    )
    assert not outcome.unchanged
    # A file that is not what its ending says is written as its name says.
    (tmp_path / "c.png").write_bytes((tmp_path / f"a.{ending}").read_bytes())
    jobs = plan([tmp_path / "c.png"], tmp_path / "d.png")
    (outcome,) = restore_files(jobs, Denoiser(model), Wishes(sigma=0))
    assert (tmp_path / "d.png").read_bytes().startswith(b"\x89PNG")


def test_little_noise_stays_and_is_told(
    tmp_path: Path, model: RIM, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = {"task": {"name": "denoising", "sigma": [0.0, 55.0]}}
    monkeypatch.setattr(model, "training_record", record)
    save(tmp_path / "a.png", 64, 64, 3)
    jobs = plan([tmp_path / "a.png"], tmp_path / "b.png")
    (outcome,) = restore_files(jobs, Denoiser(model), Wishes(sigma=1 / 255))
    assert outcome.warnings == (
        "its noise, sigma 1, is less than the model can remove (1.25); it stays as it is",
    )
    before, after = (read_picture(Path(path)) for path in (outcome.source, outcome.target))
    assert np.array_equal(before.values, after.values)
    little = Wishes(sigma=0.1 / 255, overwrite=True)
    (outcome,) = restore_files(jobs, Denoiser(model), little)
    assert outcome.warnings[0].endswith(
        "(sigma is in grey levels of 255: 0.1, where white is 1, is 25)"
    )


def test_colours_that_a_model_for_grey_takes_one_by_one_are_told(
    tmp_path: Path, model: RIM
) -> None:
    save(tmp_path / "a.png", 64, 64, 3)
    save(tmp_path / "grey.png", 64, 64)
    for name, told in (("a.png", True), ("grey.png", False)):
        jobs = plan([tmp_path / name], tmp_path / "b.png")
        (outcome,) = restore_files(jobs, Denoiser(model), Wishes(sigma=0.1, overwrite=True))
        assert any("sees each channel alone" in each for each in outcome.warnings) == told


def test_what_the_ending_cannot_hold_is_refused_before_the_work(
    tmp_path: Path, model: RIM, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "a.png", 64, 64, 4)
    monkeypatch.setattr(Denoiser, "denoise", lambda *_, **__: pytest.fail("worked"))
    jobs = plan([tmp_path / "a.png"], tmp_path / "a.jpg")
    (outcome,) = restore_files(jobs, Denoiser(model), Wishes())
    assert "cannot hold transparency" in outcome.reason


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are bytes")
def test_names_that_are_no_text(tmp_path: Path, saved: Path) -> None:
    save(tmp_path / "in" / "a.png", 20, 24)
    os.rename(tmp_path / "in" / "a.png", os.fsencode(tmp_path / "in") + b"/caf\xe9.png")
    save(tmp_path / "in" / "z.png", 20, 24)
    report = tmp_path / "report.json"
    done = subprocess.run(
        command(tmp_path / "in", saved, "--report", str(report)), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(report.read_text())["files"]) == 2


LIMITED = """
import resource, sys
from rimkit.cli.main import main
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
sys.exit(main(sys.argv[1:]))
"""


def test_many_small_images_open_few_files(tmp_path: Path, saved: Path) -> None:
    for number in range(150):
        save(tmp_path / "in" / f"{number}.png", 8, 8)
    arguments = command(tmp_path / "in", saved)[3:]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *arguments], capture_output=True, text=True, check=False
    )
    assert "150 restored, 0 skipped, 0 failed" in done.stderr


def test_a_tiff_that_claims_to_be_huge(tmp_path: Path, model: RIM) -> None:
    entries = [
        (256, 4, 60_000), (257, 4, 60_000), (258, 3, 8), (259, 3, 1), (262, 3, 1),
        (273, 4, 8), (277, 3, 1), (278, 4, 60_000), (279, 4, 100),
    ]  # fmt: skip
    body = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    header = b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tif").write_bytes(header + bytes(200))
    (outcome,) = restore(tmp_path / "in", model)
    assert "too large to be opened safely (60000x60000" in outcome.reason


SCRIPT = """
import resource, sys
from rimkit.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000))
sys.exit(main(sys.argv[1:]))
"""


def test_a_full_disk_in_the_middle_of_a_folder(tmp_path: Path, saved: Path) -> None:
    """A limit on the size of files stands for the disk that fills up."""
    save(tmp_path / "in" / "small.png", 60, 60)
    save(tmp_path / "in" / "large.png", 600, 600)
    save(tmp_path / "in" / "tall.png", 61, 60)
    arguments = command(tmp_path / "in", saved)[3:]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "large.png: File too large" in done.stderr
    assert "2 restored, 0 skipped, 1 failed" in done.stderr
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["small.png", "tall.png"]


def test_a_read_only_output(photos: Path, model: RIM, monkeypatch: pytest.MonkeyPatch) -> None:
    out = photos.with_name("out")
    out.mkdir(mode=0o500)
    if os.geteuid() == 0:  # the superuser may write anywhere, and is asked as if not
        monkeypatch.setattr(os, "access", lambda *_: False)
    outcomes = restore(photos, model)
    assert {outcome.status for outcome in outcomes} == {"failed"}
    assert all("Permission denied" in outcome.reason for outcome in outcomes)
    assert list(out.iterdir()) == []


@pytest.mark.usefixtures("one_thread")
def test_files_of_several_depths_are_restored_as_alone(tmp_path: Path) -> None:
    # Models that know of levels take whole numbers as clipped and rounded, floats as they are.
    model, folder = rimkit.load("denoise-gray"), tmp_path / "in"
    folder.mkdir()
    values = np.random.default_rng(0).normal(0.2, 0.2, (24, 20)).astype(np.float32)
    tifffile.imwrite(folder / "a.tif", (255 * values.clip(0, 1)).round().astype(np.uint8))
    tifffile.imwrite(folder / "b.tif", values)
    tifffile.imwrite(folder / "c.tif", (65535 * values.clip(0, 1)).round().astype(np.uint16))
    wishes = Wishes(sigma=0.2)
    outcomes = list(restore_files(plan([folder], tmp_path / "out"), Denoiser(model), wishes))
    assert {outcome.status for outcome in outcomes} == {"restored"}
    for path in sorted(folder.iterdir()):
        alone = read_picture(path).values
        Denoiser(model).denoise([Noisy(alone, 0.2)])
        assert np.array_equal(read_picture(tmp_path / "out" / path.name).values, alone)
    with pytest.raises(ValueError, match="must have the same shape and depth"):
        Denoiser(model).denoise([Noisy(np.zeros((9, 9, 1), kind), 0.2) for kind in ("f4", "u1")])


def test_progress_counts_transparency(tmp_path: Path, model: RIM) -> None:
    noisy = np.random.default_rng(0).normal(128, 25, (40, 30, 2)).clip(0, 255).astype(np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(noisy).save(tmp_path / "in" / "a.png")
    seen: list[float] = []
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    list(restore_files(jobs, Denoiser(model), Wishes(sigma=0.1), on_progress=seen.append))
    assert seen == sorted(seen)
    assert 0.4 < seen[1] < 0.6  # after the colours, two steps


def test_a_resolution_that_no_format_can_tell_is_left_out(tmp_path: Path, model: RIM) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (9, 9), dtype=np.uint16)
    source = tmp_path / "microscope.tif"
    tifffile.imwrite(source, values, resolution=(1e8, 1e8), resolutionunit="CENTIMETER")
    for name in ("a.png", "b.tif"):
        (outcome,) = restore_files(
            plan([source], tmp_path / name), Denoiser(model), Wishes(sigma=0)
        )
        assert outcome.status == "restored", outcome.reason
    with Image.open(tmp_path / "a.png") as image:
        assert "dpi" not in image.info


def test_channels_that_share_their_noise_are_denoised_one_by_one(
    tmp_path: Path, model: RIM, capsys: pytest.CaptureFixture[str], saved: Path
) -> None:
    torch.manual_seed(1)
    colour = RIM(RIMConfig(network=CompactConfig(channels=3, features=8, blocks=1), steps=2)).eval()
    save(tmp_path / "in" / "apart.png", 40, 40, 3)
    save(tmp_path / "grey.png", 40, 40, seed=1)
    Image.open(tmp_path / "grey.png").convert("RGB").save(tmp_path / "in" / "shared.png")
    jobs = plan([tmp_path / "in"], tmp_path / "out")
    denoisers = Denoisers(grey=Denoiser(model), colour=Denoiser(colour))
    found = {Path(o.source).name: o for o in restore_files(jobs, denoisers, Wishes(sigma=0.1))}
    assert found["shared.png"].shares_noise
    assert not found["apart.png"].shares_noise
    (alone,) = restore_files(
        plan([tmp_path / "grey.png"], tmp_path / "grey-out.png"), denoisers, Wishes(sigma=0.1)
    )
    assert not alone.shares_noise
    grey = read_picture(tmp_path / "grey-out.png").values
    assert np.array_equal(
        read_picture(tmp_path / "out" / "shared.png").values, np.repeat(grey, 3, axis=2)
    )
    # A model for colour that was named takes it, and it is said; so is that another one took it.
    (told,) = restore_files(jobs[1:], Denoiser(colour), Wishes(sigma=0.1, overwrite=True))
    assert not told.shares_noise
    assert "share their noise" in told.warnings[0]
    again = ["restore", str(tmp_path / "in" / "shared.png"), "--model", str(saved)]
    assert main([*again, "-o", str(tmp_path / "again.png"), "--sigma", "25.5"]) == 0
    assert "(sigma 25.5, shared by its channels)" in capsys.readouterr().out


def test_an_image_without_noise_is_told(tmp_path: Path, model: RIM) -> None:
    Image.new("L", (20, 20), 128).save(tmp_path / "flat.png")
    jobs = plan([tmp_path / "flat.png"], tmp_path / "out.png")
    (found,) = restore_files(jobs, Denoiser(model), Wishes())
    assert "no noise was found" in found.warnings[0]
    (found,) = restore_files(jobs, Denoiser(model), Wishes(sigma=0.0, overwrite=True))
    assert not found.warnings
