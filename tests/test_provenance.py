import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import rimkit
from rimkit import provenance

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What a checkout holds as rimkit."""
    file = tmp_path / "__init__.py"
    file.write_text("")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    monkeypatch.setattr(rimkit, "__file__", str(file))
    provenance.version.cache_clear()
    yield file
    provenance.version.cache_clear()


def git(folder: Path, *words: str) -> None:
    person = ("-c", "user.name=someone", "-c", "user.email=someone@example.org")
    subprocess.run([str(shutil.which("git")), "-C", folder, *person, *words], check=True)


def test_a_changed_checkout_is_marked(module: Path) -> None:
    module.write_text("changed = True")
    assert provenance.version().endswith("+")


def test_the_version_is_that_of_the_code_that_runs(module: Path) -> None:
    before = provenance.version()
    assert ", commit " in before
    assert not before.endswith("+")
    module.write_text("changed = True")
    git(module.parent, "commit", "--all", "--quiet", "--message", "second")
    assert provenance.version() == before
    assert provenance.stamp().startswith(f"{before}; ")
    provenance.version.cache_clear()
    assert provenance.version() != before
