"""What is measured in a table: a method, and all that its scores depend on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from rimkit.precision import Precision, fastest_precision
from rimkit.solver import Solver

Restores = TypeVar("Restores")
"""A function from what is given to what is made of it."""

Problems = TypeVar("Problems")
"""A kind of problems, each of which has its own solver."""


@dataclasses.dataclass(frozen=True)
class Method(Generic[Restores]):
    """What restores images in a table.

    Attributes
    ----------
    name
        In the table.
    restore
        What it does.
    settings
        All that its scores depend on: checksum of the weights, steps, likelihood, version.
    parameters
        How many it has; None if it has none that are learned.
    about
        What else is to be known of it; its scores do not depend on it.
    """

    name: str
    restore: Restores
    settings: str
    parameters: int | None = None
    about: str = ""

    @property
    def described(self) -> str:
        """Its settings, and what else is to be known."""
        return "; ".join(filter(None, (self.settings, self.about)))


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that the values of a solver depend on, but for what it is given.

    Attributes
    ----------
    solver
        Checksum of the weights, or what was tuned, and steps.
    precision
        Of a machine's network, or of all.
    besides
        What else; begins with a comma.
    """

    solver: str
    precision: str
    besides: str = ""

    def __str__(self) -> str:
        """As files of results have it."""
        return f"{self.solver}, {self.precision}{self.besides}"


@dataclasses.dataclass(frozen=True)
class SolverMethod(Generic[Problems]):
    """What solves every problem of a kind: a machine, or a classical solver.

    Attributes
    ----------
    name
        In the table; the seeds of one way to train share it.
    solver
        From a problem to its solver.
    settings
        From a problem to all that its values depend on.
    parameters
        How many it has; None if it has none that are learned.
    seed
        Of its training, where there are several.
    """

    name: str
    solver: Callable[[Problems], Solver]
    settings: Callable[[Problems], Settings]
    parameters: int | None = None
    seed: int | None = None

    @property
    def learned(self) -> bool:
        """Whether it is a machine."""
        return self.parameters is not None

    @property
    def precision(self) -> Precision:
        """Of its network: the fastest here; of a classical solver float32."""
        return fastest_precision() if self.learned else "float32"

    @property
    def label(self) -> str:
        """Its name and the seed, as in the names of its files."""
        return self.name if self.seed is None else f"{self.name}-seed{self.seed}"


def network_precision() -> str:
    """What machines' networks run in here, in words."""
    return "network in bfloat16" if fastest_precision() == "bfloat16" else "float32"


def settings_lines(title: str, settings: Mapping[str, Settings]) -> list[str]:
    """Settings by the title of a problem: one line where all agree, else one for each."""
    texts = {problem: str(each) for problem, each in settings.items()}
    if len(set(texts.values())) > 1:
        return [f"{problem}: {text}" for problem, text in texts.items()]
    (text,) = set(texts.values())
    return [text if text.startswith(title) else f"{title}: {text}"]
