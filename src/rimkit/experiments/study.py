"""Studies, read from TOML: a base recipe, a budget, and choices that each change something."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from rimkit import settings
from rimkit.training.module import LOGGED, MOTION
from rimkit.training.recipe import Recipe, load_recipe
from rimkit.training.trial import measured

_SIDE = 32  # of the image on which the problems of all choices are compared


@dataclasses.dataclass(frozen=True)
class Choice:
    """One way to train.

    Attributes
    ----------
    name, group
        As shown in the table.
    recipe
        Name of its recipe, if not the study's.
    set
        Overrides of the recipe, as on the command line of ``rimkit train``.
    seeds
        Number of trainings; the seeds are 0, 1, ...
    minutes, updates
        Budget, if not the study's; updates take precedence over minutes.
    updates_of
        Name of a choice whose updates take the same time: it is timed for both.
    precision
        As in `rimkit.training.trainer.RunOptions`; ``"auto"``: whichever is fast here.
    """

    name: str
    group: str = ""
    recipe: str = ""
    set: tuple[str, ...] = ()
    seeds: int = 1
    minutes: float = 0.0
    updates: int = 0
    updates_of: str = ""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"

    @property
    def folder(self) -> str:
        """Name of the folders of its trainings, without the seed."""
        return re.sub(r"[^\w.]+", "-", self.name)


@dataclasses.dataclass(frozen=True)
class Study:
    """Choices that are compared at one budget.

    Attributes
    ----------
    title
        The question it asks.
    recipe
        Name of the recipe that the choices change.
    minutes
        Budget of one training, in minutes on this computer with nothing else running: an update of
        each choice is timed first, and the budget converted to a number of updates.
    set
        Overrides for all choices.
    looks
        Number of validations per training, including the one at its end.
    columns
        Further columns of the report, from `rimkit.training.module.LOGGED`, such as
        ``train/variance_floor``.
    choices
        What is compared.
    """

    title: str
    recipe: str
    minutes: float
    choices: tuple[Choice, ...]
    set: tuple[str, ...] = ()
    looks: int = 1
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [choice.name for choice in self.choices]
        if not names or len({choice.folder for choice in self.choices}) < len(names):
            raise ValueError(
                "a study must have choices, and their names must differ, even if all but letters "
                f"and digits are replaced by a dash, got {names}"
            )
        if self.looks < 1:
            raise ValueError(f"looks must be at least 1, got {self.looks}")
        measured = [choice.name for choice in self.choices if not choice.updates_of]
        for choice in self.choices:
            if choice.updates_of and choice.updates_of not in measured:
                raise ValueError(settings.unknown_key(choice.updates_of, measured, where="study"))
            if not (choice.updates > 0 or 0 < (choice.minutes or self.minutes) < float("inf")):
                raise ValueError(f'"{choice.name}" has neither minutes nor updates')
            if choice.updates % self.looks:
                raise ValueError(
                    f'"{choice.name}" takes {choice.updates} updates, '
                    f"which must be a multiple of the study's {self.looks} looks"
                )
            if choice.seeds < 1:
                raise ValueError(f'"{choice.name}" must have at least one seed, got {choice.seeds}')
        self._check_recipes()

    def _check_recipes(self) -> None:
        """Fail now rather than hours later if a key is misspelt or no table can be made."""
        recipes = [self.recipe_of(choice, updates=self.looks) for choice in self.choices]
        images, ys = _watched(recipes[0])
        for choice, recipe in zip(self.choices, recipes, strict=True):
            held_out, own = _watched(recipe)
            alike = held_out == images and list(own) == list(ys)
            if not (alike and all(own[name].equal(y) for name, y in ys.items())):
                raise ValueError(
                    f'"{choice.name}" and "{self.choices[0].name}" are scored on different '
                    "problems: all choices of a study must be scored alike"
                )
            for column in self.columns:
                if column not in LOGGED:
                    raise ValueError(settings.unknown_key(column, list(LOGGED), where="log"))
                if column == MOTION and not recipe.loss.rest:
                    raise ValueError(f'"{choice.name}" has no {column}: its loss.rest is 0')

    @property
    def problems(self) -> list[str]:
        """Names of the validation problems."""
        recipe = self.recipe_of(self.choices[0], updates=self.looks)
        return list(recipe.task.validation())

    def with_seeds(self, most: int) -> Study:
        """Return the study with at most ``most`` seeds of every choice."""
        choices = (dataclasses.replace(c, seeds=min(c.seeds, most)) for c in self.choices)
        return dataclasses.replace(self, choices=tuple(choices))

    def named(self, names: Sequence[str]) -> tuple[Choice, ...]:
        """Return the choices of these names in the study's order, or all if none is given.

        Raises
        ------
        ValueError
            If there is no choice of a name.
        """
        known = [choice.name for choice in self.choices]
        for name in names:
            if name not in known:
                raise ValueError(settings.unknown_key(name, known, where="study"))
        return tuple(choice for choice in self.choices if not names or choice.name in names)

    def recipe_of(self, choice: Choice, *, updates: int, seed: int = 0) -> Recipe:
        """Return the recipe of one training."""
        overrides = [
            *self.set,
            *choice.set,
            f"optimizer.updates={updates}",
            f"validate_every={updates // self.looks}",
            f"seed={seed}",
        ]
        return load_recipe(choice.recipe or self.recipe, overrides=overrides)


def _watched(recipe: Recipe) -> tuple[int, dict[str, Tensor]]:
    """Which images are held out, and what every validation problem measures of one fixed image."""
    side = recipe.data.patch if recipe.on_patches else _SIDE
    shape = (1, recipe.model.network.channels, side, side)
    x = torch.linspace(0, 1, math.prod(shape)).view(shape)
    return recipe.data.held_out_every, {
        name: measured(measure, x, torch.Generator().manual_seed(0))[1]
        for name, measure in recipe.task.validation().items()
    }


_FOLDER = resources.files("rimkit.experiments") / "studies"


def study_names() -> list[str]:
    """Names of the studies in the package."""
    return settings.toml_names(_FOLDER)


def load_study(name: str) -> Study:
    """Read a study.

    Parameters
    ----------
    name
        A name from `study_names`, or the path of a TOML file; recipe paths in it are relative to
        its folder.

    Raises
    ------
    ValueError
        If the study, a key or a value is invalid.
    """
    table = settings.read_toml(name, _FOLDER)
    if name not in study_names():
        choices = table.get("choices")
        parts = [table, *(choices if isinstance(choices, list) else ())]
        for part in (part for part in parts if isinstance(part, dict)):
            if str(part.get("recipe", "")).endswith(".toml"):
                part["recipe"] = str(Path(name).parent / part["recipe"])
    return settings.from_table(Study, table, where="study")
