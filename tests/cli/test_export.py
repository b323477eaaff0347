"""`rimkit export`, and `rimkit restore` in onnxruntime."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rimkit import weights
from rimkit.benchmarks.restoring import measure_size
from rimkit.cli.main import main
from rimkit.onnx.cache import place

pytestmark = [
    pytest.mark.skipif(not find_spec("onnxscript"), reason="needs rimkit[onnx]"),
    pytest.mark.usefixtures("one_thread"),
]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    values = np.random.default_rng(0).normal(128, 25, (40, 51, 3)).clip(0, 255)
    Image.fromarray(values.astype(np.uint8)).save(tmp_path / "in.png")
    return tmp_path / "in.png"


@pytest.fixture
def _cached(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIMKIT_CACHE", str(exported))


def restored(source: Path, *options: str) -> np.ndarray:
    target = source.with_name("out.png")
    assert main(["restore", str(source), "-o", str(target), "--sigma", "25", *options]) == 0
    with Image.open(target) as image:
        return np.asarray(image).astype(int)


@pytest.mark.usefixtures("_cached")
@pytest.mark.parametrize("by", ["name", "file"])
def test_both_runtimes_restore_alike_and_the_report_says_which_ran(image: Path, by: str) -> None:
    report = image.with_name("report.json")
    named = ["--runtime", "onnx", "--model", "denoise-gray"]
    chosen = named if by == "name" else ["--model", str(place("denoise-gray"))]
    torch_s = ["--model", "denoise-gray", "--precision", "float32"]
    ours = restored(image, *torch_s, "--report", str(report))
    assert json.loads(report.read_text())["runtime"] == "torch"
    theirs = restored(image, *chosen, "--report", str(report))
    told = json.loads(report.read_text())
    assert told["runtime"] == "onnx"
    assert told["models"][0]["weights_sha256"] == weights.card("denoise-gray").sha256
    assert told["files"][0]["seconds"] > 0
    assert np.abs(ours - theirs).max() <= 1
    assert (ours != theirs).mean() < 1e-3


@pytest.mark.usefixtures("_cached")
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_is_kept_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    size = measure_size(0.3, memory="500MB", precision="float32", runtime="onnx")
    assert size.peak < 0.55e9  # all at once it would be 0.63e9


@pytest.mark.usefixtures("_cached")
def test_what_does_not_go_together_is_one_line(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(place("denoise-gray"))
    image.with_name("bad.onnx").write_bytes(b"nothing")
    for options, message in (
        (["--runtime", "onnx", "--precision", "bfloat16"], "computes in float32, not in bfloat16"),
        (["--model", file, "--precision", "bfloat16"], "computes in float32, not in bfloat16"),
        (["--model", file, "--runtime", "torch"], "needs --runtime onnx"),
        (["--model", str(image.with_name("bad.onnx"))], "is not an ONNX file"),
        (["--model", str(image.with_name("no.onnx"))], "there is no model at"),
        (["--model", "denoise-grey", "--runtime", "onnx"], 'no "denoise-grey"'),
    ):
        assert main(["restore", str(image), *options]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not image.with_name("in-restored.png").exists()


def test_export_says_how_far_it_is_from_torch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.onnx.conftest import saved, small

    from rimkit.rim import RIMConfig

    source = saved(RIMConfig(network=small("compact")), tmp_path / "a.safetensors")
    target = tmp_path / "deep" / "a.onnx"
    assert main(["export", str(source), str(target)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.startswith(f"{target} ({target.stat().st_size / 1e6:.2f} MB, differs")
    assert float(captured.out.split()[-1].rstrip(")")) <= 1e-5
    assert main(["export", str(source), str(tmp_path / "a.txt")]) == 1
    assert "ends in .onnx" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime", "onnxscript"])
def test_an_extra_that_is_missing_is_named(missing: str, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from rimkit.cli.main import main; sys.exit(main(['export', 'denoise-gray', 'a.onnx']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"rimkit: this needs {missing}, from the extra onnx: run pip install "
    )
    assert done.stderr.count("\n") == 1
