"""What every reproduction is given, and how it writes what it found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rimkit import atomic
from rimkit.provenance import stamp, version

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 120


@dataclasses.dataclass(frozen=True)
class Setup:
    """Where results go and what they are about.

    Attributes
    ----------
    output
        Folder of the results. Scores of single images that are there are not measured again.
    say
        Takes lines that tell how far it is.
    images
        Number of test images, the first ones; all if None.
    models
        Further models, as in `rimkit.load`.
    others
        Whether denoisers of other packages are run, too, where they are installed.
    """

    output: Path
    say: Callable[[str], None]
    images: int | None = None
    models: tuple[str, ...] = ()
    others: bool = True

    def __post_init__(self) -> None:
        version()  # of the code that measures

    def write(self, name: str, text: str) -> str:
        """Write a text with where it comes from in its first line, and return it."""
        command = f"rimkit reproduce {Path(name).stem}"
        command += "".join(f" --add {Path(model).name}" for model in self.models)
        command += "" if self.others else " --only-ours"
        if self.images is not None:
            command += f" --images {self.images}"
        text = f"{command}: {stamp()}\n\n{text}"
        with atomic.replacing(self.output / name) as file:
            file.write(text.encode())
        return text

    def save(self, figure: Figure, name: str) -> None:
        """Write a figure as PNG."""
        with atomic.replacing(self.output / name) as file:
            figure.savefig(file, format="png", dpi=_DPI, bbox_inches="tight")
        self.say(f"{self.output / name}")


def check_names(names: Iterable[str]) -> None:
    """Raise ``ValueError`` if two methods have one name: their rows could not be told apart."""
    given = list(names)
    if len(set(given)) < len(given):
        raise ValueError(f"every method has a name of its own, got {', '.join(given)}")
