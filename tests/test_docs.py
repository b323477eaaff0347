"""What the documents and examples say is run."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch

import rimkit
from rimkit.cli.main import build_parser

ROOT = Path(__file__).parents[1]


def python_blocks(name: str) -> list[str]:
    text = (ROOT / name).read_text()
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", ["README.md", "docs/own-operator.md"])
def test_python_in_the_documents_runs(name: str) -> None:
    x = torch.rand(1, 1, 24, 20, generator=torch.Generator().manual_seed(0))
    space = {"x": x, "y": x, "gain": torch.ones(1, 1, 24, 20), "array": np.zeros((9, 9), np.uint8)}
    blocks = python_blocks(name)
    assert blocks
    for block in blocks:
        exec(block, space)  # noqa: S102
    assert space["x"].shape == x.shape or space["x"].dtype == np.uint8


def test_commands_in_the_documents_parse() -> None:
    found = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(), flags=re.DOTALL):
            found += [line.split("#")[0].split() for line in block.splitlines() if line]
    commands = [words[1:] for words in found if words and words[0] == "rimkit"]
    assert len(commands) > 8
    for words in commands:
        build_parser().parse_args([word.strip("'") for word in words])


def test_links_in_the_documents_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([\w./-]+\.\w+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    skimage = pytest.importorskip("skimage", reason="needs scikit-image")
    small = skimage.data.camera()[:384, :384]
    monkeypatch.setattr(skimage.data, "camera", lambda: small)
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("demo", ROOT / "examples" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    demo = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(demo)
    demo.main()
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    scores = {row[0]: float(row[-3]) for row in rows[2:] if len(row) > 3}
    assert scores["rimkit"] > max(scores["total"], scores["non-local"]) + 0.5
    assert scores["gradient"] < 21
    assert (tmp_path / "demo" / "demo.png").stat().st_size > 50_000
    assert rimkit.model_names()
