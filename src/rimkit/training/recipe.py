"""A training recipe: a readable TOML file beside this one, every value open to the command line."""

from __future__ import annotations

import copy
import dataclasses
import math
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Literal

from rimkit import settings
from rimkit.data.splits import HELD_OUT_EVERY
from rimkit.networks import CompactConfig
from rimkit.rim import RIMConfig
from rimkit.tasks import DEFAULT, DenoisingTask, Task, task_from_table
from rimkit.training.loss import DistanceName


@dataclasses.dataclass(frozen=True)
class DataRecipe:
    """Patches.

    Attributes
    ----------
    patch, batch
        Side of a patch in pixels; patches a batch and process.
    held_out_every
        Every n-th image is kept for validation and never trained on: folder by folder, in the order
        of names; where those of BSDS300 are among them, of those alone.
    contrast
        Of training patches, about mid grey: a range in (0, 1], drawn by its logarithm.
    """

    patch: int = 48
    batch: int = 8
    held_out_every: int = HELD_OUT_EVERY
    contrast: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        settings.check_types(self, where="data")
        low, high = self.contrast
        if not 0 < low <= high <= 1:
            raise ValueError(f"contrast is a range in (0, 1], got {low} to {high}")
        _at_least(1, patch=self.patch, batch=self.batch)
        _at_least(2, held_out_every=self.held_out_every)


@dataclasses.dataclass(frozen=True)
class UnrollRecipe:
    """How many steps the machine is unrolled, and from where.

    Attributes
    ----------
    steps
        Fewest and most steps of an update, drawn uniformly.
    segment
        Steps whose activations are kept at a time, the others being computed again in the backward
        pass: memory for time. 0: all are kept.
    continued
        Share of every batch that goes on from where an earlier update left it, in whole samples
        (rounded down; less than one is an error), so that the machine is trained far beyond the
        steps it is unrolled. 0: none does.
    lifetime
        Updates, in the mean, in which a continued sample takes part.
    through_score
        Whether gradients flow through the score; a network that divides what it sees by its spread,
        as batch norm does, makes them explode where the likelihood is steep.
    """

    steps: tuple[int, int] = (4, 4)
    segment: int = 0
    continued: float = 0.0
    lifetime: float = 4.0
    through_score: bool = True

    def __post_init__(self) -> None:
        settings.check_types(self, where="unroll")
        if not 1 <= self.steps[0] <= self.steps[1]:
            raise ValueError(f"unroll.steps is a range 1 <= low <= high, got {self.steps}")
        if not 0 <= self.continued < 1:
            raise ValueError(f"unroll.continued lies in [0, 1), got {self.continued}")
        if not 1 <= self.lifetime < float("inf"):
            raise ValueError(f"unroll.lifetime is at least 1 and finite, got {self.lifetime}")
        _at_least(0, segment=self.segment)


@dataclasses.dataclass(frozen=True)
class LossRecipe:
    """How the estimates are compared with the truth.

    Attributes
    ----------
    distance
        See `rimkit.training.loss.DISTANCES`; the paper: ``"mse"``.
    early_weight
        w_t of all steps but the last, which counts 1 (equation 13; the paper: 1).
    rest, rest_after
        Weight of the motion (see `rimkit.training.loss.motion`) of samples that have taken so many
        steps before the update, which only continued ones have; 0: a machine may move for ever.
    """

    distance: DistanceName = "mse"
    early_weight: float = 1.0
    rest: float = 0.0
    rest_after: int = 24

    def __post_init__(self) -> None:
        settings.check_types(self, where="loss")
        if not 0 < self.early_weight < float("inf"):
            raise ValueError(f"loss.early_weight is positive, got {self.early_weight}")
        if not 0 <= self.rest < float("inf"):
            raise ValueError(f"loss.rest is not negative, got {self.rest}")
        _at_least(1, rest_after=self.rest_after)


