"""How weights were made: the command of their training, and what it started from."""

from __future__ import annotations

import json
import shlex
from typing import Any

from rimkit import settings
from rimkit.training.recipe import Recipe, load_recipe
from rimkit.weights import record

_CHAIN = "all commands from the start: results/weights/README.md"


def how(name: str, training: dict[str, Any], digest: str) -> tuple[str, int]:
    """Return the command of a training with its history, and the seconds of both."""
    command = [f"rimkit train {name}", *(f"--set {o}" for o in overrides(name, training))]
    parts = [" ".join(command)]
    if not training["finished"]:
        parts.append(f"unfinished: {record.updates_of(training)}")
    begun = record.started_from(training)
    if begun:
        start = training.get("start") or known_start(begun, digest)
        said = (
            f"from the weights {start['sha256'][:16]}"
            if start
            else f"from {record.shown_start(begun)}"
        )
        if start and "seconds" in start:
            training = {**training, "start": start}
            said += f", {start['seconds']:,.0f} of the seconds being theirs"
        else:
            said += ", whose own seconds are not counted"
        parts += [said, _CHAIN]
    return ", ".join(parts), round(record.seconds_of(training) or 0)


def known_start(begun: str, digest: str) -> dict[str, Any] | None:
    """What is known of a start that the weights do not describe: the file that is there now."""
    try:
        start = record.start_of(begun)
    except ValueError:
        return None
    return None if start["sha256"] == digest else start


def overrides(name: str, training: dict[str, Any]) -> list[str]:
    """Overrides that turn the package's recipe into that of the training, quoted for a shell."""
    base, own = _flat(load_recipe(name)), settings.flat(training["recipe"])
    changed = [key for key in own if own[key] != base.get(key)]
    changed.sort(key=lambda key: key != "model.network.name")  # first: it resets others
    said = [f"{key}={_toml(own[key])}" for key in changed]
    again = _flat(load_recipe(name, overrides=said))
    if any(again.get(key) != value for key, value in own.items()):
        raise ValueError(f"the recipe of these weights is not {name} with {said}")
    begun = record.started_from(training)
    shown = [
        f"start_from={record.shown_start(begun)}" if o == f"start_from={begun}" else o for o in said
    ]
    return [shlex.quote(each) for each in shown]


def _flat(recipe: Recipe) -> dict[str, Any]:
    return settings.flat(settings.to_table(recipe))


def _toml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
