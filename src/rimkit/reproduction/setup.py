"""The settings of every reproduction, and how it writes its results."""

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
    """Where results go and what they cover.

    Attributes
    ----------
    output
        Folder of the results. Scores of single images in it are not measured again.
    say
        Called with lines that report progress.
    images
        Number of test images, counted from the first; all if None.
    models
        Further models, as in `rimkit.load`.
    others
        Whether to run the denoisers of other packages, too, if they are installed.
    """

    output: Path
    say: Callable[[str], None]
    images: int | None = None
    models: tuple[str, ...] = ()
    others: bool = True

    def __post_init__(self) -> None:
        version()  # fixes the version now: the checkout may change while measuring

    def write(self, name: str, text: str) -> str:
        """Write a text with its provenance in the first line, and return it."""
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
    """Raise ``ValueError`` if two methods have the same name: their rows would be ambiguous."""
    given = list(names)
    if len(set(given)) < len(given):
        raise ValueError(f"every method has a name of its own, got {', '.join(given)}")
