"""What can be reproduced; nothing heavy is imported before it is asked for."""

from __future__ import annotations

import dataclasses
import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rimkit.reproduction.setup import Setup

_IMAGES, _MODELS, _OTHERS = "images", "models", "others"
_OPTIONS = {_IMAGES: "--images", _MODELS: "--add", _OTHERS: "--only-ours"}
"""By what `Setup` calls them."""


class Entry(NamedTuple):
    """A table or figure.

    Attributes
    ----------
    title
        What it shows.
    module
        Of this folder, which has its function.
    takes
        What else than the place of the results can be set, as `Setup` calls it.
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
"""By name; the function of the module is called like it."""


def reproduce(name: str, setup: Setup) -> str:
    """Measure a table or figure, write it, and return the text of what was written.

    Raises
    ------
    KeyError
        If nothing has that name.
    ValueError
        If something is set that it does not take: its text would say that it did.
    """
    entry = REPRODUCTIONS[name]
    defaults = {field.name: field.default for field in dataclasses.fields(setup)}
    for field, option in _OPTIONS.items():
        if field not in entry.takes and getattr(setup, field) != defaults[field]:
            raise ValueError(f"rimkit reproduce {name} takes no {option}")
    module = importlib.import_module(f"rimkit.reproduction.{entry.module}")
    text: str = getattr(module, name.replace("-", "_"))(setup)
    return text
