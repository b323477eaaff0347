"""Train your own machine for your own task: half of the pixels are missing.

python examples/own_training.py FOLDER    # of clean images; without it, images of discs are made

Takes seconds: enough to see that it learns, far too little for a good machine. Prints PSNR on a
photograph that ships with scikit-image; the weights are in demo/own-training.
"""

import dataclasses
import shutil
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from skimage import data
from torch import Tensor

import rimkit
from rimkit.data.images import list_images
from rimkit.networks import CompactConfig
from rimkit.tasks import Measure
from rimkit.training.recipe import DataRecipe, OptimizerRecipe, Recipe
from rimkit.training.run import train
from rimkit.training.trainer import RunOptions

UPDATES = 300


@dataclasses.dataclass(frozen=True)
class HalfMissing:
    """The task: how a problem and its y are drawn for clean images x (N, C, H, W)."""

    table_name: ClassVar[str] = "half-missing"

    seen: float = 0.5  # share of the pixels

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[rimkit.Problem, Tensor]:
        mask = (torch.rand(x.shape, generator=generator) < self.seen).to(x)
        problem = rimkit.Problem(rimkit.Mask(mask), rimkit.GaussianNoise(0.05))
        return problem, problem.simulate(x, generator=generator)

    def validation(self) -> dict[str, Measure]:
        return {"half": self.draw}


def recipe() -> Recipe:
    return Recipe(
        task=HalfMissing(),
        model=rimkit.RIMConfig(network=CompactConfig(features=16, blocks=2), steps=4),
        data=DataRecipe(patch=32, batch=8, held_out_every=6),
        optimizer=OptimizerRecipe(
            updates=UPDATES, warmup=10, rate=0.02, adamw_rate=0.01, average=0.9
        ),
        validate_every=UPDATES,
    )


def draw_discs(folder: Path, *, images: int = 12, side: int = 96, discs: int = 60) -> None:
    """Draw overlapping discs: edges and flat parts, as in photographs (Lee et al. 2001)."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:side, :side]
    for number in range(images):
        image = np.zeros((side, side), np.uint8)
        for _ in range(discs):
            (row, column), radius = rng.integers(0, side, 2), 4 / rng.uniform(0.08, 1)
            image[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = rng.integers(256)
        Image.fromarray(image).save(folder / f"{number:02}.png")


def main(folder: str | None = None) -> None:
    images = Path(folder) if folder else Path("demo/discs")
    if folder is None:
        draw_discs(images)
    output = Path("demo/own-training")
    shutil.rmtree(output, ignore_errors=True)  # an existing training is not overwritten
    path = train(recipe(), list_images(images), RunOptions(output=output, progress=False))

    photograph = data.camera()[128:384, 128:384].astype(np.float32) / 255
    truth = torch.from_numpy(photograph)[None, None]
    problem, y = HalfMissing().draw(truth, torch.Generator().manual_seed(0))
    results = {
        "measured": y,
        "total variation": rimkit.TotalVariation(weight=7.0).solve(y, problem).x,
        "own machine": rimkit.load(path).solve(y, problem).x,
    }
    for name, x in results.items():
        print(f"{name:<16}{rimkit.psnr(x, truth).item():6.2f} dB")


if __name__ == "__main__":
    main(*sys.argv[1:])
