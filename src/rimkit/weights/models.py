"""The models in the package: their cards, and how to load them by name."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from rimkit import settings
from rimkit.rim import RIM
from rimkit.weights import store


@dataclasses.dataclass(frozen=True)
class Card:
    """What a model in the package is, where it comes from and what it scores.

    Attributes
    ----------
    summary
        One-line description.
    sha256
        Checksum of the weights.
    parameters
        Number of parameters, including the variance floor.
    data, recipe, seconds, licence
        What it was trained on, by which command, for how long, and under which terms it is used.
    scores
        PSNR in dB by test set and noise level.
    """

    summary: str
    sha256: str
    parameters: int
    data: str
    recipe: str
    seconds: int
    licence: str
    scores: dict[str, float]


def model_names() -> list[str]:
    """Names of the models in the package."""
    return sorted(path.stem for path in _folder().glob("*.safetensors"))


def card(name: str) -> Card:
    """The card of a model in the package.

    Raises
    ------
    ValueError
        If there is no such model.
    """
    _check_name(name)
    table: dict[str, Any] = tomllib.loads((_folder() / f"{name}.toml").read_text())
    return settings.from_table(Card, table, where=f"the card of {name}")


def load(model: str | os.PathLike[str]) -> RIM:
    """Load a trained model, ready for inference, on the CPU.

    Parameters
    ----------
    model
        A name from `model_names` (checked against its checksum), or the path of a file that
        ``rimkit train`` wrote (ends in ``.safetensors``).

    Raises
    ------
    ValueError
        If there is no such model, or its file is invalid.
    """
    named = isinstance(model, str) and not model.endswith(".safetensors")
    return store.read(path_of(model), sha256=card(str(model)).sha256 if named else None)


def path_of(model: str | os.PathLike[str]) -> Path:
    """The file of a model, given as in `load`."""
    if isinstance(model, str) and not model.endswith(".safetensors"):
        _check_name(model)
        return _folder() / f"{model}.safetensors"
    if not isinstance(model, str | os.PathLike):
        raise ValueError(
            "a model must be a name, the path of weights or, where accepted, a RIM; got "
            f"{type(model).__name__}"
        )
    return Path(model)


def sha256(model: str | os.PathLike[str]) -> str:
    """The checksum of a model's file, given as in `load`."""
    return hashlib.sha256(path_of(model).read_bytes()).hexdigest()


def _check_name(name: str) -> None:
    if name not in model_names():
        folder = name if os.path.isdir(name) else os.path.dirname(name)
        beside = os.path.join(folder, "weights.safetensors")
        there = os.path.exists(name) and os.path.exists(beside)  # no error where a name is none
        hint = f"; did you mean {beside}?" if there else ""
        raise ValueError(
            settings.unknown_key(name, model_names(), where="rimkit")
            + f"; the path of weights must end in .safetensors{hint}"
        )


def _folder() -> Path:
    return Path(str(resources.files("rimkit.weights")))
