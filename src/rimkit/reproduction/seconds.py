"""PSNR against seconds: a machine by step, other methods as points, in one run."""

from __future__ import annotations

import math
import statistics
import time

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from torch import Tensor

from rimkit import weights
from rimkit.evaluation.denoising import Condition, noisy
from rimkit.evaluation.images import CleanImage, load_test_images
from rimkit.metrics import psnr
from rimkit.pixels import LEVELS
from rimkit.precision import Precision, computing_in, worthwhile_precisions
from rimkit.problem import Denoising, Problem
from rimkit.reproduction.denoising_methods import installed, self_ensemble
from rimkit.reproduction.setup import Setup
from rimkit.rim import RIM
from rimkit.sheets import columns

_MODEL = "denoise-gray"
_CONDITION = Condition(25.0)
_IMAGES = 10
_STEPS = 12
_BELOW = 0.2  # dB below the first step of the machine, where the figure ends

Point = tuple[float, float]
"""Seconds per image, PSNR in dB."""


def seconds(setup: Setup) -> str:
    """Time every method on the same images, one after the other."""
    images = list(load_test_images(setup.images or _IMAGES))
    model = weights.load(_MODEL)
    lines = [["method", "step", "seconds an image", "PSNR in dB"]]
    figure = Figure(figsize=(6, 4.8), layout="constrained")
    axis = figure.subplots()
    lowest = math.inf
    for precision in worthwhile_precisions():
        path = _walks(model, images, precision)
        name = f"rimkit {_MODEL}, {precision}"
        lines += [
            [name, str(step), f"{s:.3f}", f"{db:.2f}"] for step, (s, db) in enumerate(path, start=1)
        ]
        axis.plot(*zip(*path, strict=True), "o-", markersize=4, alpha=0.8, label=name)
        lowest = min(lowest, path[0][1] - _BELOW)
        own_seconds, own_psnr = path[model.steps - 1]
        axis.plot(own_seconds, own_psnr, "o", color="black", markersize=7, fillstyle="none")
        setup.say(name)
    for method in (self_ensemble(_MODEL), *(installed(1) if setup.others else [])):
        spent, values = [], []
        method.restore(noisy(images[0], _CONDITION), _CONDITION)  # warms up
        for image in images:
            y = noisy(image, _CONDITION)
            began = time.perf_counter()
            x = method.restore(y, _CONDITION)
            spent.append(time.perf_counter() - began)
            values.append(psnr(x, image.x).item())
        point = statistics.mean(spent), statistics.mean(values)
        lines.append([method.name, "", f"{point[0]:.3f}", f"{point[1]:.2f}"])
        if point[1] < lowest:  # so that it does not squeeze all others into a corner
            axis.plot(point[0], lowest, "v", label=f"{method.name}: at {point[1]:.2f} dB, below")
        else:
            axis.plot(*point, "^", label=method.name)
        setup.say(method.name)
    axis.plot([], [], "o", color="black", fillstyle="none", label=f"its own steps, {model.steps}")
    axis.set(xscale="log", xlabel="seconds an image", ylabel="PSNR in dB")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_title(f"Noise of sigma {_CONDITION.sigma:g}, {len(images)} images", fontsize=10)
    axis.grid(color="0.9")
    figure.legend(fontsize=7, loc="outside lower center", ncols=2)
    setup.save(figure, "seconds.png")
    title = (
        f"The first {len(images)} grey test images at sigma {_CONDITION.sigma:g}, one image after\n"
        f"the other; the circle is the model's own number of steps, {model.steps}.\n\n"
    )
    return setup.write("seconds.txt", title + columns(lines) + "\n")


def _walks(model: RIM, images: list[CleanImage], precision: Precision) -> list[Point]:
    """After every step: mean seconds since the start, and mean PSNR."""
    problem = Denoising(_CONDITION.sigma / LEVELS)
    with torch.no_grad(), computing_in(precision):
        _walk(model, noisy(images[0], _CONDITION), problem)  # warms up
        paths = []
        for image in images:
            walk = _walk(model, noisy(image, _CONDITION), problem)
            paths.append([(s, psnr(x.float(), image.x).item()) for s, x in walk])
    return [
        (statistics.mean(s for s, _ in points), statistics.mean(db for _, db in points))
        for points in zip(*paths, strict=True)
    ]


def _walk(model: RIM, y: Tensor, problem: Problem) -> list[tuple[float, Tensor]]:
    began = time.perf_counter()
    run = model.iterate(y, problem, steps=_STEPS)
    return [(time.perf_counter() - began, iterate.x) for iterate in run]
