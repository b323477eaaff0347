"""A training so small that it takes seconds."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

pytest.importorskip("lightning", reason="needs rimkit[train]")

from rimkit.training.module import RIMTraining
from rimkit.training.trainer import RunOptions

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


def options(output: Path, **settings: object) -> RunOptions:
    return RunOptions(
        output=output,
        accelerator="cpu",
        progress=False,
        checkpoint_minutes=1e-6,
        **{"precision": "32-true", **settings},  # type: ignore[arg-type]
    )


def same_bits(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@contextlib.contextmanager
def killed_in_a_look() -> Iterator[None]:
    """A training that is started in the block is killed when it looks at a held-out image."""

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RIMTraining, "validation_step", killed)
        with pytest.raises(RuntimeError, match="killed"):
            yield


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
