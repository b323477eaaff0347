"""ONNX files of models that are requested by name: exported once, then kept."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from rimkit import atomic, weights
from rimkit.data.bsds300 import cache_folder
from rimkit.onnx.contents import FORMAT

_WAIT = 0.2


def cached(model: str | os.PathLike[str]) -> Path:
    """Return the ONNX file of a model in the cache folder; export it first if it is not there.

    The export runs in its own process, so that its memory, a quarter of a gigabyte, is freed. Of
    several processes, one exports and the others wait.

    Parameters
    ----------
    model
        As in `rimkit.load`.

    Raises
    ------
    ValueError
        If the model cannot be exported.
    """
    path = place(model)
    while not path.exists():
        with atomic.claimed(path) as mine:
            if mine and not path.exists():
                _export(model, path)
        if not mine:
            time.sleep(_WAIT)
    return path


def place(model: str | os.PathLike[str]) -> Path:
    """Return where the ONNX file of a model is kept, by the checksum of its weights."""
    return cache_folder() / "onnx" / f"{weights.sha256(model)}-{FORMAT}.onnx"


def _export(model: str | os.PathLike[str], path: Path) -> None:
    command = [sys.executable, "-P", "-m", "rimkit", "export", os.fspath(model), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ValueError(lines[-1].removeprefix("rimkit: "))
