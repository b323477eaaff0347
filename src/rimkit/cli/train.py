"""``rimkit train``."""

from __future__ import annotations

import argparse
from pathlib import Path

from rimkit.training.recipe import load_recipe
from rimkit.training.run import RunOptions, train, training_paths


def run(options: argparse.Namespace) -> int:
    """Train by a recipe and print where the weights are."""
    recipe = load_recipe(options.recipe, overrides=options.overrides)
    output = options.output or Path("runs") / Path(options.recipe).stem
    weights = train(
        recipe,
        training_paths(options.data),
        RunOptions(
            output=output,
            resume=options.resume,
            minutes=options.minutes,
            accelerator=options.accelerator,
            devices=options.devices,
            nodes=options.nodes,
            strategy=options.strategy,
            precision=options.precision,
            progress=not options.quiet,
        ),
    )
    print(weights)
    return 0
