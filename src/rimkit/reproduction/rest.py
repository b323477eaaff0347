"""Does a machine stay where it came to rest? PSNR by step, up to ten times its own steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from matplotlib.figure import Figure

from rimkit import weights
from rimkit.data.splits import held_out_paths
from rimkit.evaluation.denoising import Condition, noisy
from rimkit.evaluation.images import CleanImage, load_image
from rimkit.evaluation.projections import Measured, psnr_by_step
from rimkit.evaluation.tables import SIGMAS
from rimkit.pixels import LEVELS
from rimkit.problem import Denoising
from rimkit.reproduction.setup import Setup, check_names
from rimkit.rim import RIM
from rimkit.sheets import columns
from rimkit.tasks import DenoisingTask
from rimkit.trained import check_trained_for

_MODELS = ("denoise-gray", "denoise-color")
_TIMES = 10


def rest(setup: Setup) -> str:
    """Run denoisers far beyond their own steps on held-out training images.

    Raises
    ------
    ValueError
        If a model was trained for a task other than denoising, or two have the same name.
    """
    names = [*_MODELS, *setup.models]
    check_names(names)
    models = [weights.load(name) for name in names]
    for name, model in zip(names, models, strict=True):
        check_trained_for(DenoisingTask, model.training_record, model=name)
    paths = held_out_paths()
    lines = [["model", "sigma", "own steps", "best step", f"{_TIMES} times", "below the best"]]
    figure = Figure(figsize=(4 * len(names), 3.4), layout="constrained")
    axes = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axis, name, model in zip(axes, names, models, strict=True):
        channels = model.config.network.channels
        images = [load_image(path, channels=channels) for path in paths[: setup.images]]
        for sigma in SIGMAS:
            by_step = _psnr_by_step(model, images, Condition(sigma))
            best = max((value for value in by_step if not math.isnan(value)), default=math.nan)
            step = by_step.index(best) + 1 if best in by_step else len(by_step)
            own, last = by_step[model.steps - 1], by_step[-1]
            lines.append(
                [
                    name,
                    f"{sigma:g}",
                    f"{own:.3f} ({model.steps})",
                    f"{best:.3f} ({step})",
                    f"{last:.3f} ({len(by_step)})",
                    f"{best - last:.3f}",
                ]
            )
            values = [value - best for value in by_step]
            axis.plot(range(1, len(values) + 1), values, label=f"sigma {sigma:g}")
            setup.say(f"{name}, sigma {sigma:g}")
        axis.axvline(model.steps, linestyle=":", color="grey", linewidth=1)
        axis.set(
            title=name, xlabel=f"step (dotted: {model.steps})", xscale="log", ylim=(-0.3, 0.02)
        )
    axes[0].set_ylabel("PSNR below that of the best step, in dB")
    axes[0].legend(fontsize=7)
    setup.save(figure, "rest.png")
    title = (
        f"Mean PSNR in dB of {len(paths[: setup.images])} held-out training images, in brackets\n"
        f"after which step: a model's own number, the best, {_TIMES} times its own. In float32.\n"
        "nan: it has diverged by then.\n\n"
    )
    return setup.write("rest.txt", title + columns(lines) + "\n")


def _psnr_by_step(model: RIM, images: Sequence[CleanImage], condition: Condition) -> list[float]:
    """Mean PSNR over images after every step; NaN once one has diverged."""
    problem = Denoising(condition.sigma / LEVELS)
    measured = [Measured(image.x, problem, noisy(image, condition)) for image in images]
    walks = [psnr_by_step(model, each, steps=_TIMES * model.steps)[1:, 0] for each in measured]
    return [float(value) for value in torch.stack(walks).mean(0)]
