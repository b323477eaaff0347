import dataclasses

import pytest
import torch
from tests.cases import normal, uniform

from rimkit import tree
from rimkit.noises import GaussianNoise
from rimkit.operators import Blur, Identity, Mask
from rimkit.problem import Denoising, Problem
from rimkit.solver import Iterate


def problem(sigma: list[float]) -> Problem:
    return Problem(Mask(torch.ones(1, 1, 4, 5)), GaussianNoise(torch.tensor(sigma)))


def test_take_keeps_what_all_samples_share() -> None:
    taken = tree.take(problem([0.1, 0.2, 0.3]), torch.tensor([2, 0]))
    assert taken.noise.sigma.tolist() == pytest.approx([0.3, 0.1])
    assert taken.operator.mask.shape == (1, 1, 4, 5)


def test_join_undoes_take() -> None:
    whole = problem([0.1, 0.2, 0.3])
    joined = tree.join([tree.take(whole, slice(0, 2)), tree.take(whole, slice(2, 3))])
    assert torch.equal(joined.noise.sigma, whole.noise.sigma)
    assert joined.operator.mask.shape == (3, 1, 4, 5)


def test_join_refuses_other_structures_and_settings() -> None:
    with pytest.raises(ValueError, match="structure"):
        tree.join([Denoising(torch.tensor([0.1])), problem([0.1])])
    kernel = torch.ones(1, 3, 3)
    with pytest.raises(ValueError, match="equal settings"):
        tree.join([Blur(kernel, padding="circular"), Blur(kernel, padding="replicate")])
    levels = [Denoising(0.1), Denoising(torch.tensor([0.1, 0.2]))]
    for trees in (levels, levels[::-1]):
        with pytest.raises(ValueError, match="a number in one tree and a tensor in another"):
            tree.join(trees)


def test_no_trees_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="no tree to join"):
        tree.join([])


def test_a_kind_is_what_can_be_joined() -> None:
    kernel = torch.ones(1, 3, 3)
    kinds = [
        problem([0.1]),
        problem([0.1, 0.2]),
        Denoising(torch.tensor([0.1])),
        Denoising(torch.tensor([0.1]), levels=255),
        Problem(Blur(kernel, padding="circular"), GaussianNoise(torch.tensor([0.1]))),
        Problem(Blur(kernel, padding="replicate"), GaussianNoise(torch.tensor([0.1]))),
        Problem(Blur(torch.ones(1, 5, 5), padding="replicate"), GaussianNoise(torch.tensor([0.1]))),
    ]
    for first in kinds:
        for second in kinds:
            try:
                tree.join([first, second])
            except (ValueError, RuntimeError):
                assert tree.kind(first) != tree.kind(second)
            else:
                assert tree.kind(first) == tree.kind(second)


def test_select_takes_each_sample_from_one_side() -> None:
    a = Iterate(torch.zeros(2, 1, 3, 3), torch.zeros(2, 1, 3, 3), (torch.zeros(2, 4),))
    b = tree.map_tensors(lambda leaf: leaf + 1, a)
    picked = tree.select(torch.tensor([True, False]), a, b)
    assert [leaf.flatten(1).unique(dim=1).tolist() for leaf in tree.tensors(picked)] == [
        [[0], [1]]
    ] * 3


def test_move_keeps_complex_complex_and_whole_numbers_whole() -> None:
    leaves = (
        torch.zeros(2),
        torch.zeros(2, dtype=torch.complex64),
        torch.zeros(2, dtype=torch.int64),
    )
    moved = tree.move(leaves, dtype=torch.float64)
    assert [leaf.dtype for leaf in moved] == [torch.float64, torch.complex128, torch.int64]


def test_detach_cuts_the_graph() -> None:
    leaf = torch.ones(2, requires_grad=True) * 2
    assert not tree.detach((leaf,))[0].requires_grad


def test_sizes_that_disagree_are_refused() -> None:
    with pytest.raises(ValueError, match="first dimension"):
        tree.batch_size((torch.zeros(2), torch.zeros(3)))


def test_rebuilding_keeps_the_class_and_its_fields() -> None:
    rebuilt = tree.map_tensors(lambda leaf: leaf, Denoising(0.1))
    assert type(rebuilt) is Problem
    assert rebuilt.noise.sigma == 0.1
    assert isinstance(rebuilt.operator, Identity)
    assert [field.name for field in dataclasses.fields(rebuilt)] == ["operator", "noise"]


def test_per_sample_broadcasts_over_any_rank() -> None:
    assert tree.per_sample(uniform(3), uniform(3, 2, 5, 7)).shape == (3, 1, 1, 1)
    assert tree.per_sample(0.5, uniform(3, 2)) == 0.5
    with pytest.raises(ValueError, match="3 samples, but 2"):
        tree.per_sample(uniform(3), uniform(2, 1, 4, 4))


def test_a_value_for_all_samples_goes_along() -> None:
    """Of no dimension: an operator of one's own may have such."""
    y, value = normal(2, 3, 4), torch.tensor(2.0)
    assert torch.equal(tree.per_sample(value, y), value.view(1, 1, 1).to(y))  # type: ignore[arg-type]
    assert tree.take((y, value), slice(0, 1))[1] == 2
    joined = tree.join([(y, value), (y, torch.tensor(3.0))])
    assert joined[1].tolist() == [2, 2, 3, 3]
    mask = torch.tensor([True, False])
    assert tree.select(mask, (y, value), (y, value))[1] == 2


def test_trees_are_equal_where_their_tensors_are() -> None:
    one, same = problem([0.1, 0.2]), problem([0.1, 0.2])
    assert one == same
    assert hash(one) == hash(same)
    assert one != problem([0.1, 0.3])
    assert one != problem([0.1])
    assert one != tree.move(one, dtype=torch.float64)
    assert one != Problem(Identity(), one.noise)
    assert one != "a problem"
    assert Problem(Identity(), GaussianNoise(0.1)) == Problem(Identity(), GaussianNoise(0.1))
    assert Problem(Identity(), GaussianNoise(0.1)) != Problem(Identity(), GaussianNoise(0.2))
    mixed = [GaussianNoise(0.1), GaussianNoise(torch.tensor([0.1]))]
    assert mixed[0] != mixed[1]
    assert mixed[1] != mixed[0]


def test_tensors_that_would_stay_behind_are_told() -> None:
    class Gain:
        def __init__(self) -> None:
            self.gain = torch.ones(1, 1, 2, 2)

    assert tree.move([Gain(), torch.ones(1)], device="cpu")[1] == 1
    with pytest.raises(ValueError, match="the tensors of Gain would not be moved or converted"):
        tree.move([Gain(), torch.ones(1)], device="meta")
    with pytest.raises(ValueError, match="the tensors of Gain would not be moved or converted"):
        tree.move([Gain(), torch.ones(1)], dtype=torch.float64)
    assert tree.move([Gain(), torch.ones(1)], dtype=torch.float32)[1] == 1
    module = torch.nn.BatchNorm1d(2)
    assert tree.move([module], device="cpu") == [module]
    for kept in (module, torch.nn.Sequential(torch.nn.BatchNorm1d(2, affine=False))):
        with pytest.raises(ValueError, match="would not be moved"):
            tree.move([kept], device="meta")
