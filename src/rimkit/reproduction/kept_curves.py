"""Curves of Figure 2, measured once and kept next to the results."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rimkit import atomic
from rimkit.evaluation.images import CleanImage
from rimkit.evaluation.projections import PER_IMAGE, Panel, measure, psnr_by_step
from rimkit.provenance import version
from rimkit.reproduction.curves import Curve, Walks
from rimkit.reproduction.method import Settings
from rimkit.reproduction.walkers import Walker, steps_of

_PROTOCOL = f"; protocol 2, {PER_IMAGE} patches"  # changed when values would differ
_MIXED = "network in bfloat16 or float32"


class Curves:
    """Curves in a folder, one file of at most 1 MB per walker.

    Parameters
    ----------
    folder
        Need not exist.
    say
        Called with lines that report progress.
    """

    def __init__(self, folder: Path, *, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._here = version()

    def of(self, walker: Walker, panels: Sequence[Panel], images: Sequence[CleanImage]) -> Walks:
        """Return what a walker does on the first test images; kept curves are not run again.

        Raises
        ------
        ValueError
            If the file of this walker is damaged, or holds curves of another machine.
        """
        file = self._folder / f"{walker.label}.npz"
        kept = _read(file) if file.exists() else _Kept(walker.name, None, None, {}, {}, {})
        kept = dataclasses.replace(kept, parameters=walker.parameters, seed=walker.seed)
        for panel in panels:
            key, settings = panel.name, walker.settings(panel)
            there = kept.settings.get(key)
            # Complete curves are not run again on processors that compute in another precision.
            if there is None or there.solver != settings.solver:
                if there is not None and walker.learned:
                    raise ValueError(
                        f"{file} holds another machine of this name: give the new one a name of "
                        "its own, or move the file away"
                    )
                there = kept.settings[key] = settings
                kept.measured_by.pop(key, None)
                kept.values[key] = np.empty((2, 0, steps_of(walker, panel) + 1), np.float32)
            missing = len(images) - kept.images(key)
            if missing > 0 and there != settings:
                kept.settings[key] = dataclasses.replace(settings, precision=_MIXED)
            while kept.images(key) < len(images):
                values = _measure(walker, panel, images[kept.images(key)])
                kept.values[key] = np.concatenate([kept.values[key], values], axis=1)
                kept.sign(key, self._here)
                kept.write(file)
            if missing > 0:
                self._say(f"{walker.label}: {panel.title}")
        return kept.walks(panels, len(images))

    def besides(
        self, labels: Collection[str], panels: Sequence[Panel], images: Sequence[CleanImage]
    ) -> list[Walks]:
        """Return the kept curves of other walkers, by name: their weights need not be there.

        Walkers not measured on all of these panels and images are left out, with a message.

        Raises
        ------
        ValueError
            If a file is damaged.
        """
        found = []
        for file in sorted(self._folder.glob("*.npz")):
            if file.stem in labels:
                continue
            kept = _read(file)
            if all(kept.covers(panel, len(images)) for panel in panels):
                found.append(kept.walks(panels, len(images)))
            else:
                self._say(f"{file.stem} is left out: {file} does not hold all patches")
        return found


@dataclasses.dataclass(frozen=True)
class _Kept:
    """The content of a file, by panel name.

    Settings, the versions that measured the values, and the values: (2, images, steps + 1).
    """

    name: str
    parameters: int | None
    seed: int | None
    settings: dict[str, Settings]
    measured_by: dict[str, list[str]]
    values: dict[str, npt.NDArray[np.float32]]

    def images(self, key: str) -> int:
        return len(self.values[key][0])

    def sign(self, key: str, version: str) -> None:
        versions = self.measured_by.setdefault(key, [])
        if version not in versions:
            versions.append(version)

    def covers(self, panel: Panel, images: int) -> bool:
        return panel.name in self.settings and self.images(panel.name) >= images

    def walks(self, panels: Sequence[Panel], images: int) -> Walks:
        return Walks(
            self.name,
            self.parameters,
            self.seed,
            {panel: self.settings[panel.name] for panel in panels},
            [v for panel in panels for v in self.measured_by.get(panel.name, [])],
            {
                panel: Curve(*self.values[panel.name][:, :images].astype(np.float64))
                for panel in panels
            },
        )

    def write(self, file: Path) -> None:
        if file.exists():
            self._take_from(_read(file))
        about = {name: getattr(self, name) for name in _ABOUT}
        about["settings"] = {key: f"{each}{_PROTOCOL}" for key, each in self.settings.items()}
        with atomic.replacing(file) as stream:
            np.savez_compressed(stream, about=np.array(json.dumps(about)), **self.values)  # type: ignore[arg-type]

    def _take_from(self, other: _Kept) -> None:
        """Take what another process has written since: new panels, more images of known ones."""
        for key, settings in other.settings.items():
            own = self.settings.get(key)
            if own is None or (
                own.solver == settings.solver and other.images(key) > self.images(key)
            ):
                self.settings[key], self.values[key] = settings, other.values[key]
                self.measured_by[key] = other.measured_by[key]


_ABOUT = ("name", "parameters", "seed", "settings", "measured_by")
_UNKNOWN = "a version that was not kept"


def _read(file: Path) -> _Kept:
    try:
        with file.open("rb") as stream, np.load(stream) as stored:
            values = {key: stored[key] for key in stored.files if key != "about"}
            about = json.loads(str(stored["about"]))
            unknown = {key: [_UNKNOWN] for key in values}
            about["measured_by"] = unknown | about.get("measured_by", {})
            about["settings"] = {
                key: _settings(text.removesuffix(_PROTOCOL))
                for key, text in about["settings"].items()
                if text.endswith(_PROTOCOL)  # values of other protocols are ignored
            }
            values = {key: each for key, each in values.items() if key in about["settings"]}
            return _Kept(**{name: about[name] for name in _ABOUT}, values=values)
    except (ValueError, KeyError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} holds no curves of Figure 2: move it away ({error})") from error


def _measure(walker: Walker, panel: Panel, image: CleanImage) -> npt.NDArray[np.float32]:
    """Means of the values and of their squares over the patches of an image: (2, 1, steps + 1)."""
    measured = measure(image, panel)
    if not walker.learned:
        measured = measured.from_grey()
    steps = steps_of(walker, panel)
    values = psnr_by_step(walker.solver(panel), measured, steps=steps, precision=walker.precision)
    if not walker.learned:
        values[1:-1] = torch.nan  # hundreds of steps that are never used
    return np.stack([values.mean(1).numpy(), values.square().mean(1).numpy()])[:, None].astype("f4")


def _settings(text: str) -> Settings:
    """Read the text of `Settings` that have no ``besides``."""
    solver, _, precision = text.rpartition(", ")
    return Settings(solver, precision)
