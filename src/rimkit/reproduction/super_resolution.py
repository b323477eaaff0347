"""Table 3: super-resolution."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from rimkit.evaluation import published
from rimkit.evaluation.quality import Metric, Qualities, Quality, csv_cells
from rimkit.evaluation.statistics import compare
from rimkit.evaluation.super_resolution import Pair, load_pairs, score_luma
from rimkit.evaluation.tables import difference_cell
from rimkit.evaluation.timing import seconds_of
from rimkit.reproduction.kept import Kept
from rimkit.reproduction.setup import Setup, check_names
from rimkit.reproduction.super_resolution_methods import (
    BETWEEN,
    BICUBIC,
    SCALES,
    UpscalingMethod,
    interpolation,
    machines,
    total_variation,
)
from rimkit.sheets import columns, write_csv

_PROTOCOL = 1
_TIMED = 3  # images
_LOSS = 0.1  # dB that a scale in between may lose to the worse of its neighbours


_ByScale = Mapping[float, Qualities]
"""Scores of one method, by scale."""


def table3(setup: Setup) -> str:
    """Score all methods at all scales, next to the published scores.

    Raises
    ------
    ValueError
        If two methods have the same name, or a model was trained for another task.
    """
    methods = [interpolation(), *machines(setup), total_variation()]
    check_names(method.name for method in methods)
    file = setup.output / "table3-images.csv"
    kept = Kept(file, place=("image", "scale"), values=("psnr", "ssim"), protocol=_PROTOCOL)
    scores = {method.name: _scored(method, kept, setup) for method in methods}
    seconds = {method.name: _seconds(method) for method in methods}
    _write(methods, scores, seconds, setup.output / "table3.csv")
    learned = [method.name for method in methods if method.parameters is not None]
    count = len(scores[BICUBIC][SCALES[0]])
    parts = [
        f"The first {count} test images of BSDS300 made smaller by MATLAB's imresize; PSNR in dB",
        "and SSIM of luma, the scale's number of pixels shaved from every border. ± is the",
        "standard deviation of the mean (bootstrap). s/image: in this run, one image after the",
        f"other, the mean of the first {_TIMED} at the three scales.",
        *kept.about,
        "",
        _means(Metric.PSNR, methods, scores, seconds),
        "",
        _means(Metric.SSIM, methods, scores, seconds),
        "",
        *_protocol(scores[BICUBIC]),
    ]
    for name in learned:
        parts += ["", *_image_by_image(name, scores)]
        if scores[name].keys() >= BETWEEN.keys():
            parts += ["", *_between(name, scores)]
    parts += ["", *(f"{method.name}: {method.described}" for method in methods)]
    return setup.write("table3.txt", "\n".join(parts) + "\n")


def _scored(method: UpscalingMethod, kept: Kept, setup: Setup) -> _ByScale:
    """Score a method; kept scores are not measured again."""
    kept.rename(method.name, method.settings)
    scores: dict[float, Qualities] = {}
    for scale in method.scales:
        pairs = load_pairs(scale, setup.images or 100)
        scores[scale] = {pair.image: _score(method, pair, kept) for pair in pairs}
        setup.say(f"{method.name}: x{scale:g}")
    return scores


def _score(method: UpscalingMethod, pair: Pair, kept: Kept) -> Quality:
    def measure() -> dict[str, str]:
        psnr, ssim = score_luma(method.restore(pair), pair)
        return {"psnr": str(psnr), "ssim": str(ssim)}

    place = {"image": pair.image, "scale": str(pair.scale)}
    line = kept.score(method.name, method.settings, place, measure)
    return Quality(float(line["psnr"]), float(line["ssim"]))


def _seconds(method: UpscalingMethod) -> dict[float, float]:
    """Seconds per image, by scale."""
    return {
        scale: seconds_of([functools.partial(method.restore, p) for p in load_pairs(scale, _TIMED)])
        for scale in method.scales
    }


def _means(
    metric: Metric,
    methods: Sequence[UpscalingMethod],
    scores: Mapping[str, _ByScale],
    seconds: Mapping[str, Mapping[float, float]],
) -> str:
    lines = [[metric.title, "parameters", *(f"x{scale:g}" for scale in SCALES), "s/image"]]
    rows: dict[str, list[str]] = {}
    for theirs in published.super_resolution():
        size = f"{theirs.parameters:,}" if theirs.parameters else ""
        cells = rows.setdefault(theirs.method, [f"{theirs.method}, published", size])
        cells.append(metric.text(theirs.psnr if metric is Metric.PSNR else theirs.ssim))
    lines += [[*cells, ""] for cells in rows.values()]
    for method in methods:
        size = "" if method.parameters is None else f"{method.parameters:,}"
        cells = [metric.text(metric.mean(scores[method.name][scale])) for scale in SCALES]
        spent = statistics.mean(seconds[method.name][scale] for scale in SCALES)
        lines.append([method.name, size, *cells, f"{spent:.2f}"])
    return columns(lines)


def _protocol(scores: _ByScale) -> list[str]:
    """Largest difference between the bicubic row and the published one."""
    theirs = published.super_resolution_images()
    pairs = [
        (ours, theirs["Bicubic", scale, image])
        for scale in SCALES
        for image, ours in scores[scale].items()
    ]
    decibels, ssim = (max(abs(ours[i] - other[i]) for ours, other in pairs) for i in (0, 1))
    return [
        f"The bicubic row is the test of the protocol: image by image ({len(pairs)} of them) it is",
        f"at most {decibels:.5f} dB and {ssim:.6f} SSIM from the published one.",
    ]


def _image_by_image(name: str, scores: Mapping[str, _ByScale]) -> list[str]:
    """Paired differences: mean, bounds of 95 % of the resampled means, wins."""
    theirs = published.super_resolution_images()
    parts = []
    for metric in Metric:
        lines = [[f"{name} against, in {metric.unit}", *(f"x{scale:g}" for scale in SCALES)]]
        for other in published.IMAGE_BY_IMAGE:
            cells = [other]
            for scale in SCALES:
                ours = scores[name][scale]
                paired = [theirs[other, scale, image] for image in ours]
                result = compare(metric.of(ours.values()), metric.of(paired))
                cells.append(difference_cell(result, digits=metric.digits))
            lines.append(cells)
        parts += [columns(lines), ""]
    return [*parts, "In brackets: between them lie 95 % of the resampled means. Then: images won."]


def _between(name: str, scores: Mapping[str, _ByScale]) -> list[str]:
    """The gain over bicubic at scales that were not trained, next to that of their neighbours."""
    gains = {
        scale: compare(
            *(Metric.PSNR.of(scores[which][scale].values()) for which in (name, BICUBIC))
        ).difference
        for scale in sorted((*SCALES, *BETWEEN))
    }
    asked = {
        scale: min(gains[side].value for side in sides) - _LOSS for scale, sides in BETWEEN.items()
    }
    lines = [
        ["gain over bicubic in dB", *(f"x{scale:g}" for scale in gains)],
        [name, *(f"{gain:+.2f}" for gain in gains.values())],
        ["at least", *(f"{asked[scale]:+.2f}" if scale in asked else "" for scale in gains)],
    ]
    return [columns(lines)]


def _write(
    methods: Sequence[UpscalingMethod],
    scores: Mapping[str, _ByScale],
    seconds: Mapping[str, Mapping[float, float]],
    path: Path,
) -> None:
    lines: list[dict[str, object]] = [
        {
            "method": theirs.method,
            "parameters": theirs.parameters,
            "scale": theirs.scale,
            "psnr_db": theirs.psnr.value,
            "psnr_deviation": _known(theirs.psnr.deviation),
            "ssim": theirs.ssim.value,
            "ssim_deviation": _known(theirs.ssim.deviation),
            "seconds_per_image": None,
            "source": theirs.source,
        }
        for theirs in published.super_resolution()
    ]
    lines += [
        {
            "method": method.name,
            "parameters": method.parameters,
            "scale": scale,
            **csv_cells(each),
            "seconds_per_image": f"{seconds[method.name][scale]:.4f}",
            "source": f"measured here, {len(each)} images; {method.described}",
        }
        for method in methods
        for scale, each in scores[method.name].items()
    ]
    write_csv(lines, path)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
