"""Models in tables: which there are, what their scores depend on, how images are passed to them."""

from __future__ import annotations

import os

from rimkit import weights
from rimkit.contrast import AtContrast
from rimkit.reproduction.setup import Setup
from rimkit.rim import RIM
from rimkit.solver import Solver

KNOWS = ", knows of levels"
"""Suffix of the settings of a model with the likelihood of rounded values where y is rounded."""


QUIET = 10.0
"""Most noise, in grey levels, that a machine trained on lower contrast is given.

Chosen on held-out images: results/contrast.txt.
"""

QUIETLY = f", noise of at most {QUIET:g} levels"
"""Suffix of the settings of a machine that is given no more noise than `QUIET`."""


def machine_names(own: str, setup: Setup, *, needed: bool = False) -> list[str]:
    """The package's model of this name, if there is one, and the requested ones.

    Raises
    ------
    ValueError
        If there is none, but one is needed.
    """
    names = [name for name in weights.model_names() if name == own] + [*setup.models]
    if needed and not names:
        raise ValueError(f"{own} is not in this package: name a model's file with --add")
    return names


def load_grey(name: str) -> RIM:
    """Load a machine for grey images.

    Raises
    ------
    ValueError
        If it is for other images.
    """
    model = weights.load(name)
    if model.config.network.channels != 1:
        raise ValueError(f"{name} takes {model.config.network.channels} channels, not grey images")
    return model


def quietly(model: RIM, noise: float) -> Solver:
    """A machine given images of lower contrast where noise, in grey levels, exceeds `QUIET`."""
    return AtContrast(model, QUIET / noise) if noise > QUIET else model


def settings_of(
    name: str | os.PathLike[str],
    model: RIM,
    *,
    steps: int | None = None,
    knows_levels: bool = False,
) -> str:
    """All that the scores of a model of this name, or at this path, depend on."""
    return (
        f"weights {weights.sha256(name)[:16]}, {steps or model.steps} steps, float32"
        f"{KNOWS if knows_levels else ''}"
    )
