"""The methods measured in a table, and all that their scores depend on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from rimkit.precision import Precision, fastest_precision
from rimkit.solver import Solver

Restores = TypeVar("Restores")
"""A function from the input to the estimate."""

Problems = TypeVar("Problems")
"""A kind of problem, each instance of which has its own solver."""


@dataclasses.dataclass(frozen=True)
class Method(Generic[Restores]):
    """A restoration method in a table.

    Attributes
    ----------
    name
        Name in the table.
    restore
        The function that restores.
    settings
        All that its scores depend on: checksum of the weights, steps, likelihood, version.
    parameters
        Number of learned parameters; None if it has none.
    about
        Further information, on which its scores do not depend.
    """

    name: str
    restore: Restores
    settings: str
    parameters: int | None = None
    about: str = ""

    @property
    def described(self) -> str:
        """Its settings and further information."""
        return "; ".join(filter(None, (self.settings, self.about)))


@dataclasses.dataclass(frozen=True)
class Settings:
    """All that the values of a solver depend on, except its input.

    Attributes
    ----------
    solver
        Checksum of the weights, or what was tuned, and steps.
    precision
        Of a machine's network, or of the whole solver.
    besides
        Anything else; begins with a comma.
    """

    solver: str
    precision: str
    besides: str = ""

    def __str__(self) -> str:
        """Text, as in files of results."""
        return f"{self.solver}, {self.precision}{self.besides}"


@dataclasses.dataclass(frozen=True)
class SolverMethod(Generic[Problems]):
    """A method that solves every problem of a kind: a machine, or a classical solver.

    Attributes
    ----------
    name
        Name in the table; the seeds of one variant share it.
    solver
        Maps a problem to its solver.
    settings
        Maps a problem to all that its values depend on.
    parameters
        Number of learned parameters; None if it has none.
    seed
        Seed of its training, if there are several.
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
        """Precision of its network: the fastest here; float32 for a classical solver."""
        return fastest_precision() if self.learned else "float32"

    @property
    def label(self) -> str:
        """Its name and seed, as in the names of its files."""
        return self.name if self.seed is None else f"{self.name}-seed{self.seed}"


def network_precision() -> str:
    """The precision of machines' networks here, in words."""
    return "network in bfloat16" if fastest_precision() == "bfloat16" else "float32"


def settings_lines(title: str, settings: Mapping[str, Settings]) -> list[str]:
    """Settings by problem title: one line if all agree, else one for each."""
    texts = {problem: str(each) for problem, each in settings.items()}
    if len(set(texts.values())) > 1:
        return [f"{problem}: {text}" for problem, text in texts.items()]
    (text,) = set(texts.values())
    return [text if text.startswith(title) else f"{title}: {text}"]
