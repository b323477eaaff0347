"""Training recipes: readable TOML files whose every value the command line can override."""

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
        Side of a patch in pixels; patches per batch and process.
    held_out_every
        Every n-th image is held out for validation and never trained on: counted folder by folder
        in name order; if the BSDS300 images are among them, every n-th of those alone.
    contrast
        Contrast of training patches about mid grey: a range in (0, 1], sampled log-uniformly.
    """

    patch: int = 48
    batch: int = 8
    held_out_every: int = HELD_OUT_EVERY
    contrast: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        settings.check_types(self, where="data")
        low, high = self.contrast
        if not 0 < low <= high <= 1:
            raise ValueError(f"contrast must be a range in (0, 1], got {low} to {high}")
        _at_least(1, patch=self.patch, batch=self.batch)
        _at_least(2, held_out_every=self.held_out_every)


@dataclasses.dataclass(frozen=True)
class UnrollRecipe:
    """How many steps the machine is unrolled for, and from where.

    Attributes
    ----------
    steps
        Minimum and maximum number of steps per update, drawn uniformly.
    segment
        Number of steps whose activations are kept at a time; the others are recomputed in the
        backward pass, which trades time for memory. 0: all are kept.
    continued
        Share of every batch that continues from where an earlier update left off, in whole samples
        (rounded down; less than one is an error), so that the machine is trained far beyond the
        steps it is unrolled for. 0: none.
    lifetime
        Mean number of updates in which a continued sample takes part.
    through_score
        Whether gradients flow through the score; with a network that divides its input by its
        spread, as batch norm does, they explode where the likelihood is steep.
    """

    steps: tuple[int, int] = (4, 4)
    segment: int = 0
    continued: float = 0.0
    lifetime: float = 4.0
    through_score: bool = True

    def __post_init__(self) -> None:
        settings.check_types(self, where="unroll")
        if not 1 <= self.steps[0] <= self.steps[1]:
            raise ValueError(f"unroll.steps must be a range 1 <= low <= high, got {self.steps}")
        if not 0 <= self.continued < 1:
            raise ValueError(f"unroll.continued must lie in [0, 1), got {self.continued}")
        if not 1 <= self.lifetime < float("inf"):
            raise ValueError(f"unroll.lifetime must be at least 1 and finite, got {self.lifetime}")
        _at_least(0, segment=self.segment)


@dataclasses.dataclass(frozen=True)
class LossRecipe:
    """How the estimates are compared with the truth.

    Attributes
    ----------
    distance
        See `rimkit.training.loss.DISTANCES`; the paper uses ``"mse"``.
    early_weight
        w_t of all steps but the last, whose weight is 1 (equation 13; the paper uses 1).
    rest, rest_after
        Weight of the motion (see `rimkit.training.loss.motion`) of samples that took at least
        ``rest_after`` steps before the update, as only continued ones can; 0: motion is free.
    """

    distance: DistanceName = "mse"
    early_weight: float = 1.0
    rest: float = 0.0
    rest_after: int = 24

    def __post_init__(self) -> None:
        settings.check_types(self, where="loss")
        if not 0 < self.early_weight < float("inf"):
            raise ValueError(f"loss.early_weight must be positive, got {self.early_weight}")
        if not 0 <= self.rest < float("inf"):
            raise ValueError(f"loss.rest must be non-negative, got {self.rest}")
        _at_least(1, rest_after=self.rest_after)


@dataclasses.dataclass(frozen=True)
class OptimizerRecipe:
    """Optimiser and its schedule: warm-up, constant, linear decay to zero.

    Attributes
    ----------
    name
        ``"muon"`` (orthogonalised momentum; AdamW for all but hidden kernels), ``"adamw"``, or
        ``"schedule-free"`` (AdamW by Defazio et al. 2024: it keeps its own average, so ``decay``
        and ``average`` are 0).
    rate
        Learning rate of the hidden kernels under Muon.
    adamw_rate
        Learning rate of everything else, or of all parameters under AdamW.
    updates
        Length of the training.
    warmup
        Number of updates of linear warm-up.
    decay
        Share of the training, at its end, over which the learning rates decay to zero.
    clip
        Maximum norm of the gradient.
    average
        Decay of the exponential moving average of the weights, which is what is saved; 0: the last
        weights are saved.
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
                raise ValueError(f"optimizer.{name} must be positive, got {getattr(self, name)}")
        for name in ("decay", "average"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"optimizer.{name} must lie in [0, 1], got {getattr(self, name)}")
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
        Seed of weights, patches, noise and numbers of steps.
    validate_every
        Number of updates between validations; there is always one at the end.
    late
        Validation scores the machine after its own number of steps and after ``late`` times as
        many.
    start_from
        A trained model, as in `rimkit.load`, with whose weights the training starts; "": none. Its
        configuration must match the recipe's, except for its steps and its score scaling.
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
            raise ValueError(f"seed must be less than 2**63, got {self.seed}")
        _at_least(1, validate_every=self.validate_every, late=self.late)
        if self.places >= self.data.batch:
            raise ValueError("unroll.continued leaves no room for new samples in a batch")
        if self.unroll.continued and not self.places:
            raise ValueError(
                f"unroll.continued is {self.unroll.continued:g} of a batch of {self.data.batch}, "
                f"less than one sample: set it to at least 1/{self.data.batch}, or to 0"
            )

    @property
    def places(self) -> int:
        """Number of samples in a batch that continue from an earlier update."""
        return math.floor(round(self.unroll.continued * self.data.batch, 9))

    @property
    def on_patches(self) -> bool:
        """Whether validation uses patches of the held-out images, as set by the task."""
        return bool(getattr(self.task, "on_patches", False))


_NAMED = {
    "model.network.name": (CompactConfig.table_name, {"channels"}),
    "task.name": (DEFAULT, set[str]()),
}
"""Names that determine the other settings in their table: the default of each name, and which of
those settings are kept when it changes."""

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
        ``section.key=value``, with the value as in TOML (quotes around text are optional). Another
        ``model.network.name`` or ``task.name`` starts from that network's or task's own defaults.

    Raises
    ------
    ValueError
        If the recipe, a key or a value is invalid.
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
            raise ValueError(f"{name} must be at least {low}, got {value}")


def _override(table: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise ValueError(f"an override must read section.key=value, got {override!r}")
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
            # Another network or task has other settings: only shared ones are kept.
            for other in table.keys() - shared:
                del table[other]
    table[key] = value
