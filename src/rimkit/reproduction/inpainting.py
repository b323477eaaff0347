"""Inpainting of colour images, by machines and by methods that learn nothing."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from rimkit.evaluation.images import ROTH_BLACK, CleanImage, load_test_images
from rimkit.evaluation.inpainting import DENSITY, HOLES, STROKES, WIDTH, Holes, score
from rimkit.evaluation.quality import Metric, Qualities, Quality, csv_cells
from rimkit.evaluation.statistics import compare
from rimkit.evaluation.tables import difference_cell
from rimkit.evaluation.timing import seconds_of
from rimkit.reproduction.inpainting_cuts import ROWS, draw, example
from rimkit.reproduction.inpainting_methods import (
    BIHARMONIC,
    InpaintingMethod,
    biharmonic,
    first_guess,
    machines,
    projections,
    total_variation,
)
from rimkit.reproduction.kept import Kept
from rimkit.reproduction.setup import Setup, check_names
from rimkit.sheets import columns, write_csv

_PROTOCOL = 1
_VALUES = ("psnr_db", "ssim")


_ByHoles = Mapping[str, Qualities]
"""Scores of one method, by holes."""


def inpainting(setup: Setup) -> str:
    """Fill the same holes with every method; write a table and cut-outs.

    Raises
    ------
    ValueError
        If there is no machine, one is for another task, or two methods have the same name.
    """
    ours = machines(setup)
    equations = biharmonic() if setup.others else None
    simple = [first_guess(), total_variation(), *([equations] if equations else [])]
    methods = [*simple, *projections(), *ours]
    check_names(method.name for method in methods)
    images = list(load_test_images(setup.images or ROTH_BLACK, channels=3))
    file = setup.output / "inpainting-images.csv"
    kept = Kept(file, place=("holes", "image"), values=_VALUES, protocol=_PROTOCOL)
    scores = {method.name: _scored(method, images, kept, setup) for method in methods}
    seconds = {method.name: _seconds(method, images[0]) for method in methods}
    _write(methods, scores, seconds, setup.output / "inpainting.csv")
    shown = example(images)
    setup.save(draw(shown, [*simple, ours[0]]), "inpainting.png")
    absent = [BIHARMONIC] if setup.others and equations is None else []
    parts = [*_about(images, methods), *kept.about, ""]
    for metric in Metric:
        parts += [columns(_means(metric, methods, absent, scores, seconds)), ""]
    for machine in ours:
        others = [name for name in scores if name != machine.name]
        parts += [columns(_against(machine.name, others, scores)), ""]
    parts += [
        "In brackets: between them lie 95 % of the resampled means. Then: images won.",
        "",
        f"inpainting.png: image {shown.name}, {' and '.join(holes.title for holes in ROWS)}.",
        "",
        *(f"{method.name}: {method.described}" for method in methods),
        *(f"{name}: not measured, for scikit-image is not installed" for name in absent),
    ]
    return setup.write("inpainting.txt", "\n".join(parts) + "\n")


def _about(images: Sequence[CleanImage], methods: Sequence[InpaintingMethod]) -> list[str]:
    """Describe what was measured."""
    shares = [STROKES.measure(image).share for image in images]
    lines = [
        f"The first {len(images)} test images of BSDS300 in colour; pixels are missing in all",
        "channels alike: scattered ones, or what strokes cover. Without noise what is seen is the",
        "8-bit image, and stays as it is; noise, of sigma 10 of 255, is to be taken away. PSNR and",
        "SSIM of estimates of 8 bits, over all pixels and channels. ± is the standard deviation of",
        "the mean (bootstrap over images). s/image: in this run, of the first one, the mean over",
        "the four columns.",
        f"Strokes: {DENSITY:g} for a thousand pixels, {WIDTH[0]:g} to {WIDTH[1]:g} pixels wide; "
        f"they cover {statistics.mean(shares):.1%} of an",
        f"image in the mean, {min(shares):.1%} to {max(shares):.1%}.",
    ]
    for method in methods:
        if _count(method, images) < len(images):
            lines.append(f"{method.name}, which is slow, has the first {method.images} alone.")
    return lines


def _count(method: InpaintingMethod, images: Sequence[CleanImage]) -> int:
    """Number of images that a method is given."""
    return len(images[: method.images])


def _scored(
    method: InpaintingMethod, images: Sequence[CleanImage], kept: Kept, setup: Setup
) -> _ByHoles:
    """Score a method; kept scores are not measured again."""
    scores: dict[str, dict[str, Quality]] = {}
    kept.rename(method.name, method.settings)
    for holes in HOLES:
        scores[holes.name] = {}
        for image in images[: method.images]:
            place = {"holes": holes.name, "image": image.name}
            measure = functools.partial(_measured, method, holes, image)
            line = kept.score(method.name, method.settings, place, measure)
            scores[holes.name][image.name] = Quality(*(float(line[name]) for name in _VALUES))
        setup.say(f"{method.name}: {holes.title}")
    return scores


def _measured(method: InpaintingMethod, holes: Holes, image: CleanImage) -> dict[str, str]:
    seen = holes.measure(image)
    psnr, ssim = score(method.restore(seen), seen)
    return {"psnr_db": f"{psnr:.4f}", "ssim": f"{ssim:.5f}"}


def _seconds(method: InpaintingMethod, image: CleanImage) -> dict[str, float]:
    """Seconds per image, by holes."""
    return {
        holes.name: seconds_of([functools.partial(method.restore, holes.measure(image))])
        for holes in HOLES
    }


def _means(
    metric: Metric,
    methods: Sequence[InpaintingMethod],
    absent: Sequence[str],
    scores: Mapping[str, _ByHoles],
    seconds: Mapping[str, Mapping[str, float]],
) -> list[list[str]]:
    most = max(len(of[HOLES[0].name]) for of in scores.values())
    lines = [[metric.title, "parameters", *(holes.title for holes in HOLES), "s/image"]]
    for method in methods:
        own = scores[method.name]
        count = len(own[HOLES[0].name])
        name = method.name + (f" (first {count})" if count < most else "")
        size = "" if method.parameters is None else f"{method.parameters:,}"
        cells = [metric.text(metric.mean(own[holes.name])) for holes in HOLES]
        spent = statistics.mean(seconds[method.name].values())
        lines.append([name, size, *cells, f"{spent:.2f}"])
    return lines + [[name, "", *("not installed" for _ in HOLES), ""] for name in absent]


def _against(name: str, others: Sequence[str], scores: Mapping[str, _ByHoles]) -> list[list[str]]:
    """Paired differences on the images that both were given."""
    psnr = Metric.PSNR
    lines = [[f"{name} against, in {psnr.unit}", *(holes.title for holes in HOLES)]]
    for other in others:
        cells = [other]
        for holes in HOLES:
            ours, theirs = (scores[which][holes.name] for which in (name, other))
            shared = [ours[image] for image in theirs]
            cells.append(difference_cell(compare(psnr.of(shared), psnr.of(theirs.values()))))
        lines.append(cells)
    return lines


def _write(
    methods: Sequence[InpaintingMethod],
    scores: Mapping[str, _ByHoles],
    seconds: Mapping[str, Mapping[str, float]],
    path: Path,
) -> None:
    lines: list[dict[str, object]] = [
        {
            "method": method.name,
            "parameters": method.parameters,
            "holes": name,
            "images": len(each),
            **csv_cells(each),
            "seconds_per_image": f"{seconds[method.name][name]:.4f}",
            "settings": method.described,
        }
        for method in methods
        for name, each in scores[method.name].items()
    ]
    write_csv(lines, path)
