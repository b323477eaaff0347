"""``rimkit bench``."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from rimkit import atomic
from rimkit.allocation import keep_large_blocks
from rimkit.benchmarks.memory import peak_memory_of_update
from rimkit.benchmarks.report import (
    memory_text,
    size_text,
    speed_text,
    throughput_text,
    update_text,
)
from rimkit.benchmarks.restoring import SIGMA, measure_size, measure_speed, tiled_difference
from rimkit.benchmarks.throughput import WORKLOADS, measure
from rimkit.benchmarks.updates import time_update
from rimkit.cli.values import size as size_in_bytes
from rimkit.precision import default_precision, fastest_precision, worthwhile_precisions
from rimkit.provenance import stamp, version
from rimkit.training.recipe import load_recipe

_STEPS = (10, 20, 50, 100)
_SEGMENT = 10
_BUDGET = "2GB"
_BUDGETS_OF_SCALE = ("2GB", "600MB")
_OF = {"compiled": "train", "scale": "restore", "figure": "restore"}
_FIGURE_PIXELS = 300**2


def run(options: argparse.Namespace) -> int:
    """Measure what training or restoring costs, and print it."""
    version()  # of the code that measures
    for name, what in _OF.items():
        if getattr(options, name) and options.what != what:
            raise ValueError(f"--{name} is an option of bench {what}")
    for path in filter(None, (options.text, options.figure)):
        atomic.check_place(path)
    if options.what == "train":
        text = _train(options)
    else:
        text = _restore(options) if options.scale is None else _restore_larger(options)
    print(text, end="", flush=True)
    if options.text is not None:
        with atomic.replacing(options.text) as file:
            file.write(text.encode())
    return 0


def _train(options: argparse.Namespace) -> str:
    keep_large_blocks()
    workloads = [load for load in WORKLOADS if load.network in options.networks]
    precisions = worthwhile_precisions()
    results = [
        result
        for load in workloads
        for result in measure(
            load,
            rounds=options.rounds,
            precisions=precisions,
            compiled=options.compiled,
            say=_say,
        )
    ]
    parts = [f"{stamp()}\n", throughput_text(results), *_left_out()]

    recipe = load_recipe("denoise-gray")
    noise = np.random.default_rng(0).integers(0, 256, (4, 1, 321, 481), dtype=np.uint8)
    update = time_update(recipe, list(noise), precision=default_precision("cpu"))
    parts.append(update_text("denoise-gray", update))

    for load in workloads if options.memory else ():
        peaks = {}
        for segment in (None, _SEGMENT):
            for steps in _STEPS:
                _say(f"{load.network}: memory of {steps} steps")
                peaks[segment, steps] = peak_memory_of_update(
                    load.network, steps=steps, segment=segment, precision=precisions[-1]
                )
        parts.append(memory_text(load.network, precisions[-1], peaks))

    return "\n".join(parts)


def _restore(options: argparse.Namespace) -> str:
    if options.figure is not None:  # a missing dependency shows before anything is measured
        from skimage import data

        from rimkit.benchmarks.figures import large_images_figure
    keep_large_blocks()
    speeds = measure_speed(rounds=options.rounds, precisions=worthwhile_precisions(), say=_say)
    parts = [f"{stamp()}\n", speed_text(list(speeds)), *_left_out()]
    precision = fastest_precision()
    sizes = []
    for megapixels in options.megapixels:
        _say(f"{megapixels:g} megapixels")
        sizes.append(measure_size(megapixels, memory=_BUDGET, precision=precision))
    if sizes:
        title = f"rimkit restore, grey, --memory {_BUDGET} --precision {precision}, in all"
        parts.append(size_text(title, sizes))
    if options.figure is not None:
        clean = np.asarray(data.camera(), dtype=np.float32) / 255
        noise = np.random.default_rng(0).normal(0, SIGMA, clean.shape)
        difference, *seams = tiled_difference(
            (clean + noise).astype(np.float32), pixels=_FIGURE_PIXELS
        )
        figure = large_images_figure(
            sizes, memory=size_in_bytes(_BUDGET), difference=difference, seams=(seams[0], seams[1])
        )
        with atomic.replacing(options.figure) as file:
            figure.savefig(file, format="png")
    return "\n".join(parts)


def _restore_larger(options: argparse.Namespace) -> str:
    """Measure memory and time only."""
    if options.figure is not None:
        raise ValueError("--figure draws what denoising takes: leave out --scale")
    parts = [f"{stamp()}\n"]
    for budget in _BUDGETS_OF_SCALE:
        sizes = []
        for megapixels in options.megapixels:
            _say(f"{megapixels:g} megapixels in {budget}")
            size = measure_size(megapixels, memory=budget, precision="float32", scale=options.scale)
            sizes.append(size)
        title = f"rimkit restore --scale {options.scale:g}, colour, --memory {budget}, in all"
        parts.append(size_text(f"{title}; megapixels of the result", sizes))
    return "\n".join(parts)


def _left_out() -> list[str]:
    """What is missing from the tables, and why."""
    if "bfloat16" in worthwhile_precisions():
        return []
    return ["No bfloat16: this processor does not multiply in it, and would be slower.\n"]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