@dataclasses.dataclass(frozen=True)
class OptimizerRecipe:
    """Optimiser and its schedule: warm up, constant, linear decay to zero.

    Attributes
    ----------
    name
        ``"muon"`` (orthogonalised momentum; AdamW for all but hidden kernels), ``"adamw"``, or
        ``"schedule-free"`` (AdamW by Defazio et al. 2024: it keeps its own average, so ``decay``
        and ``average`` are 0).
    rate
        Learning rate of the kernels under Muon.
    adamw_rate
        Learning rate of everything else, or of all under AdamW.
    updates
        Length of the training.
    warmup
        Updates of linear warm-up.
    decay
        Share of the training, at its end, in which the rates fall to zero.
    clip
        Largest norm of the gradient.
    average
        Decay of the exponential moving average of the weights that is kept; 0: the last weights.
    """

    name: Literal["muon", "adamw", "schedule-free"] = "muon"
    rate: float = 0.01
    adamw_rate: float = 2e-3
    updates: int = 40_000
    warmup: int = 100
    decay: float = 0.4
    clip: float = 1.0
    average: float = 0.998

    def __post_init__(self) -> None:
        settings.check_types(self, where="optimizer")
        _at_least(1, updates=self.updates)
        _at_least(0, warmup=self.warmup)
        for name in ("rate", "adamw_rate", "clip"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"optimizer.{name} is positive, got {getattr(self, name)}")
        for name in ("decay", "average"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"optimizer.{name} lies in [0, 1], got {getattr(self, name)}")
        if self.name == "schedule-free" and (self.decay or self.average):
            raise ValueError(
                "schedule-free has its own schedule and average: set optimizer.decay=0 and "
                f"optimizer.average=0, got {self.decay} and {self.average}"
            )


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All settings of a training.

    Attributes
    ----------
    task, model, data, unroll, loss, optimizer
        What is learned, by what, from what and how.
    seed
        Of weights, patches, noise and numbers of steps.
    validate_every
        Updates from one look at the held-out images to the next; there is one at the end, too.
    late
        The machine is watched after its own number of steps and after ``late`` times as many.
    start_from
        A trained model, as in `rimkit.load`, whose weights the training begins with; "": none. It
        is a machine like the recipe's, but for its steps and how its scores are scaled.
    """

    task: Task = dataclasses.field(
        default_factory=DenoisingTask, metadata={"table": task_from_table}
    )
    model: RIMConfig = dataclasses.field(default_factory=RIMConfig)
    data: DataRecipe = dataclasses.field(default_factory=DataRecipe)
    unroll: UnrollRecipe = dataclasses.field(default_factory=UnrollRecipe)
    loss: LossRecipe = dataclasses.field(default_factory=LossRecipe)
    optimizer: OptimizerRecipe = dataclasses.field(default_factory=OptimizerRecipe)
    seed: int = 0
    validate_every: int = 1000
    late: int = 3
    start_from: str = ""

    def __post_init__(self) -> None:
        settings.check_types(self, where="recipe")
        _at_least(0, seed=self.seed)
        if self.seed >= 2**63:
            raise ValueError(f"seed is less than 2**63, got {self.seed}")
        _at_least(1, validate_every=self.validate_every, late=self.late)
        if self.places >= self.data.batch:
            raise ValueError("unroll.continued leaves no place for new samples in a batch")
        if self.unroll.continued and not self.places:
            raise ValueError(
                f"unroll.continued is {self.unroll.continued:g} of a batch of {self.data.batch}, "
                f"which is no whole sample: at least 1/{self.data.batch}, or 0"
            )

    @property
    def places(self) -> int:
        """How many samples of a batch go on from an earlier update."""
        return math.floor(round(self.unroll.continued * self.data.batch, 9))

    @property
    def on_patches(self) -> bool:
        """Whether held-out images are watched in patches, as the task has it."""
        return bool(getattr(self.task, "on_patches", False))


_NAMED = {
    "model.network.name": (CompactConfig.table_name, {"channels"}),
    "task.name": (DEFAULT, set[str]()),
}
"""Names on which all settings beside them depend, what they are where they are not said, and which
of those settings are kept with another one."""

_FOLDER = resources.files("rimkit.training") / "recipes"


def recipe_names() -> list[str]:
    """Names of the recipes in the package."""
    return settings.toml_names(_FOLDER)


def load_recipe(name: str, *, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and apply overrides such as ``optimizer.rate=0.02``.

    Parameters
    ----------
    name
        A name from `recipe_names`, or the path of a TOML file.
    overrides
        ``section.key=value``, the value written as in TOML (text may go without quotes). Another
        ``model.network.name`` or ``task.name`` starts from that network's, or task's, own defaults.

    Raises
    ------
    ValueError
        If the recipe, a key or a value is not what it should be.
    """
    return recipe_from_table(settings.read_toml(name, _FOLDER), overrides=overrides)


def recipe_from_table(table: dict[str, Any], *, overrides: Sequence[str] = ()) -> Recipe:
    """Build a recipe from a table, with overrides as in `load_recipe`."""
    table = copy.deepcopy(table)
    for override in overrides:
        _override(table, override)
    return settings.from_table(Recipe, table, where="recipe")


def _at_least(low: int, **values: int) -> None:
    for name, value in values.items():
        if value < low:
            raise ValueError(f"{name} is at least {low}, got {value}")


def _override(table: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise ValueError(f"an override reads section.key=value, got {override!r}")
    *sections, key = path.strip().split(".")
    for section in sections:
        inner = table.setdefault(section, {})
        if not isinstance(inner, Mapping):
            raise ValueError(f"{override!r}: {section} is a value, not a section")
        table = inner  # type: ignore[assignment]
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    if path.strip() in _NAMED:
        default, shared = _NAMED[path.strip()]
        if value != table.get("name", default):
            # Another network, or task, has other settings: only what all share is kept.
            for other in table.keys() - shared:
                del table[other]
    table[key] = value
