"""What an ONNX file of rimkit holds besides the graph: names, shapes and settings, as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import torch

import rimkit
from rimkit import settings
from rimkit.rim import RIM, RIMConfig

FORMAT = 1
KEY = "rimkit"
"""Key of the only entry in the file's ``metadata_props``."""

_PROBE = 64


@dataclasses.dataclass(frozen=True)
class StateShape:
    """Shape of a part of the state: (N, channels, ceil(H / stride), ceil(W / stride))."""

    channels: int
    stride: int


@dataclasses.dataclass(frozen=True)
class Contents:
    """Everything needed, besides the graph, to run it.

    Attributes
    ----------
    config
        Settings of the machine; its link, start and steps are up to the caller.
    variance_floor
        Epsilon (equation 15), to be added to the noise variance in the score; 0 if there is none.
    states
        Shapes of ``state_0``, ``state_1``, ...; all of them are zero at the start.
    weights_sha256
        Checksum of the file of weights that was exported.
    training
        What the machine was trained for and how.
    version
        Version of rimkit that wrote the file.
    """

    config: RIMConfig
    variance_floor: float
    states: tuple[StateShape, ...]
    weights_sha256: str
    training: dict[str, Any]
    version: str

    @property
    def inputs(self) -> list[str]:
        """Names of the graph's inputs, in order."""
        return ["eta", "score", *self._state_names]

    @property
    def outputs(self) -> list[str]:
        """Names of the graph's outputs, in order."""
        return ["eta_next", "x_next", *(f"{name}_next" for name in self._state_names)]

    @property
    def _state_names(self) -> list[str]:
        return [f"state_{number}" for number in range(len(self.states))]


def contents_of(model: RIM, *, weights_sha256: str) -> Contents:
    """Return the contents for a model."""
    return Contents(
        config=model.config,
        variance_floor=model.variance_floor.item(),
        states=state_shapes(model),
        weights_sha256=weights_sha256,
        training=model.training_record,
        version=rimkit.__version__,
    )


def state_shapes(model: RIM) -> tuple[StateShape, ...]:
    """Shapes of the parts of a model's state.

    Raises
    ------
    ValueError
        If a part does not have the shape (N, channels, H / stride, W / stride).
    """
    probe = torch.empty(1, model.config.network.channels, _PROBE, _PROBE)
    parts = model.network.init_state(probe)
    for part in parts:
        if part.ndim != 4 or part.shape[-1] != part.shape[-2] or _PROBE % part.shape[-1]:
            raise ValueError(
                "only states (N, channels, H / stride, W / stride) can be exported, "
                f"got {tuple(part.shape)} for {tuple(probe.shape)}"
            )
    return tuple(StateShape(part.shape[1], _PROBE // part.shape[-1]) for part in parts)


def to_text(contents: Contents) -> str:
    """Return the JSON that is stored in the file."""
    table = {
        "format": FORMAT,
        "rimkit": contents.version,
        "config": settings.to_table(contents.config),
        "steps": contents.config.steps,
        "variance_floor": contents.variance_floor,
        "states": [dataclasses.asdict(state) for state in contents.states],
        "weights_sha256": contents.weights_sha256,
        "training": contents.training,
    }
    return json.dumps(table)


def from_metadata(properties: Mapping[str, str], *, where: str) -> Contents:
    """Read the ``metadata_props`` of a file.

    Raises
    ------
    ValueError
        If they are not what `to_text` writes, or have another format.
    """
    if KEY not in properties:
        raise ValueError(f"{where} was not written by rimkit: it holds no configuration")
    try:
        table = json.loads(properties[KEY])
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} holds a configuration that is not JSON: {error}") from error
    if not isinstance(table, dict) or "format" not in table:
        raise ValueError(f"{where} holds no configuration of a model")
    if table["format"] != FORMAT:
        raise ValueError(
            f"{where} has format {table['format']}, but rimkit {rimkit.__version__} reads format "
            f"{FORMAT}: install rimkit {table.get('rimkit', '')} or newer, or export it again"
        )
    unknown = sorted(table.keys() - _TYPES.keys())
    wrong = [name for name, kind in _TYPES.items() if not isinstance(table.get(name), kind)]
    if unknown or wrong:
        raise ValueError(
            f"{where} holds no complete configuration: "
            f"unknown {unknown or 'nothing'}, missing or of the wrong type {wrong or 'nothing'}"
        )
    try:
        config = settings.from_table(RIMConfig, table["config"], where="config")
        states = [settings.from_table(StateShape, s, where="states") for s in table["states"]]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    floor = table["variance_floor"]
    if not (math.isfinite(floor) and (floor > 0 or floor == config.variance_floor == 0)):
        raise ValueError(f"{where}: variance_floor must be positive and finite, got {floor}")
    if table["steps"] != config.steps:
        raise ValueError(f"{where} says both {table['steps']} steps and {config.steps} steps")
    return Contents(
        config=config,
        variance_floor=floor,
        states=tuple(states),
        weights_sha256=table["weights_sha256"],
        training=table["training"],
        version=table["rimkit"],
    )


_TYPES: dict[str, type] = {
    "format": int,
    "rimkit": str,
    "config": dict,
    "steps": int,
    "variance_floor": float,
    "states": list,
    "weights_sha256": str,
    "training": dict,
}
