"""``rimkit bench``."""

from __future__ import annotations

import argparse
import sys

import numpy as np

from rimkit import atomic
from rimkit.benchmarks.memory import peak_memory_of_update
from rimkit.benchmarks.report import machine, memory_text, throughput_text, update_text
from rimkit.benchmarks.throughput import WORKLOADS, measure
from rimkit.benchmarks.updates import time_update
from rimkit.training.recipe import load_recipe
from rimkit.training.run import default_precision

_STEPS = (10, 20, 50, 100)
_SEGMENT = 10


def run(options: argparse.Namespace) -> int:
    """Measure what training costs, and print it."""
    workloads = [load for load in WORKLOADS if load.network in options.networks]
    results = [
        result
        for load in workloads
        for result in measure(load, rounds=options.rounds, compiled=options.compiled, say=_say)
    ]
    parts = [f"{machine()}\n", throughput_text(results)]

    recipe = load_recipe("denoise-gray")
    noise = np.random.default_rng(0).integers(0, 256, (4, 1, 321, 481), dtype=np.uint8)
    update = time_update(recipe, list(noise), precision=default_precision("cpu"))
    parts.append(update_text("denoise-gray", update))

    for load in workloads if options.memory else ():
        peaks = {}
        for segment in (None, _SEGMENT):
            for steps in _STEPS:
                _say(f"{load.network}: memory of {steps} steps")
                peak = peak_memory_of_update(load.network, steps=steps, segment=segment)
                peaks[segment, steps] = peak
        parts.append(memory_text(load.network, peaks))

    text = "\n".join(parts)
    if options.text is not None:
        with atomic.replacing(options.text) as file:
            file.write(text.encode())
    print(text, end="")
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
