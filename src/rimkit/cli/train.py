"""``rimkit train``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from rimkit.networks import ablated
from rimkit.training.data import training_paths
from rimkit.training.folder import saved_recipe
from rimkit.training.recipe import load_recipe
from rimkit.training.run import RunOptions, train


def run(options: argparse.Namespace) -> int:
    """Train by a recipe and print where the weights are."""
    name = "-".join(filter(None, (Path(options.recipe).stem, options.model)))
    output = options.output or Path("runs") / name
    recipe = load_recipe(options.recipe, overrides=options.overrides)
    if options.resume:
        recipe = saved_recipe(output, overrides=options.overrides)
    elif options.model:
        network = ablated(recipe.model.network, options.model)
        model = dataclasses.replace(recipe.model, network=network)
        recipe = dataclasses.replace(recipe, model=model)
    weights = train(
        recipe,
        training_paths(*options.data),
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
