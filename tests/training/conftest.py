"""A training so small that it takes seconds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("lightning", reason="needs rimkit[train]")

SMALL = [
    "model.network.features=8",
    "model.network.blocks=1",
    "model.steps=3",
    "data.patch=16",
    "data.batch=4",
    "data.held_out_every=3",
    "unroll.steps=[1, 3]",
    "unroll.continued=0.25",
    "optimizer.updates=40",
    "optimizer.warmup=2",
    "validate_every=20",
]


@pytest.fixture
def overrides() -> list[str]:
    return list(SMALL)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of six images, smooth so that there is something to learn."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        small = Image.fromarray(rng.integers(0, 256, (6, 7), dtype=np.uint8))
        small.resize((40, 33), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder
