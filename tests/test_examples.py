"""The examples run, and find what they are there to show."""

import dataclasses
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

import rimkit
from rimkit.cli.main import main

pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
skimage = pytest.importorskip("skimage", reason="needs scikit-image")

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scores(text: str) -> dict[str, float]:
    """Name to PSNR, of lines such as ``step 1: 29.27 dB``."""
    return {name: float(value) for name, value in re.findall(r"(?m)^(.+?):? +([\d.]+) dB$", text)}


@pytest.fixture(autouse=True)
def somewhere_else(one_thread: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_demo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    small = skimage.data.camera()[:384, :384]
    monkeypatch.setattr(skimage.data, "camera", lambda: small)
    load("demo").main()
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    psnr = {row[0]: float(row[-3]) for row in rows[2:] if len(row) > 3}
    psnr["noisy"] = float(rows[1][1])
    assert psnr["rimkit"] > max(psnr["total"], psnr["non-local"]) + 0.5
    assert psnr["noisy"] < 21
    assert Path("demo/demo.png").stat().st_size > 50_000


def test_denoise(capsys: pytest.CaptureFixture[str]) -> None:
    load("denoise").main()
    psnr = scores(capsys.readouterr().out)
    steps = [psnr[f"step {number}"] for number in range(1, len(psnr))]
    assert steps == sorted(steps)
    assert steps[-1] > psnr["noisy"] + 8
    assert Path("demo/denoise.png").stat().st_size > 50_000


def test_super_resolve(capsys: pytest.CaptureFixture[str]) -> None:
    example = load("super_resolve")
    example.main()
    lines = capsys.readouterr().out.splitlines()[1:]
    bicubic, ours = zip(*(map(float, line.split()[-2:]) for line in lines), strict=True)
    gains = [after - before for before, after in zip(bicubic, ours, strict=True)]
    assert lines[0].startswith(example.KNOWN)
    assert gains[0] == max(gains) > 1
    assert Path("demo/super-resolve.png").stat().st_size > 50_000


def test_fill_in(capsys: pytest.CaptureFixture[str]) -> None:
    load("fill_in").main()
    psnr = scores(capsys.readouterr().out)
    assert psnr["inpainting"] > psnr["total variation"] + 0.5
    assert psnr["total variation"] > psnr["spoilt"] + 5
    assert Path("demo/fill-in.png").stat().st_size > 50_000
    assert main(["restore", "demo/damaged.png", "--missing", "demo/mask.png", "--quiet"]) == 0
    with Image.open("demo/damaged-filled.png") as image:
        restored = np.asarray(image)
    error = rimkit.psnr(*(torch.from_numpy(x / 255.0)[None] for x in (restored, truth())))
    assert error.item() == pytest.approx(psnr["inpainting"], abs=0.02)


def test_compressed_sensing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = load("compressed_sensing")
    monkeypatch.setattr(example, "SIDE", 128)
    monkeypatch.setattr(example, "WEIGHTS", (20.0, 40.0))
    example.main()
    lines = capsys.readouterr().out.splitlines()
    names = [line.partition(" (weight ")[0] for line in lines[::4]]
    assert names == list(example.PROBLEMS)
    found = [[float(line.split()[-2]) for line in lines[n : n + 3]] for n in range(1, 16, 4)]
    assert all(machine > start for start, _, machine in found)
    start, convex, machine = found[0]
    assert machine > convex + 1 > start + 10
    assert Path("demo/compressed-sensing.png").stat().st_size > 200_000  # four rows


def truth() -> np.ndarray:
    return np.asarray(skimage.data.astronaut()[:240, 100:340])


def test_own_operator(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    example = load("own_operator")
    example.main()
    text = capsys.readouterr().out
    found = re.search(r"wrong by (\S+)", text)
    assert found is not None
    assert float(found.group(1)) < 1e-14
    psnr = scores(text)
    assert min(psnr["total variation"], psnr["denoise-gray"]) > psnr["divided"] + 8
    assert Path("demo/own-operator.png").stat().st_size > 50_000

    # Without a start of its own, as docs/own-operator.md says: the learned solver needs one.
    monkeypatch.delattr(example.Vignette, "initial")
    truth = torch.full((1, 1, 64, 64), 0.5)
    problem = rimkit.Problem(example.vignette(64, 64), rimkit.GaussianNoise(25 / 255))
    y = problem.simulate(truth, generator=torch.Generator().manual_seed(0))
    learned = rimkit.load("denoise-gray").solve(y, problem, steps=12).x
    convex = rimkit.TotalVariation(weight=7.0).solve(y, problem).x
    assert learned[..., :9, :9].mean() < 0.4
    assert convex[..., :9, :9].mean() == pytest.approx(0.5, abs=0.05)


def test_own_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("lightning", reason="needs rimkit[train]")
    example = load("own_training")
    monkeypatch.setattr(example, "UPDATES", 60)
    example.main()
    psnr = scores(capsys.readouterr().out)
    assert psnr["own machine"] > psnr["measured"] + 4
    monkeypatch.setattr(example, "UPDATES", 1)
    example.draw_discs(tmp_path / "photographs", images=3, side=40)
    example.main("photographs")
    read = json.loads(Path("demo/own-training/inputs.json").read_text())
    assert [name for name, _ in read["training"] + read["held_out"]] == [
        "01.png",
        "02.png",
        "00.png",
    ]
    assert scores(capsys.readouterr().out)["own machine"] < psnr["own machine"]

    # It goes on, too, as docs/training.md says: a task that only Python knows.
    longer = dataclasses.replace(
        example.recipe(), optimizer=dataclasses.replace(example.recipe().optimizer, updates=2)
    )
    options = example.RunOptions(output=Path("demo/own-training"), resume=True, progress=False)
    path = example.train(longer, example.list_images(Path("photographs")), options)
    assert rimkit.load(path).training_record["updates"] == 2


def test_discs_hide_one_another(tmp_path: Path) -> None:
    load("own_training").draw_discs(tmp_path, images=2)
    first, second = (np.asarray(skimage.io.imread(tmp_path / f"0{n}.png")) for n in range(2))
    assert len(np.unique(first)) > 20
    assert (first != second).mean() > 0.5


def test_the_walk() -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    nbformat = pytest.importorskip("nbformat", reason="needs nbclient")
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    notebook = nbformat.read(EXAMPLES / "walk.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code), "strip the outputs"
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in code for output in cell.outputs]
    text = "".join(output.text for output in outputs if output.output_type == "stream")
    steps = [float(value) for value in re.findall(r"PSNR ([\d.]+) dB", text)]
    assert len(steps) == rimkit.load("denoise-gray").steps
    assert steps[-1] > steps[0] > 25
    assert "4.00 times the score" in text
    assert "('converged',)" in text
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 5


def test_every_example_is_run_here() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert names == set(re.findall(r'load\("(\w+)"\)', Path(__file__).read_text()))
