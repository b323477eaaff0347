"""The page as static files: the model runs in the browser, and any web server will do."""

from __future__ import annotations

import json
import shutil
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import rimkit
from rimkit import weights
from rimkit.data.bsds300 import cache_folder
from rimkit.onnx import export as onnx_export
from rimkit.onnx.contents import contents_of
from rimkit.pixels import LEVELS
from rimkit.rim import RIM
from rimkit.trained import knows_levels, least_sigma
from rimkit.web.app import static_folder
from rimkit.web.limits import Limits
from rimkit.web.runtime import copy_runtime
from rimkit.web.solvers import seen_sigma, trained_kinds
from rimkit.web.uploads import Uploads
from rimkit.weights import record

_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; img-src 'self' blob: data:; "
    "worker-src 'self' blob:; base-uri 'none'; form-action 'none'"
)
_PIXELS = 1_000_000  # of the largest image: a browser's memory is not ours
_KINDS = ("photograph", "noise", "missing", "painted")  # that browser/backend.js offers
_MARK = ".rimkit-site"  # marks a folder as written by this module


def export_site(
    folder: Path, models: Sequence[str], *, package: Path | None = None
) -> Iterator[str]:
    """Write the page into a folder, and yield a line for each step done.

    Parameters
    ----------
    folder
        New, empty, or written by this function before.
    models
        Names or paths; those that cannot run in a browser are left out.
    package
        Folder of the unpacked npm package of onnxruntime-web; None: npm fetches it, once.

    Raises
    ------
    ValueError
        If the folder holds something else, no model can run in a browser, two have the same name,
        or the runtime cannot be obtained.
    """
    record.check_model_names([record.short_name(model) for model in models])
    if folder.exists() and not (folder / _MARK).exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} holds other files: give a new or an empty folder")
    loaded = {model: weights.load(model) for model in models}
    if all(_refusal(machine) for machine in loaded.values()):
        raise ValueError("none of the models can run in a browser")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    copy_runtime(folder / "vendor", package=package, cache=cache_folder())
    yield "onnxruntime-web: vendor/"
    described: list[dict[str, Any]] = []
    for model, machine in loaded.items():
        reason = _refusal(machine)
        if reason:
            yield f"{model}: left out ({reason})"
            continue
        name = record.short_name(model)
        file = f"models/{name}.onnx"
        exported = onnx_export.export(model, folder / file)
        described.append(_described(name, file, model, machine))
        yield f"{model}: {file}, differs from torch by at most {exported.difference:.1e}"
    for source, pattern in (
        (static_folder(), "**/*"),
        (static_folder().parent / "browser", "*.js"),
    ):
        for path in sorted(source.glob(pattern)):
            if path.is_file():
                target = folder / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    page = folder / "index.html"
    policy = (
        f'<meta charset="utf-8">\n<meta http-equiv="content-security-policy" content="{_POLICY}">'
    )
    page.write_text(page.read_text("utf-8").replace('<meta charset="utf-8">', policy, 1), "utf-8")
    (folder / "about.json").write_text(json.dumps(_about(described), indent=1))
    yield f"{folder}: done; serve it with any web server, such as python -m http.server -d {folder}"


def _refusal(model: RIM) -> str:
    if not _trained(model):
        return "the page without a server denoises and fills in missing pixels only"
    if model.config.link != "identity":
        return f"its link is {model.config.link}"
    if model.config.score_scaling != "raw":
        return f"its scores are {model.config.score_scaling}"
    if model.config.network.channels not in (1, 3):
        return f"it takes {model.config.network.channels} channels"
    return ""


def _trained(model: RIM) -> list[str]:
    return [kind for kind in trained_kinds(model.training_record) if kind in _KINDS]


def _described(name: str, file: str, model: str, loaded: RIM) -> dict[str, Any]:
    contents = contents_of(loaded, weights_sha256=weights.sha256(model))
    known = model in weights.model_names()
    return {
        "name": name,
        "summary": weights.card(model).summary if known else "a model of your own",
        "file": urllib.parse.quote(file),
        "steps": loaded.steps,
        "channels": loaded.config.network.channels,
        "start": loaded.config.start,
        "variance_floor": contents.variance_floor,
        "least_sigma": least_sigma(loaded.training_record),
        "seen_sigma": seen_sigma(loaded.training_record),
        "levels": LEVELS if knows_levels(loaded.training_record) else None,
        "states": [{"channels": s.channels, "stride": s.stride} for s in contents.states],
        "trained": _trained(loaded),
        "learned": True,
    }


def _about(described: Sequence[dict[str, Any]]) -> dict[str, Any]:
    uploads = Uploads(Limits())
    try:
        samples = [
            {"name": sample.name, "title": sample.title, **sample.facts}
            for sample in uploads.samples()
        ]
    finally:
        uploads.close()
    return {
        "version": rimkit.__version__,
        "solvers": described,
        "samples": samples,
        "limits": {
            "pixels": _PIXELS,
            "upload_bytes": 200_000_000,
            "steps": Limits().steps,
            "frames": 4e8,
            "runs": _PIXELS,
        },
    }
