"""The public surface, what importing costs, and the direction of imports."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rimkit

SOURCE = Path(rimkit.__file__).parent

# Every module, from those that import nothing of ours to those that nothing imports.
ORDER = [
    "signals",
    "atomic",
    "sheets",
    "settings",
    "tree",
    "pixels",
    "metrics",
    "precision",
    "provenance",
    "extensions",
    "operators",
    "measurement",
    "noises",
    "problem",
    "deepinv",
    "links",
    "networks",
    "solver",
    "rim",
    "classical",
    "contrast",
    "allocation",
    "footprint",
    "ensemble",
    "baselines",
    "estimation",
    "tasks",
    "trained",
    "data",
    "weights",
    "onnx",
    "restoring",
    "plot",
    "training",
    "benchmarks",
    "experiments",
    "evaluation",
    "reproduction",
    "files",
    "web",
    "cli",
    "__main__",
]


def test_public_names_are_sorted_and_exist() -> None:
    names = rimkit.__all__
    assert names == sorted(
        names, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
    assert set(names) == set(rimkit._HOMES)
    for name in names:
        assert getattr(rimkit, name).__module__.startswith("rimkit.")
    assert set(names) <= set(dir(rimkit))


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="Denoisng"):
        rimkit.Denoisng  # noqa: B018


def place(module: str) -> int:
    parts = module.split(".")
    return ORDER.index(parts[1])


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "rimkit":
                found |= {f"rimkit.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
    return {name for name in found if name.startswith("rimkit.")}


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE))
)
def test_imports_point_one_way(path: Path) -> None:
    module = ".".join(("rimkit", *path.relative_to(SOURCE).with_suffix("").parts))
    if module == "rimkit.__init__":
        return
    for name in imports(path):
        if name.split(".")[1].startswith("_"):
            continue
        assert place(name) <= place(module), f"{module} imports {name}"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: path.name)
def test_files_are_short_and_say_what_they_are_for(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 310
    assert ast.get_docstring(ast.parse(text))


def run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_importing_brings_nothing_heavy() -> None:
    code = (
        "import sys, rimkit, rimkit.rim, rimkit.weights; rimkit.load; rimkit.Denoising;"
        "heavy = ('lightning', 'matplotlib', 'onnx', 'onnxruntime', 'skimage', 'scipy');"
        "print([module for module in heavy if module in sys.modules])"
    )
    assert run("-c", code).strip() == "[]"


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys\n"
        "from rimkit.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    assert run("-c", code).splitlines()[-1] == "False"


def test_help_is_fast() -> None:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        run("-m", "rimkit", "--help")
        times.append(time.perf_counter() - began)
    assert min(times) < 0.3
