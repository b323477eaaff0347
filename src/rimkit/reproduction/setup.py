"""What every reproduction is given, and how it writes what it found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from rimkit import atomic
from rimkit.provenance import stamp


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where results go and what they are about.

    Attributes
    ----------
    output
        Folder of the results.
    scores
        Folder in which the scores of every method are kept, so that a run goes on where an earlier
        one ended.
    say
        Takes lines that tell how far it is.
    images
        Number of test images, the first ones; all if None.
    models
        Further models, as in `rimkit.load`.
    """

    output: Path
    scores: Path
    say: Callable[[str], None]
    images: int | None = None
    models: tuple[str, ...] = ()

    def write(self, name: str, text: str) -> str:
        """Write a text with where it comes from in its first line, and return it."""
        command = f"rimkit reproduce {Path(name).stem}"
        command += "".join(f" --add {Path(model).name}" for model in self.models)
        if self.images is not None:
            command += f" --images {self.images}"
        text = f"{command}: {stamp()}\n\n{text}"
        with atomic.replacing(self.output / name) as file:
            file.write(text.encode())
        return text
