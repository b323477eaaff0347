"""Where a result comes from: the commit, the machine, the time."""

from __future__ import annotations

import datetime
import functools
import os
import platform
import shutil
import subprocess
from pathlib import Path

import torch

import rimkit


def machine() -> str:
    """The processor, its threads, and torch's version."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].partition(":")[2].strip() if models else name
    threads = torch.get_num_threads()
    return f"{name}, {os.cpu_count()} cores, {threads} threads, torch {torch.__version__}"


@functools.cache
def version() -> str:
    """Return rimkit's version, and its commit if it runs from a checkout.

    A plus sign means that the checkout was changed since. The first result is kept: call this
    before long measurements, since a checkout may change meanwhile.
    """
    folder = Path(rimkit.__file__).parent
    git = shutil.which("git")
    described = "" if git is None else _git(git, folder, "describe", "--always", "--abbrev=12")
    if not described or _git(git, folder, "ls-files", "__init__.py") == "":
        return f"rimkit {rimkit.__version__}"
    changed = "+" if _git(git, folder, "status", "--porcelain", "--", ".") else ""
    return f"rimkit {rimkit.__version__}, commit {described}{changed}"


def stamp() -> str:
    """Version, machine and time (UTC), in one line."""
    now = datetime.datetime.now(datetime.UTC)
    return f"{version()}; {machine()}; {now:%Y-%m-%d %H:%M} UTC"


def _git(git: str | None, folder: Path, *words: str) -> str:
    """Output of git, or "" if this is not a checkout."""
    command = [str(git), "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else ""
