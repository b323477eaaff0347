"""What can be reproduced; nothing heavy is imported before it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rimkit.reproduction.setup import Setup


class Entry(NamedTuple):
    """A table or figure: what it shows, and the module of this folder that has its function."""

    title: str
    module: str


REPRODUCTIONS = {
    "blind": Entry("sigma estimated against sigma known", "blind"),
    "figure2": Entry("random projections, step by step", "figure2"),
    "figure3": Entry("an image at sigma 50, quantised", "figure3"),
    "figure4": Entry("an image made three times smaller, and larger again", "figure4"),
    "inpainting": Entry("missing pixels, filled in", "inpainting"),
    "receptive-field": Entry("how far a machine sees, by step", "receptive_field"),
    "rest": Entry("whether a denoiser stays where it came to rest", "rest"),
    "seconds": Entry("PSNR against seconds, by step and by method", "seconds"),
    "table1": Entry("colour denoising", "denoising"),
    "table2": Entry("grey denoising", "denoising"),
    "table3": Entry("super-resolution", "super_resolution"),
    "transfer": Entry("a machine for random projections on what it never saw", "transfer"),
}
"""By name; the function of the module is called like it."""


def reproduce(name: str, setup: Setup) -> str:
    """Measure a table or figure, write it, and return the text of what was written.

    Raises
    ------
    KeyError
        If nothing has that name.
    """
    module = importlib.import_module(f"rimkit.reproduction.{REPRODUCTIONS[name].module}")
    text: str = getattr(module, name.replace("-", "_"))(setup)
    return text
