"""What weights record of their training, in words: for tables, cards and later trainings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rimkit.rim import RIM
from rimkit.weights import models, store


def title(model: str | os.PathLike[str], record: Mapping[str, Any]) -> str:
    """Name a model in a table with other methods: `called`, marked as one of rimkit."""
    return f"rimkit {called(model, record)}"


def called(model: str | os.PathLike[str], record: Mapping[str, Any]) -> str:
    """Return the short name of a model, marked if it saw images beyond the protocol."""
    return ", ".join(filter(None, (short_name(model), beyond_protocol(record))))


def short_name(model: str | os.PathLike[str]) -> str:
    """Short name of a model: its name in the package, or that of its file or folder.

    ``rimkit train`` gives all files the same name, so the folder says more.
    """
    path = Path(model)
    return path.resolve().parent.name if path.name == "weights.safetensors" else path.stem


def check_model_names(names: Sequence[str]) -> None:
    """Refuse models that cannot be told apart by name.

    Raises
    ------
    ValueError
        If two have the same name.
    """
    if len(set(names)) < len(names):
        raise ValueError(f"every model must have a name of its own, got {', '.join(names)}")


def parameter_count(model: RIM) -> int:
    """Number of learned parameters of a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def described(model: RIM) -> str:
    """Describe the network of a model, its size and its training time, as far as is known."""
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
    """Number of updates, and the number planned if the training has not finished."""
    done, planned = record["updates"], record.get("recipe", {}).get("optimizer", {}).get("updates")
    if record.get("finished", True):
        return f"{done:,} updates"
    return (
        f"{done:,} updates, unfinished" if planned is None else f"{done:,} of {planned:,} updates"
    )


def seconds_of(record: Mapping[str, Any]) -> float | None:
    """Seconds of training, including those of the weights it started from, if known."""
    if "seconds" not in record:
        return None
    before: float = record.get("start", {}).get("seconds", 0)
    own: float = record["seconds"]
    return round(own + before, 1)


def started_from(record: Mapping[str, Any]) -> str:
    """The model that a training started from, as its recipe gives it; "" if none."""
    return str(record.get("recipe", {}).get("start_from", ""))


def shown(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a recipe as stored in weights, without the full path of its start on disk.

    Only the last two parts of that path are kept; its checksum is stored beside the recipe.
    """
    if "start_from" not in recipe:
        return dict(recipe)
    return {**recipe, "start_from": shown_start(str(recipe["start_from"]))}


def shown_start(start: str) -> str:
    """The name of a start, or the last two parts of its path."""
    return "/".join(Path(start).parts[-2:]) if start.endswith(".safetensors") else start


def images_read(record: Mapping[str, Any]) -> dict[str, int]:
    """Number of images that the training and its start read, held-out ones included.

    By kind: ``"bsds300"``, its training images, and ``"other"``. Unknown counts are 0.
    """
    reads = record.get("read", {}), record.get("start", {}).get("read", {})
    return {kind: max(read.get(kind, 0) for read in reads) for kind in ("bsds300", "other")}


def beyond_protocol(record: Mapping[str, Any]) -> str:
    """Label in tables for weights that saw images beyond the protocol, such as "400 images".

    "" for the training images of BSDS300 alone, and if nothing is known.
    """
    read = images_read(record)
    if not read["other"]:
        return ""
    return f"{sum(read.values())} images" if read["bsds300"] else f"{read['other']} other images"


def start_of(model: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a training records of the weights it starts from.

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
