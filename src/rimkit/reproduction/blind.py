"""How well sigma is estimated, and what it costs not to know it."""

from __future__ import annotations

import dataclasses
import statistics

from torch import Tensor

from rimkit import weights
from rimkit.estimation import estimate_sigma
from rimkit.evaluation.denoising import Condition, Restore, noisy, psnr_of, solver_restore
from rimkit.evaluation.images import ROTH_BLACK, load_test_images
from rimkit.evaluation.statistics import compare
from rimkit.pixels import LEVELS
from rimkit.reproduction.models import settings_of
from rimkit.reproduction.scores import DenoisingMethod, KeptScores
from rimkit.reproduction.setup import Setup
from rimkit.sheets import columns
from rimkit.trained import knows_levels

_MODELS = ("denoise-gray", "denoise-color")
_SIGMAS = (5.0, 10.0, 15.0, 25.0, 35.0, 50.0)
_ESTIMATOR = "sigma from fine frequencies, clipped noise among them"  # reword when values change
_CONDITIONS = [Condition(sigma, quantised) for quantised in (False, True) for sigma in _SIGMAS]


def blind(setup: Setup) -> str:
    """Compare restoration with estimated sigma to restoration with known sigma."""
    kept = KeptScores(setup.output / "blind-images.csv", say=setup.say)
    parts = [
        f"The first {setup.images or ROTH_BLACK} test images: the estimate of sigma (mean and",
        "standard deviation over images, in grey levels), and what a model loses or gains with it.",
    ]
    for name in _MODELS:
        parts += ["", f"{name}:", columns(_lines(name, kept, setup))]
    return setup.write("blind.txt", "\n".join(parts) + "\n")


def _lines(name: str, kept: KeptScores, setup: Setup) -> list[list[str]]:
    """A line for every condition."""
    model = weights.load(name)
    channels = model.config.network.channels
    images = list(load_test_images(setup.images or ROTH_BLACK, channels=channels))
    knows = knows_levels(model.training_record)
    restore = solver_restore(model, knows_levels=knows)
    settings = settings_of(name, model, knows_levels=knows)
    known = DenoisingMethod("sigma known", restore, f"{settings}, sigma known")
    estimated = DenoisingMethod(
        "sigma estimated", _estimating(restore), f"{settings}, {_ESTIMATOR}"
    )
    lines = [["sigma", "estimate", "spread", "bias", "PSNR known", "difference in dB"]]
    for condition in _CONDITIONS:
        levels = [float(estimate_sigma(noisy(image, condition))) * LEVELS for image in images]
        mean = statistics.mean(levels)
        spread = f"{statistics.stdev(levels):.2f}" if len(levels) > 1 else ""
        first, second = (
            psnr_of(kept.of(method, images, [condition]), condition)
            for method in (estimated, known)
        )
        gain = compare(first, second).difference
        lines.append(
            [
                f"{condition.sigma:g}" + (" 8-bit" if condition.quantised else ""),
                f"{mean:.2f}",
                spread,
                f"{mean / condition.sigma - 1:+.1%}",
                f"{statistics.mean(second):.2f}",
                f"{gain:+.3f}",
            ]
        )
    return lines


def _estimating(restore: Restore) -> Restore:
    def run(y: Tensor, condition: Condition) -> Tensor:
        level = float(estimate_sigma(y)) * LEVELS
        return restore(y, dataclasses.replace(condition, sigma=level))

    return run
