"""What can be reproduced; heavy imports happen only on request."""

from __future__ import annotations

import dataclasses
import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rimkit.reproduction.setup import Setup

_IMAGES, _MODELS, _OTHERS = "images", "models", "others"
_OPTIONS = {_IMAGES: "--images", _MODELS: "--add", _OTHERS: "--only-ours"}
"""Command-line options by their names in `Setup`."""


class Entry(NamedTuple):
    """A table or figure.

    Attributes
    ----------
    title
        What it shows.
    module
        Module of this folder that has its function.
    takes
        Further settings that it takes besides the folder of the results, by their names in `Setup`.
    """

    title: str
    module: str
    takes: tuple[str, ...] = ()


REPRODUCTIONS = {
    "blind": Entry("sigma estimated against sigma known", "blind", (_IMAGES,)),
    "figure2": Entry("random projections, step by step", "figure2", (_IMAGES, _MODELS)),
    "figure3": Entry("an image at sigma 50, quantised", "figure3", (_MODELS, _OTHERS)),
    "figure4": Entry(
        "an image made three times smaller, and larger again", "figure4", (_IMAGES, _MODELS)
    ),
    "inpainting": Entry("missing pixels, filled in", "inpainting", tuple(_OPTIONS)),
    "receptive-field": Entry("how far a machine sees, by step", "receptive_field"),
    "rest": Entry("whether a denoiser stays where it came to rest", "rest", (_IMAGES, _MODELS)),
    "seconds": Entry("PSNR against seconds, by step and by method", "seconds", (_IMAGES, _OTHERS)),
    "table1": Entry("colour denoising", "denoising", tuple(_OPTIONS)),
    "table2": Entry("grey denoising", "denoising", tuple(_OPTIONS)),
    "table3": Entry("super-resolution", "super_resolution", (_IMAGES, _MODELS)),
    "transfer": Entry(
        "a machine for random projections on whole images", "transfer", (_IMAGES, _MODELS)
    ),
}
"""By name, which is also the name of the module's function."""


def reproduce(name: str, setup: Setup) -> str:
    """Measure a table or figure, write it, and return the written text.

    Raises
    ------
    KeyError
        If nothing has that name.
    ValueError
        If something is set that it does not take: its text would claim that it did.
    """
    entry = REPRODUCTIONS[name]
    defaults = {field.name: field.default for field in dataclasses.fields(setup)}
    for field, option in _OPTIONS.items():
        if field not in entry.takes and getattr(setup, field) != defaults[field]:
            raise ValueError(f"rimkit reproduce {name} takes no {option}")
    module = importlib.import_module(f"rimkit.reproduction.{entry.module}")
    text: str = getattr(module, name.replace("-", "_"))(setup)
    return text
