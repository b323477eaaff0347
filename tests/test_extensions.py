import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rimkit import extensions
from rimkit.cli.main import main
from rimkit.networks.base import _KNOWN
from rimkit.tasks import TASKS, DenoisingTask, register, task_from_table

OWN = """
import dataclasses
from typing import ClassVar

from rimkit.networks import CompactConfig
from rimkit.tasks import DenoisingTask, register


@dataclasses.dataclass(frozen=True)
class Narrow(CompactConfig):
    table_name: ClassVar[str] = "narrow"


@register
@dataclasses.dataclass(frozen=True)
class Dark(DenoisingTask):
    table_name: ClassVar[str] = "dark"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("RIMKIT_IMPORT", "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    file = tmp_path / "own_parts.py"
    file.write_text(OWN)
    yield file
    sys.modules.pop("own_parts", None)
    _KNOWN.pop("narrow", None)
    TASKS.pop("dark", None)


def test_a_task_of_ones_own_is_known_by_its_name(own: Path) -> None:
    with pytest.raises(ValueError, match=r'task has no "dark".*--import'):
        task_from_table({"name": "dark"})
    with pytest.raises(ValueError, match="task has no"):
        task_from_table({"name": ["dark"]})
    extensions.load([str(own)])
    assert type(task_from_table({"name": "dark"})).__name__ == "Dark"
    extensions.load([str(own)])  # once


def test_a_command_knows_what_the_one_that_started_it_knew(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIMKIT_IMPORT", str(own))
    assert main(["models"]) == 0  # as the export for onnxruntime is started
    assert type(task_from_table({"name": "dark"})).__name__ == "Dark"


def test_two_tasks_cannot_have_one_name() -> None:
    class Denoising(DenoisingTask):
        pass

    with pytest.raises(ValueError, match="a task named 'denoising' already exists: DenoisingTask"):
        register(Denoising)
    assert TASKS["denoising"] is DenoisingTask


def test_a_module_is_found_by_name_in_the_present_folder(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.parent)
    extensions.load(["own_parts"])
    assert {"narrow"} <= _KNOWN.keys()


def test_processes_that_are_started_import_it_too(own: Path) -> None:
    extensions.load([str(own)])
    asked = "from rimkit import extensions, tasks; extensions.load_inherited(); print(*tasks.TASKS)"
    printed = subprocess.check_output([sys.executable, "-c", asked], env=os.environ, text=True)
    assert "dark" in printed.split()


def test_the_command_line_imports_before_the_command_runs(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = own.with_name("mine.toml")
    recipe.write_text('[task]\nname = "dark"\n[model.network]\nname = "narrow"\n')
    arguments = ["train", str(recipe), "--data", str(own.parent / "nothing")]
    assert main(arguments) == 1
    assert 'no "dark"' in capsys.readouterr().err
    assert main(["--import", str(own), *arguments]) == 1
    assert "nothing" in capsys.readouterr().err  # the recipe is read, and there are no images


@pytest.mark.parametrize("module", ["no_such_module", "no/such/file.py", "text.png"])
def test_what_cannot_be_imported_is_said(
    own: Path, module: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own.parent)
    Path("text.png").touch()
    assert main(["--import", module, "models"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("rimkit: ")
    assert Path(module).name in said
    assert "cannot be imported" in said
    assert ("must end in .py" in said) == (module == "text.png")


def test_two_files_of_one_name_are_not_mixed_up(own: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / own.name
    other.parent.mkdir()
    other.write_text("")
    extensions.load([str(own)])
    with pytest.raises(ValueError, match="own_parts already exists"):
        extensions.load([str(other)])
