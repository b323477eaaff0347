"""User modules that make their networks and tasks known to the command line."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_VARIABLE = "RIMKIT_IMPORT"


def load(modules: Sequence[str]) -> None:
    """Import modules here and in child processes, along with those of the parent process.

    Parameters
    ----------
    modules
        Names, also looked up in the current directory, or paths of .py files.

    Raises
    ------
    ValueError
        If one cannot be imported.
    """
    if modules:
        os.environ[_VARIABLE] = os.pathsep.join(
            dict.fromkeys([*_inherited(), *map(_absolute, modules)])
        )
    load_inherited()


def load_inherited() -> None:
    """Import what the parent process imported by `load`.

    Raises
    ------
    ValueError
        If one cannot be imported.
    """
    for module in _inherited():
        try:
            _load(module)
        except (ImportError, OSError) as error:
            raise ValueError(f"{module} cannot be imported: {error}") from error


def _inherited() -> list[str]:
    return [module for module in os.environ.get(_VARIABLE, "").split(os.pathsep) if module]


def _absolute(module: str) -> str:
    return str(Path(module).absolute()) if module.endswith(".py") else module


def _load(module: str) -> None:
    if not module.endswith(".py"):
        if Path(module).is_file():
            raise ImportError("the file of a module must end in .py")
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())
        importlib.import_module(module)
        return
    name = Path(module).stem
    if name in sys.modules:
        there = getattr(sys.modules[name], "__file__", None)
        if there != module:
            raise ImportError(f"a module named {name} already exists ({there}): rename the file")
        return
    spec = importlib.util.spec_from_file_location(name, module)
    if spec is None or spec.loader is None:
        raise ImportError("it is not a Python file")
    sys.modules[name] = loaded = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(loaded)
    except BaseException:
        del sys.modules[name]
        raise
