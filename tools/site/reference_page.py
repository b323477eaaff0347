"""The Python reference page: the names on it; mkdocstrings fills in their docstrings."""

from __future__ import annotations

import rimkit

INTRODUCTION = """# Python

What `import rimkit` offers, then what is imported by its own name. Images are float tensors
(N, C, H, W) in [0, 1] unless something else is said.
"""

SECTIONS = {
    "Pictures": ["rimkit.plot.compare", "rimkit.plot.trajectory", "rimkit.plot.progress"],
    "Protocols": [
        "rimkit.operators.Operator",
        "rimkit.operators.LinearOperator",
        "rimkit.noises.Noise",
        "rimkit.links.Link",
        "rimkit.networks.UpdateNetwork",
        "rimkit.tasks.Task",
    ],
    "Trees": ["rimkit.tree.register", "rimkit.tree.move", "rimkit.tree.take", "rimkit.tree.join"],
    "Training": [
        "rimkit.training.run.train",
        "rimkit.training.trainer.RunOptions",
        "rimkit.training.recipe.load_recipe",
        "rimkit.training.recipe.Recipe",
        "rimkit.training.recipe.DataRecipe",
        "rimkit.training.recipe.UnrollRecipe",
        "rimkit.training.recipe.LossRecipe",
        "rimkit.training.recipe.OptimizerRecipe",
        "rimkit.tasks.DenoisingTask",
        "rimkit.tasks.InpaintingTask",
        "rimkit.tasks.SuperResolutionTask",
        "rimkit.tasks.RandomProjectionsTask",
    ],
}


def page() -> str:
    """Return the page as Markdown."""
    public = [f"rimkit.{name}" for name in rimkit.__all__]
    parts = [INTRODUCTION, "## rimkit\n", *map(_entry, public)]
    for title, names in SECTIONS.items():
        parts += [f"## {title}\n", *map(_entry, names)]
    return "\n".join(parts)


def _entry(name: str) -> str:
    return f"::: {name}\n"
