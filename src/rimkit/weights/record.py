"""What weights say of their training, in words: for tables, cards and trainings to come."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rimkit.rim import RIM
from rimkit.weights import models, store


def title(model: str | os.PathLike[str], record: Mapping[str, Any]) -> str:
    """Name a model in a table where there are others' methods: `called`, and that it is ours."""
    return f"rimkit {called(model, record)}"


def called(model: str | os.PathLike[str], record: Mapping[str, Any]) -> str:
    """Return the short name of a model, which says so if it saw images beyond the protocol."""
    return ", ".join(filter(None, (short_name(model), beyond_protocol(record))))


def short_name(model: str | os.PathLike[str]) -> str:
    """What a model is called: as in the package, or by its file, or by that file's folder.

    ``rimkit train`` calls all files alike, so the folder says more.
    """
    path = Path(model)
    return path.resolve().parent.name if path.name == "weights.safetensors" else path.stem


def check_model_names(names: Sequence[str]) -> None:
    """Refuse models between which nobody could choose.

    Raises
    ------
    ValueError
        If two have one name.
    """
    if len(set(names)) < len(names):
        raise ValueError(f"every model has a name of its own, got {', '.join(names)}")


def parameter_count(model: RIM) -> int:
    """How many numbers a model has learned."""
    return sum(parameter.numel() for parameter in model.parameters())


def described(model: RIM) -> str:
    """Say which network a model is, how large, and how long it was trained, as far as is known."""
    config, record = model.config.network, model.training_record
    name = f"{config.table_name} network"
    name += "" if config.recurrent else " without state"
    name += "" if config.sees_estimate else " that does not see its estimate"
    size = sum(weight.numel() * weight.element_size() for weight in model.parameters()) / 1e6
    parts = [name, f"{parameter_count(model):,} parameters of {size:.1f} MB"]
    if "updates" in record:
        parts.append(updates_of(record))
    if "seconds" in record:
        parts.append(f"{record['seconds'] / 60:.0f} minutes of training")
        if "seconds" in record.get("start", {}):
            parts[-1] += f" after {record['start']['seconds'] / 60:.0f} of its start"
        elif started_from(record):
            parts[-1] += " after those of its start"  # a name in the package may be another's
    return ", ".join(parts)


def updates_of(record: Mapping[str, Any]) -> str:
    """Number of updates, and of how many where a training has not finished."""
    done, planned = record["updates"], record.get("recipe", {}).get("optimizer", {}).get("updates")
    if record.get("finished", True):
        return f"{done:,} updates"
    return (
        f"{done:,} updates, unfinished" if planned is None else f"{done:,} of {planned:,} updates"
    )


def seconds_of(record: Mapping[str, Any]) -> float | None:
    """Seconds of training, those of the weights it started from included where they are known."""
    if "seconds" not in record:
        return None
    before: float = record.get("start", {}).get("seconds", 0)
    own: float = record["seconds"]
    return round(own + before, 1)


def started_from(record: Mapping[str, Any]) -> str:
    """The model that a training started from, as its recipe has it; "" if from none."""
    return str(record.get("recipe", {}).get("start_from", ""))


def shown(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a recipe as weights say it: where a start lay on a disk is nobody's business.

    Of the path of a start the last two parts are left; its checksum is kept beside the recipe.
    """
    if "start_from" not in recipe:
        return dict(recipe)
    return {**recipe, "start_from": shown_start(str(recipe["start_from"]))}


def shown_start(start: str) -> str:
    """The name of a start, or the last two parts of its path."""
    return "/".join(Path(start).parts[-2:]) if start.endswith(".safetensors") else start


def images_read(record: Mapping[str, Any]) -> dict[str, int]:
    """How many images the training and its start read, held-out ones included.

    By kind: ``"bsds300"``, its training images, and ``"other"``. What is not known counts as none.
    """
    reads = record.get("read", {}), record.get("start", {}).get("read", {})
    return {kind: max(read.get(kind, 0) for read in reads) for kind in ("bsds300", "other")}


def beyond_protocol(record: Mapping[str, Any]) -> str:
    """What a table calls weights that saw other images than those of the protocol: "400 images".

    "" for the training images of BSDS300 alone, and where nothing is known.
    """
    read = images_read(record)
    if not read["other"]:
        return ""
    return f"{sum(read.values())} images" if read["bsds300"] else f"{read['other']} other images"


def start_of(model: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a training keeps of the weights it starts from.

    Checksum, seconds of their training (if known), the images they read, and what they learned:
    task and contrast of every training that led to them, as far as that is known.

    Raises
    ------
    ValueError
        If there is no such model, as in `rimkit.load`.
    """
    record = store.read_metadata(models.path_of(model)).get("training") or {}
    seconds = seconds_of(record)
    return {
        "sha256": models.sha256(model),
        **({} if seconds is None else {"seconds": seconds}),
        "read": images_read(record),
        "learned": [
            *record.get("start", {}).get("learned", ()),
            {
                "task": record.get("task", {}),
                "contrast": record.get("recipe", {}).get("data", {}).get("contrast", [1.0, 1.0]),
            },
        ],
    }
