"""What a training is fed with."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch

pytest.importorskip("lightning", reason="needs rimkit[train]")

from rimkit.data.images import bytes_to_unit
from rimkit.pixels import Bytes
from rimkit.training.data import PatchData
from rimkit.training.recipe import load_recipe


def patch_data(image: Bytes, overrides: list[str]) -> PatchData:
    data = PatchData(
        load_recipe("denoise-gray", overrides=overrides), images=[image], held_out=[image]
    )
    data.trainer = types.SimpleNamespace(global_step=0, global_rank=0, world_size=1)
    return data


def test_a_batch_leaves_room_for_samples_that_go_on_and_follows_the_seed(
    overrides: list[str],
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 40, 50), dtype=np.uint8)
    overrides += ["data.batch=4", "unroll.continued=0.25"]
    first, second = (
        next(iter(patch_data(image, [*overrides, f"seed={seed}"]).train_dataloader()))[1]
        for seed in (0, 1)
    )
    assert first.shape == second.shape == (3, 1, 16, 16)
    assert not torch.equal(first, second)


def test_held_out_images_are_cut_around_their_middle(overrides: list[str]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 266, 300), dtype=np.uint8)
    (batch,) = patch_data(image, overrides).val_dataloader()
    assert torch.equal(batch[0], bytes_to_unit(image)[:, 5:261, 22:278])
