"""Scores of denoisers, image by image: measured once, and kept in a file of results."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from rimkit import weights
from rimkit.evaluation.protocols import (
    CleanImage,
    Condition,
    ImageScore,
    Restore,
    score_denoising,
)
from rimkit.evaluation.tables import read_csv, write_csv
from rimkit.provenance import version
from rimkit.rim import RIM

KNOWS = ", knows of levels"
"""Ends the settings of a model whose likelihood is that of rounded values where y is rounded."""


@dataclasses.dataclass(frozen=True)
class Method:
    """A denoiser in a table.

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
    rounded_only
        Whether it differs from another method, or was trained, for rounded images alone.
    """

    name: str
    restore: Restore
    settings: str
    parameters: int | None = None
    about: str = ""
    rounded_only: bool = False

    @property
    def described(self) -> str:
        """Its settings, and what else is to be known."""
        return "; ".join(filter(None, (self.settings, self.about)))


_COLUMNS = ("method", "image", "sigma", "quantised", "psnr_db", "ssim", "settings")


class Scores:
    """The scores in a file; a score of the same settings, image and condition is measured once.

    Parameters
    ----------
    file
        CSV, a line for every score; need not exist.
    say
        Takes lines that tell how far it is.
    """

    def __init__(self, file: Path, *, say: Callable[[str], None]) -> None:
        self._file = file
        self._say = say
        self._lines: dict[tuple[str, str, Condition], dict[str, str]] = {}
        for line in read_csv(file, _COLUMNS):
            score = _score(line)
            self._lines[line["settings"], score.image, score.condition] = line

    def of(
        self, method: Method, images: Sequence[CleanImage], conditions: Sequence[Condition]
    ) -> list[ImageScore]:
        """Score a method on every image under every condition, in that order."""
        self._rename(method)
        for number, image in enumerate(images, start=1):
            keys = {c: (method.settings, image.name, c) for c in conditions}
            missing = [condition for condition, key in keys.items() if key not in self._lines]
            if missing:
                for score in score_denoising([image], missing, method.restore):
                    self._lines[keys[score.condition]] = _line(method, score)
                write_csv(list(self._lines.values()), self._file)
                self._say(f"{method.name}: {number} of {len(images)}")
        return [
            _score(self._lines[method.settings, image.name, condition])
            for image in images
            for condition in conditions
        ]

    def _rename(self, method: Method) -> None:
        """Weights get another name when they come into the package; their scores stay."""
        own = [line for line in self._lines.values() if line["settings"] == method.settings]
        if any(line["method"] != method.name for line in own):
            for line in own:
                line["method"] = method.name
            write_csv(list(self._lines.values()), self._file)


def settings_of(name: str | os.PathLike[str], model: RIM, *, knows_levels: bool = False) -> str:
    """All that the scores of a model of this name, or at this path, depend on."""
    return (
        f"weights {weights.sha256(name)[:16]}, {model.steps} steps, float32"
        f"{KNOWS if knows_levels else ''}"
    )


def _line(method: Method, score: ImageScore) -> dict[str, str]:
    return {
        "method": method.name,
        "image": score.image,
        "sigma": f"{score.sigma:g}",
        "quantised": "yes" if score.quantised else "no",
        "psnr_db": f"{score.psnr:.4f}",
        "ssim": f"{score.ssim:.5f}",
        "settings": method.settings,
        "measured_by": version(),
    }


def _score(line: dict[str, str]) -> ImageScore:
    return ImageScore(
        line["image"],
        float(line["sigma"]),
        line["quantised"] == "yes",
        *(float(line[name]) for name in ("psnr_db", "ssim")),
    )
