"""Tables 1 and 2: denoising in colour and in grey."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from torch import Tensor

from rimkit.evaluation import published
from rimkit.evaluation.denoising import Condition, ImageScore, noisy, psnr_of
from rimkit.evaluation.images import CleanImage, load_test_images
from rimkit.evaluation.published import PublishedScore
from rimkit.evaluation.statistics import compare
from rimkit.evaluation.tables import SIGMAS, format_rows, measured_row, published_rows, write_rows
from rimkit.evaluation.timing import memory_of, seconds_of
from rimkit.reproduction.denoising_methods import as_learned, by_channel, installed, ours
from rimkit.reproduction.scores import DenoisingMethod, KeptScores
from rimkit.reproduction.setup import Setup, check_names
from rimkit.sheets import columns

_CONDITIONS = [Condition(sigma, quantised) for quantised in (False, True) for sigma in SIGMAS]
_TIMED = 3  # images
_FEW = 2  # steps, in about twice the time of FFDNet, which has about as many parameters


def table1(setup: Setup) -> str:
    """Colour denoising."""
    others = [as_learned("denoise-color", steps=_FEW), by_channel("denoise-gray")]
    return _table("table1", setup, channels=3, others=others, theirs=published.denoise_color())


def table2(setup: Setup) -> str:
    """Grey denoising."""
    others = [as_learned("denoise-gray", steps=_FEW)]
    return _table("table2", setup, channels=1, others=others, theirs=published.denoise_gray())


def _table(
    name: str,
    setup: Setup,
    *,
    channels: int,
    others: Sequence[DenoisingMethod],
    theirs: Sequence[PublishedScore],
) -> str:
    images = list(load_test_images(setup.images or 100, channels=channels))
    own = ours(channels, setup)
    methods = [*own, *others, *(installed(channels) if setup.others else [])]
    check_names(method.name for method in methods)
    kept = KeptScores(setup.output / f"{name}-images.csv", say=setup.say)
    scores: dict[str, list[ImageScore]] = {}
    rows = published_rows(theirs)
    for method in methods:
        conditions = [c for c in _CONDITIONS if c.quantised or not method.rounded_only]
        scores[method.name] = kept.of(method, images, conditions)
        calls = _calls(method, images[:_TIMED])
        rows.append(
            measured_row(
                method.name,
                scores[method.name],
                parameters=method.parameters,
                seconds=seconds_of(calls),
                memory=memory_of(calls[0]),
                settings=method.described,
            )
        )
    write_rows(rows, setup.output / f"{name}.csv")
    parts = [
        "Mean PSNR in dB over the first test images of BSDS300, which are 100; ± is the standard",
        "deviation of the mean (bootstrap over images). Columns are images: sigma; 8-bit: clipped",
        "and rounded before restoring. Rows without ± are copied. s/image: in this run, one",
        f"image after the other, the mean of the first {len(images[:_TIMED])} at sigma 25, 8-bit",
        "where a method knows of levels. Peak MB: of the first of them, above what the process",
        "holds.",
        *kept.about,
    ]
    for count in sorted({images for row in rows for images, _ in row.psnr}):
        there = [row for row in rows if any(images == count for images, _ in row.psnr)]
        parts += ["", format_rows(there, conditions=_CONDITIONS, images=[count], deviations=True)]
    if len(methods) > len(own):
        for first in own:
            parts += ["", _comparison(first, methods[len(own) :], scores)]
    parts += ["", *(f"{method.name}: {method.described}" for method in methods)]
    return setup.write(f"{name}.txt", "\n".join(parts) + "\n")


def _calls(method: DenoisingMethod, images: Sequence[CleanImage]) -> list[Callable[[], Tensor]]:
    condition = Condition(25.0, quantised=method.rounded_only or method.knows is True)
    ys = [noisy(image, condition) for image in images]
    return [functools.partial(method.restore, y, condition) for y in ys]


def _comparison(
    first: DenoisingMethod,
    others: Sequence[DenoisingMethod],
    scores: dict[str, list[ImageScore]],
) -> str:
    """Paired differences on all images, condition by condition.

    On rounded images, two of our methods are compared only if both or neither know of the rounding.
    """
    own = scores[first.name]
    conditions = list(dict.fromkeys(score.condition for score in own))
    lines = [
        [
            f"{first.name} against",
            *(f"{c.sigma:g}" + (" 8-bit" if c.quantised else "") for c in conditions),
        ]
    ]
    for other in others:
        differ = other.knows is not None and other.knows != first.knows
        cells = []
        for condition in conditions:
            if differ and condition.quantised:
                cells.append("")
                continue
            result = compare(psnr_of(own, condition), psnr_of(scores[other.name], condition))
            cells.append(f"{result.difference:+.2f}, {result.wins}/{result.images}")
        if any(cells):
            lines.append([other.name, *cells])
    return columns(lines)
