"""Where a result comes from: the commit, the machine, the time."""

from __future__ import annotations

import datetime
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Literal

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


Precision = Literal["float32", "bfloat16"]


def fastest_precision() -> Precision:
    """In which networks run fastest: bfloat16 where the processor multiplies in it."""
    return worthwhile_precisions()[-1]


def worthwhile_precisions() -> tuple[Precision, ...]:
    """In which it is worth to run networks: others are emulated, at a tenth of the speed."""
    return ("float32", "bfloat16") if computes_in_bfloat16() else ("float32",)


def slow(precision: str) -> str | None:
    """Say that a precision is emulated here (bfloat16, or Lightning's name for it), or nothing."""
    if precision not in ("bfloat16", "bf16-mixed") or computes_in_bfloat16():
        return None
    return "this processor does not multiply in bfloat16: float32 is up to ten times as fast"


def computes_in_bfloat16() -> bool:
    """Whether the processor multiplies in bf16, and so runs networks faster in it."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16", False))


def version() -> str:
    """Return rimkit's version, and its commit where it runs from a checkout.

    A plus sign says that the checkout was changed since.
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
    """What git says, or nothing where this is no checkout."""
    command = [str(git), "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else ""
