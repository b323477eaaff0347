"""What the documents and examples say is run."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rimkit
from rimkit import settings
from rimkit.cli.main import build_parser, main
from rimkit.training.recipe import load_recipe, recipe_from_table, recipe_names

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "src/rimkit/training/recipes"


def blocks(name: str, *languages: str) -> list[tuple[str, str]]:
    """Language and text of the blocks of code in a document, in order."""
    found = re.findall(r"```(\w+)\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL)
    return [(language, text) for language, text in found if language in languages]


WITH_PYTHON = [
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if "```python" in path.read_text() and path.name not in {"start.md", "onnx.md"}
]


@pytest.mark.parametrize("name", WITH_PYTHON)
@pytest.mark.usefixtures("one_thread")
def test_python_in_the_documents_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    x = torch.rand(1, 1, 24, 20, generator=torch.Generator().manual_seed(0))
    space = {"x": x, "y": x, "gain": torch.ones(1, 1, 24, 20), "array": np.zeros((9, 9), np.uint8)}
    for _, text in blocks(name, "python"):
        exec(text, space)  # noqa: S102
    assert space["x"].shape[-2:] in ((24, 20), (32, 32), (64, 64))  # still an image


def test_most_pages_with_python_are_run() -> None:
    assert {"README.md", "docs/concepts.md", "docs/own-operator.md", "docs/training.md"} <= set(
        WITH_PYTHON
    )


@pytest.mark.usefixtures("one_thread")
def test_ten_minutes_go_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    pytest.importorskip("skimage", reason="needs scikit-image")
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    for language, text in blocks("docs/start.md", "sh", "python"):
        if language == "python":
            exec(text, space)  # noqa: S102
            continue
        for line in text.splitlines():
            program, *words = line.split()
            if program == "rimkit":
                assert main(words) == 0, line
            else:
                assert program in ("python3", ".", "pip"), line
    printed = capsys.readouterr().out
    estimated = re.search(r"clean\.png \(sigma ([\d.]+)\)", printed)
    assert estimated is not None
    assert 20 < float(estimated.group(1)) < 26
    assert "clean-25.png (sigma 25.0)" in printed
    for name in ("clean.png", "clean-25.png", "steps.png", "psnr.png", "vignette.png"):
        assert (tmp_path / name).stat().st_size > 10_000
    truth, results = space["truth"], space["results"]
    assert rimkit.psnr(space["solution"].x, truth) > 29
    assert rimkit.psnr(results["denoise-gray"], truth) > rimkit.psnr(results["measured"], truth) + 8


@pytest.mark.usefixtures("one_thread")
def test_ten_lines_without_rimkit_do_what_rimkit_does(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rimkit.onnx.cache import place

    monkeypatch.setenv("RIMKIT_CACHE", str(exported))
    shutil.copy(place("denoise-gray"), tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    ((_, text),) = blocks("docs/onnx.md", "python")
    space: dict[str, Any] = {}
    exec(text, space)  # noqa: S102
    problem = rimkit.Denoising(float(space["sigma"]))
    ours = rimkit.load("denoise-gray")(torch.from_numpy(space["y"]), problem).detach()
    assert (ours - torch.from_numpy(space["x"])).abs().max() < 1e-5
    assert rimkit.psnr(ours, torch.full_like(ours, 0.5)) > 35


def test_a_recipe_in_the_documents_is_one() -> None:
    exec(_task_of_the_documents(), {})  # noqa: S102
    tables = [tomllib.loads(text) for _, text in blocks("docs/training.md", "toml")]
    assert [table["task"]["name"] for table in tables] == ["denoising", "half-missing"]
    for table in tables:
        recipe = recipe_from_table(table)
        assert recipe.model.network.channels == table["model"]["network"]["channels"]


def _task_of_the_documents() -> str:
    (text,) = (text for _, text in blocks("docs/training.md", "python") if "half-missing" in text)
    return text


def test_every_key_of_a_recipe_is_described() -> None:
    described = set(
        re.findall(
            r"`([\w.]+)`",
            "".join(
                line.split("|")[1]
                for line in (ROOT / "docs/training.md").read_text().splitlines()
                if line.startswith("| `")
            ),
        )
    )
    keys = {
        f"{section}.{key}" if isinstance(inner, dict) else section
        for recipe in recipe_names()
        for section, inner in settings.to_table(load_recipe(recipe)).items()
        for key in (inner if isinstance(inner, dict) else [""])
    }
    set_in_recipes = {
        f"task.{key}"
        for recipe in recipe_names()
        for key in tomllib.loads((RECIPES / f"{recipe}.toml").read_text())["task"]
    }
    own = {key for key in keys if key.startswith("task.")} | {"model.network"}
    assert (keys - own) | set_in_recipes <= described
    assert {name for name in described if "." in name} <= keys | {
        "task.name",
        "model.network.name",
        "weights.safetensors",
        "last.ckpt",
        "recipe.json",
        "inputs.json",
    }


def test_every_recipe_is_named() -> None:
    page = (ROOT / "docs/training.md").read_text()
    assert not [name for name in recipe_names() if f"`{name}`" not in page]


def test_the_script_for_a_cluster_is_one() -> None:
    ((_, script),) = blocks("docs/cluster.md", "bash")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)  # noqa: S607
    (command,) = re.findall(r"^srun rimkit (.*?) \$resume$", script, re.DOTALL | re.MULTILINE)
    words = command.replace("\\\n", " ").split()
    options = build_parser().parse_args([*words, "--resume"])
    wanted = dict(re.findall(r"#SBATCH --([\w-]+)=(\S+)", script))
    assert str(options.nodes) == wanted["nodes"]
    assert options.devices == wanted["ntasks-per-node"] == wanted["gpus-per-node"]
    hours, minutes, _ = map(int, wanted["time"].split(":"))
    assert options.minutes < 60 * hours + minutes


def test_commands_in_the_documents_parse() -> None:
    found = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text(), flags=re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            found += [line.split("#")[0].split() for line in lines if line]
    commands = [words[1:] for words in found if words and words[0] == "rimkit"]
    assert len(commands) > 8
    for words in commands:
        build_parser().parse_args([word.strip("'") for word in words])


def test_links_in_the_documents_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([\w./-]+\.\w+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
