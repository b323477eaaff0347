import itertools

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from rimkit.data.patches import PatchBatches, Share, draw_patch, seeded

IMAGES = [
    np.random.default_rng(0).integers(0, 256, (1, 20, 33), dtype=np.uint8),
    np.random.default_rng(1).integers(0, 256, (1, 16, 16), dtype=np.uint8),
]


def batches(**settings: object) -> PatchBatches:
    return PatchBatches(IMAGES, patch=16, size=4, seed=7, **settings)  # type: ignore[arg-type]


def take(stream: PatchBatches, count: int) -> list[tuple[int, torch.Tensor]]:
    return list(itertools.islice(stream, count))


def test_batches_are_patches_in_the_unit_range() -> None:
    update, x = take(batches(), 1)[0]
    assert update == 0
    assert x.shape == (4, 1, 16, 16)
    assert 0 <= x.min() < x.max() <= 1
    assert x.dtype == torch.float32


def test_a_stream_that_starts_late_goes_on_where_the_first_one_was() -> None:
    late = take(batches(start=3), 2)
    for (update, x), (expected_update, expected) in zip(late, take(batches(), 5)[3:], strict=True):
        assert update == expected_update
        assert torch.equal(x, expected)


def test_processes_share_one_stream() -> None:
    joint = PatchBatches(IMAGES, patch=16, size=8, seed=7)
    parts = [batches(share=Share(rank, 2)) for rank in range(2)]
    for (_, whole), *halves in zip(take(joint, 3), *(take(part, 3) for part in parts), strict=True):
        assert torch.equal(whole, torch.cat([x for _, x in halves]))


def test_every_orientation_and_place_occurs() -> None:
    ramp = [np.arange(16, dtype=np.uint8).reshape(1, 4, 4)]
    seen = {draw_patch(ramp, 4, seed=0, number=i).tobytes() for i in range(200)}
    assert len(seen) == 8
    corners = {int(draw_patch(ramp, 1, seed=0, number=i)[0, 0, 0]) for i in range(400)}
    assert corners == set(range(16))


def test_another_seed_is_another_stream() -> None:
    other = PatchBatches(IMAGES, patch=16, size=4, seed=8)
    assert not torch.equal(take(batches(), 1)[0][1], take(other, 1)[0][1])


def test_seeded_depends_on_every_number() -> None:
    keys = [(0, 1, 5, 0), (0, 1, 5, 1), (0, 1, 6, 0), (0, 2, 5), (0, 3, 5), (1, 1, 5, 0)]
    draws = {torch.rand(1, generator=seeded(*key)).item() for key in keys}
    assert len(draws) == len(keys)
    assert seeded(3, 4).initial_seed() == seeded(3, 4).initial_seed()


def test_images_smaller_than_a_patch_are_refused() -> None:
    with pytest.raises(ValueError, match="17x17"):
        PatchBatches(IMAGES, patch=17, size=4, seed=0)


def test_workers_would_repeat_themselves() -> None:
    batches = PatchBatches([np.zeros((1, 8, 8), dtype=np.uint8)], patch=8, size=1, seed=0)
    loader = DataLoader(batches, batch_size=None, num_workers=1)
    with pytest.raises(ValueError, match="num_workers=0"):
        next(iter(loader))


def test_contrast_fades_every_patch_to_mid_grey_by_its_own_number() -> None:
    whole, faded = (take(batches(contrast=c), 20) for c in ((1.0, 1.0), (0.2, 1.0)))
    found = []
    for (_, x), (_, y) in zip(whole, faded, strict=True):
        contrast = (y - 0.5).flatten(1).norm(dim=1) / (x - 0.5).flatten(1).norm(dim=1)
        torch.testing.assert_close(y, 0.5 + contrast.view(-1, 1, 1, 1) * (x - 0.5))
        found.append(contrast)
    contrasts = torch.cat(found)
    assert 0.2 <= contrasts.min() < 0.25
    assert 0.9 < contrasts.max() <= 1
    assert float(contrasts.log().mean()) == pytest.approx(np.log(0.2) / 2, abs=0.15)
    late = take(batches(contrast=(0.2, 1.0), start=3), 1)[0]
    assert torch.equal(late[1], faded[3][1])
    halves = [
        take(batches(contrast=(0.2, 1.0), share=Share(rank, 2)), 1)[0][1] for rank in range(2)
    ]
    assert torch.equal(torch.cat(halves), torch.cat([faded[0][1], faded[1][1]]))
    assert (take(batches(contrast=(0.5, 0.5)), 1)[0][1] - 0.5).abs().max() <= 0.25
