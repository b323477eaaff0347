"""What is measured in a table: a method, and all that its scores depend on."""

from __future__ import annotations

import dataclasses
from typing import Generic, TypeVar

Restores = TypeVar("Restores")
"""A function from what is given to what is made of it."""


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
