"""``rimkit train``."""

from __future__ import annotations

import argparse
from pathlib import Path

from rimkit.training.data import training_paths
from rimkit.training.folder import saved_recipe
from rimkit.training.recipe import load_recipe
from rimkit.training.run import RunOptions, train


def run(options: argparse.Namespace) -> int:
    """Train by a recipe and print where the weights are."""
    output = options.output or Path("runs") / Path(options.recipe).stem
    recipe = load_recipe(options.recipe, overrides=options.overrides)
    if options.resume:
        recipe = saved_recipe(output, overrides=options.overrides)
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
