"""``rimkit train``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch

from rimkit.cli.main import say
from rimkit.data.splits import training_paths
from rimkit.networks import ablated
from rimkit.precision import slow
from rimkit.training.folder import ended_after, saved_precision, saved_recipe
from rimkit.training.recipe import Recipe, load_recipe
from rimkit.training.run import train
from rimkit.training.trainer import RunOptions, is_first


def run(options: argparse.Namespace) -> int:
    """Train with a recipe, and print where the weights are."""
    name = "-".join(filter(None, (Path(options.recipe).stem, options.model)))
    output = options.output or Path("runs") / name
    recipe = load_recipe(options.recipe, overrides=options.overrides)
    if options.model:
        network = ablated(recipe.model.network, options.model)
        model = dataclasses.replace(recipe.model, network=network)
        recipe = dataclasses.replace(recipe, model=model)
    if options.resume:
        asked, recipe = recipe, saved_recipe(output, overrides=options.overrides)
        _check_same(asked, recipe, output, model=options.model)
    resumed = options.resume and options.precision == "auto"
    precision = saved_precision(output) if resumed else options.precision
    if not torch.cuda.is_available() and (warning := slow(precision)):
        say(warning)
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
    if not is_first():
        return 0  # the first process writes the weights, and reports
    if ended_after(output) is None:
        say("stopped before the end; continue with --resume")
    print(weights)
    return 0


def _check_same(asked: Recipe, saved: Recipe, folder: Path, *, model: str | None) -> None:
    """Raise ``ValueError`` unless a folder holds the kind of training that the command line names.

    Everything else comes from the folder: recipes in the package change from version to version.
    """
    if _kind(asked, parts=model is not None) != _kind(saved, parts=model is not None):
        raise ValueError(
            f"{folder} holds a different training: for {saved.task.table_name}, "
            f"with {saved.model.network}"
        )


def _kind(recipe: Recipe, *, parts: bool) -> tuple[object, ...]:
    """The task of a training and its network; with ``parts``, also which parts that has."""
    network = recipe.model.network
    kind = (recipe.task.table_name, network.table_name, network.channels)
    return (*kind, network.sees_estimate, network.recurrent) if parts else kind
