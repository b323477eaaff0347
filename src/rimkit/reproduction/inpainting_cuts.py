"""Cut-outs of an image whose missing pixels were filled in."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import Tensor

from rimkit import plot
from rimkit.evaluation.images import CleanImage
from rimkit.evaluation.inpainting import FOUR_FIFTHS, STROKES, Holes
from rimkit.metrics import psnr
from rimkit.operators.filling import fill
from rimkit.pixels import to_unit
from rimkit.reproduction.figure4 import detail
from rimkit.reproduction.inpainting_methods import InpaintingMethod

ROWS = (STROKES, FOUR_FIFTHS)
"""The holes that are shown."""

_EXAMPLE = "102061"
_GREY = 0.5  # of missing pixels


def example(images: Sequence[CleanImage]) -> CleanImage:
    """The image shown: always the same one, or the first if that one is missing."""
    return next((image for image in images if image.name == _EXAMPLE), images[0])


def draw(image: CleanImage, methods: Sequence[InpaintingMethod]) -> Figure:
    """Draw a row for strokes and for four fifths: what is seen, every method's estimate, truth.

    Titles give the PSNR of the whole image. The detail is where the first guess of the last row is
    furthest from the truth.
    """
    seen = ROWS[-1].measure(image)
    window = detail(fill(seen.y, seen.mask), image.x)
    with mpl.rc_context({"font.size": 9}):
        shape = (len(ROWS), len(methods) + 2)
        figure = Figure(figsize=(2.1 * shape[1], 2.6 * shape[0]), layout="constrained")
        axes = figure.subplots(*shape, squeeze=False)
        for row, holes in zip(axes, ROWS, strict=True):
            pictures = _row(holes, image, methods)
            cuts = {title: x[..., *window] for title, x in pictures.items()}
            plot.compare(cuts, axes=list(row))
    return figure


def _row(holes: Holes, image: CleanImage, methods: Sequence[InpaintingMethod]) -> dict[str, Tensor]:
    """Titles and pictures (1, 3, H, W)."""
    seen = holes.measure(image)
    pictures = {f"{holes.title}\nwhat is seen": torch.where(seen.mask > 0, seen.y, _GREY)}
    for method in methods:
        x = to_unit(method.restore(seen))[None]
        name = method.name.partition(" (")[0]
        pictures[f"{name}\n{psnr(x, image.x).item():.2f} dB"] = x
    pictures["truth\n"] = image.x
    return pictures
