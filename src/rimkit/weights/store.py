"""Weights on disk: safetensors with the configuration inside, never pickles."""

from __future__ import annotations

import hashlib
import json
import numbers
import os
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from rimkit import atomic, settings
from rimkit.rim import RIM, RIMConfig

FORMAT = 1
_KEY = "rimkit"
_SAID: dict[str, tuple[type, str]] = {  # recorded besides the task of a training; more is allowed
    **dict.fromkeys(("recipe", "start", "read"), (dict, "a table")),
    **dict.fromkeys(("updates", "seconds", "finished"), (numbers.Real, "a number")),
    **dict.fromkeys(("images", "precision"), (str, "a string")),
}
_COMPILED = "_orig_mod."  # prefix that torch.compile adds to the names of weights


def save(
    model: RIM, path: str | os.PathLike[str], *, training: dict[str, Any] | None = None
) -> None:
    """Write a model with its configuration, whole or not at all; `rimkit.load` reads it back.

    Parameters
    ----------
    model
        The model; saved as it is, or as before compilation if it is compiled.
    path
        Destination; a safetensors file.
    training
        What the model was trained for and how, in JSON types; kept in the metadata. Its ``task``,
        if it has one, is the table of a task: ``{"name": table_name, ...}`` with the settings.
        None: the model's own ``training_record``.

    Raises
    ------
    ValueError
        If configuration, weights or training could not be read back, or the path does not end in
        ``.safetensors``.
    """
    if Path(path).suffix != ".safetensors":
        raise ValueError(f"{path}: the path of weights must end in .safetensors")
    config = settings.to_table(model.config)
    if settings.from_table(RIMConfig, json.loads(json.dumps(config))) != model.config:
        raise ValueError(
            "this configuration could not be read back from a file: its network must subclass "
            f"NetworkConfig with a table_name of its own, got {model.config}"
        )
    record = model.training_record if training is None else training
    _check_record(record)
    try:
        text = json.dumps({"format": FORMAT, "config": config, "training": record})
    except TypeError as error:
        raise ValueError(f"training cannot be stored as JSON: {error}") from error
    state = {
        name.replace(_COMPILED, ""): value.detach().cpu().contiguous()
        for name, value in model.state_dict().items()
    }
    with torch.device("meta"):
        expected = RIM(model.config).state_dict().keys()
    if state.keys() != expected:
        raise ValueError(
            "the weights do not match the configuration, and could not be read back from a file: "
            f"{', '.join(sorted(state.keys() ^ expected))}"
        )
    with atomic.replacing(Path(path)) as file:
        file.write(safetensors.torch.save(state, metadata={_KEY: text}))


def _check_record(training: object, *, where: str = "") -> None:
    record: dict[str, Any] = training if isinstance(training, dict) else {"task": None}
    task = record.get("task", {})
    if not isinstance(task, dict) or not isinstance(task.get("name", ""), str):
        raise ValueError(
            f"{where}training must be a table, and its task a table, too, "
            f'{{"name": ..., ...}}, got {training}'
        )
    for key, (kind, words) in _SAID.items():
        if key in record and not isinstance(record[key], kind):
            raise ValueError(f'{where}training["{key}"] must be {words}, got {record[key]!r}')


def read_metadata(path: Path) -> dict[str, Any]:
    """Return what `save` wrote beside the weights: format, config, training.

    Raises
    ------
    ValueError
        If the file is not a safetensors file of rimkit, or has a newer format.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_KEY)
    except FileNotFoundError:
        raise ValueError(f"there are no weights at {path}") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    if text is None:
        raise ValueError(f"{path} was not written by rimkit: it holds no configuration")
    try:
        metadata = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} holds a configuration that is not JSON: {error}") from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get("config"), dict):
        raise ValueError(f"{path} holds no configuration of a model")
    _check_record(metadata.setdefault("training", {}), where=f"{path}: ")
    if metadata.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {metadata.get('format')}, but this rimkit reads format {FORMAT}: "
            "install a newer rimkit"
        )
    return metadata


def read(path: Path, *, sha256: str | None = None) -> RIM:
    """Build the model stored in a file, ready for inference: eval mode, weights without gradients.

    Parameters
    ----------
    path
        A file that `save` wrote.
    sha256
        Expected checksum of the file; not checked if None.

    Raises
    ------
    ValueError
        If the checksum, the configuration or the weights are invalid.
    """
    metadata = read_metadata(path)
    data = path.read_bytes()
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{path} has the wrong checksum: reinstall rimkit")
    config = settings.from_table(RIMConfig, metadata["config"], where=f"the config in {path.name}")
    state = safetensors.torch.load(data)
    with torch.device("meta"):  # allocate nothing for sizes that only the configuration claims
        model = RIM(config)
    expected = model.state_dict()
    missing, unexpected = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected)
    if missing or unexpected:
        raise ValueError(
            f"{path} does not fit its own configuration: "
            f"missing {missing or 'nothing'}, unexpected {unexpected or 'nothing'}"
        )
    wrong = [name for name in state if state[name].shape != expected[name].shape]
    if wrong:
        raise ValueError(
            f"{path}: {wrong[0]} has shape {tuple(state[wrong[0]].shape)}, "
            f"but its configuration needs {tuple(expected[wrong[0]].shape)}"
        )
    for name, value in state.items():
        if value.is_floating_point() != expected[name].is_floating_point():
            raise ValueError(f"{path}: {name} must be {expected[name].dtype}, got {value.dtype}")
        if not value.isfinite().all():
            raise ValueError(f"{path}: {name} holds NaN or infinite values")
    # The tensors of the file itself: no random number is drawn, here or in another thread.
    model.load_state_dict(state, assign=True)
    model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.training_record = metadata["training"]
    return model.eval().requires_grad_(False)
