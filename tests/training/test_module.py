import math
import signal
from collections.abc import Iterator
from typing import Any

import lightning
import pytest
import torch

from rimkit.metrics import HIGHEST
from rimkit.noises import GaussianNoise
from rimkit.problem import Denoising, Problem
from rimkit.solver import DivergenceError, Iterate
from rimkit.training import module as training_module
from rimkit.training.callbacks import Stop, moving_average
from rimkit.training.module import RIMTraining, build_optimizer
from rimkit.training.pool import Pool, Rollout
from rimkit.training.recipe import OptimizerRecipe, load_recipe


def module(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch, *, recipe: str = "denoise-gray"
) -> RIMTraining:
    monkeypatch.setattr(RIMTraining, "log", lambda *_, **__: None)
    monkeypatch.setattr(RIMTraining, "global_rank", 0)
    return RIMTraining(load_recipe(recipe, overrides=overrides))


def test_a_matrix_measures_in_full_precision(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides += ["task.ensembles=['gaussian']", "unroll.continued=0.0"]
    training = module(overrides, monkeypatch, recipe="random-projections")
    x = torch.rand(2, 1, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        rollout = training.begin(x, torch.Generator().manual_seed(0))
    expected = training.begin(x, torch.Generator().manual_seed(0))
    assert rollout.y.dtype == torch.float32
    assert torch.equal(rollout.y, expected.y)


def kept(training: RIMTraining) -> Rollout:
    """What the training keeps of the one kind it has seen."""
    rollout = training.pool.like(training.begin(torch.rand(2, 1, 16, 16), torch.Generator()))
    assert rollout is not None
    return rollout


def test_continued_samples_go_on_from_where_they_were(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides += ["unroll.continued=0.5", "unroll.lifetime=1e9", "unroll.steps=[2, 2]"]
    training = module(overrides, monkeypatch)
    training.training_step((0, torch.rand(2, 1, 16, 16)), 0)
    first = kept(training)
    assert first.x.shape[0] == 2
    assert not first.iterate.x.requires_grad
    training.training_step((1, torch.rand(2, 1, 16, 16)), 0)
    second = kept(training)
    assert torch.equal(first.x, second.x)
    assert torch.equal(first.y, second.y)
    iterate = first.iterate
    with torch.no_grad():
        for _ in range(2):
            iterate = training.model.step(iterate, first.y, first.problem)
    torch.testing.assert_close(second.iterate.x, iterate.x, rtol=1e-4, atol=1e-5)


def test_only_samples_that_have_walked_far_are_to_rest(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides += ["unroll.continued=0.5", "unroll.lifetime=1e9", "unroll.steps=[2, 2]"]
    losses = {}
    for rest in (0.0, 1e3):
        extra = [f"loss.rest={rest}", "loss.rest_after=4"]
        training = module([*overrides, *extra], monkeypatch)
        torch.manual_seed(0)
        torch.nn.init.normal_(training.model.network.out.weight, std=0.1)
        losses[rest] = [
            training.training_step((update, torch.rand(2, 1, 16, 16)), 0).item()
            for update in range(3)
        ]
        assert kept(training).steps.tolist() == [6, 6]
    # In the third update the old samples have taken four steps.
    assert losses[0.0][:2] == losses[1e3][:2]
    assert losses[1e3][2] > 2 * losses[0.0][2]


@pytest.mark.parametrize("lifetime", [1.0, 4.0])
def test_a_sample_takes_part_in_as_many_updates_as_its_lifetime(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch, lifetime: float
) -> None:
    overrides += ["data.batch=1000", "unroll.continued=0.5", "unroll.steps=[1, 1]"]
    training = module([*overrides, f"unroll.lifetime={lifetime}"], monkeypatch)
    training.training_step((0, torch.zeros(2, 1, 16, 16)), 0)
    training.training_step((1, torch.ones(2, 1, 16, 16)), 0)
    renewed = kept(training).x.flatten(1).mean(1)
    assert renewed.shape == (500,)
    assert renewed.mean().item() == pytest.approx(1 / lifetime, abs=0.05)


def test_any_new_sample_may_go_on() -> None:
    pool, batch = Pool(places=20, lifetime=4), rollout(Denoising(0.1))
    pool.keep(batch, fresh=3, generator=torch.Generator().manual_seed(0))
    going_on = pool.like(batch)
    assert going_on is not None
    assert len(going_on.x.unique(dim=0)) == 3


def test_samples_that_are_not_finite_do_not_stay(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides += ["unroll.continued=0.5", "unroll.lifetime=1e9", "unroll.steps=[1, 1]"]
    training = module(overrides, monkeypatch)
    training.training_step((0, torch.zeros(2, 1, 16, 16)), 0)
    kept(training).iterate.eta[0, 0, 0, 0] = torch.inf  # what is kept, not a copy
    training.training_step((1, torch.ones(2, 1, 16, 16)), 0)
    renewed, stayed = kept(training).x.flatten(1).mean(1).tolist()
    assert (renewed, stayed) == (1.0, 0.0)
    assert kept(training).iterate.eta.isfinite().all()


def test_samples_go_on_with_those_of_their_kind(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Batches that are rounded and such that are not: another likelihood, which cannot be in one.
    overrides += ["unroll.continued=0.5", "unroll.lifetime=1e9", "task.quantised='half'"]
    training = module(overrides, monkeypatch)
    for update in range(10):
        training.training_step((update, torch.rand(2, 1, 16, 16)), 0)
    state = training.pool.state()
    assert len(state) == 2
    (rounded,) = (kind for kind in state if "QuantisedGaussianNoise" in kind)
    _, y, *_ = state[rounded]
    assert torch.equal(y * 255, (y * 255).round())
    for kind in state.keys() - {rounded}:
        _, y, *_ = state[kind]
        assert not torch.equal(y * 255, (y * 255).round())


def test_every_rank_measures_with_noise_of_its_own(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    for rank in (0, 1):
        training = module(overrides, monkeypatch)
        monkeypatch.setattr(RIMTraining, "global_rank", rank)
        training.training_step((0, torch.full((3, 1, 16, 16), 0.5)), 0)
        drawn.append(kept(training).y)
    assert not torch.equal(*drawn)


def test_updates_take_every_number_of_steps_that_the_recipe_allows(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides += ["unroll.lifetime=1.0", "unroll.steps=[1, 3]"]
    training, taken = module(overrides, monkeypatch), set[int]()
    for update in range(20):
        training.training_step((update, torch.rand(2, 1, 16, 16)), 0)
        taken |= set(kept(training).steps.tolist())
    assert taken == {1, 2, 3}


def test_what_the_recipe_says_of_unroll_and_loss_is_done(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, object] = {}

    def spy_on(name: str) -> None:
        original = getattr(training_module, name)

        def spied(*arguments: Any, **settings: Any) -> Any:
            seen.update(settings)
            return original(*arguments, **settings)

        monkeypatch.setattr(training_module, name, spied)

    spy_on("unroll")
    spy_on("trajectory_loss")
    overrides += ["unroll.steps=[3, 3]", "unroll.segment=2", "unroll.through_score=false"]
    overrides += ["loss.early_weight=0.5", "loss.distance=l1"]
    module(overrides, monkeypatch).training_step((0, torch.rand(3, 1, 16, 16)), 0)
    assert seen == {
        "steps": 3,
        "segment": 2,
        "through_score": False,
        "weights": [0.5, 0.5, 1.0],
        "distance": "l1",
    }


def test_trainings_of_two_seeds_begin_with_other_weights(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        module([*overrides, f"seed={seed}"], monkeypatch).model.network for seed in (0, 1)
    )
    assert not torch.equal(first.enter.weight, second.enter.weight)


def test_moving_average_follows_at_first_and_averages_later() -> None:
    average = moving_average(0.9)
    old, new = torch.zeros(1), torch.ones(1)
    assert average(old, new, 0).item() == pytest.approx(0.9)
    assert average(old, new, 10_000).item() == pytest.approx(0.1)
    assert average(torch.tensor(3), torch.tensor(4), 5).item() == 4


def test_an_update_that_is_dropped_leaves_the_statistics_of_batch_norm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    overrides = [
        *("model.network.features=4", "model.network.hidden=4", "unroll.steps=[2, 2]"),
        *("data.patch=16", "data.batch=2"),
    ]
    training = module(overrides, monkeypatch, recipe="denoise-paper").train()
    optimizer = build_optimizer(training.model, OptimizerRecipe())
    statistics = dict(training.model.named_buffers())
    assert any(name.endswith("running_mean") for name in statistics)
    for update, overflows in enumerate((False, True)):
        before = {name: buffer.clone() for name, buffer in statistics.items()}
        training.training_step((update, torch.rand(2, 1, 16, 16)), 0).backward()
        assert not any(torch.equal(statistics[name], before[name]) for name in before)
        if overflows:
            training.model.phi_epsilon.grad = torch.tensor(math.inf)
        training.configure_gradient_clipping(optimizer)
        assert all(torch.equal(statistics[name], before[name]) == overflows for name in before)


def test_a_training_that_learns_nothing_ends(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = module(overrides, monkeypatch)
    optimizer = build_optimizer(training.model, OptimizerRecipe())

    def clip(gradient: float) -> None:
        training.model.phi_epsilon.grad = torch.tensor(gradient)
        training.configure_gradient_clipping(optimizer)

    for gradient in [math.inf] * 99 + [1.0] + [math.nan] * 99:  # one that is finite begins anew
        clip(gradient)
    with pytest.raises(DivergenceError, match="gradients have not been finite for 100 updates"):
        clip(math.inf)


def test_gradients_are_clipped_where_the_recipe_says(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = module([*overrides, "optimizer.clip=0.25"], monkeypatch)
    for parameter in training.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    training.configure_gradient_clipping(build_optimizer(training.model, OptimizerRecipe()))
    gradients = [parameter.grad.flatten() for parameter in training.model.parameters()]  # type: ignore[union-attr]
    assert torch.cat(gradients).norm().item() == pytest.approx(0.25, rel=1e-3)


def test_validation_looks_after_the_own_number_of_steps_and_later(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, dict[str, float]] = {}
    for late in (1, 2):
        training = module([*overrides, f"late={late}"], monkeypatch)
        torch.nn.init.normal_(training.model.network.out.weight, std=0.1)
        seen[late] = looked_at(training)
    assert seen[1]["sigma_25"] == seen[1]["sigma_25_late"]
    assert seen[2]["sigma_25"] != seen[2]["sigma_25_late"]


def test_a_patch_without_any_error_makes_no_look_infinite(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = module(overrides, monkeypatch)
    monkeypatch.setattr(training_module, "psnr", lambda x, _: torch.full(x.shape[:1], math.inf))
    assert looked_at(training)["sigma_25"] == math.inf
    monkeypatch.setattr(type(training.recipe.task), "on_patches", True, raising=False)
    assert looked_at(training)["sigma_25"] == pytest.approx(HIGHEST)


def looked_at(training: RIMTraining, *, number: int = 0) -> dict[str, float]:
    x = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = training.look(x, number)
    return {name: float(psnr) for name, psnr in found.items()}


def test_every_held_out_image_has_noise_of_its_own(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = module(overrides, monkeypatch)
    first, second = (looked_at(training, number=number) for number in (0, 1))
    assert all(first[name] != second[name] for name in first)


def test_trainings_of_all_seeds_are_looked_at_on_the_same_measurements(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (module([*overrides, f"seed={seed}"], monkeypatch) for seed in (0, 1))
    second.model.load_state_dict(first.model.state_dict())
    assert looked_at(first) == looked_at(second)


def test_a_machine_that_diverges_when_it_is_looked_at_is_trained_on(
    overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = module([*overrides, "late=2"], monkeypatch)
    expected = looked_at(training)
    iterate = training.model.iterate

    def diverging(*arguments: Any, **keywords: Any) -> Iterator[Iterate]:
        for step, where in enumerate(iterate(*arguments, **keywords), start=1):
            if step > training.model.steps:
                raise DivergenceError
            yield where

    monkeypatch.setattr(training.model, "iterate", diverging)
    seen = looked_at(training)
    assert all(math.isnan(seen[name]) for name in seen if name.endswith("_late"))
    own = {name: value for name, value in seen.items() if not name.endswith("_late")}
    assert own == {name: expected[name] for name in own}


def test_a_training_that_fails_gives_the_signals_back() -> None:
    ending = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in ending]
    stop = Stop(None)
    trainer, training = (
        lightning.Trainer(logger=False, accelerator="cpu"),
        lightning.LightningModule(),
    )
    stop.on_train_start(trainer, training)
    taken = [signal.getsignal(number) for number in ending]
    assert all(new != old for new, old in zip(taken, before, strict=True))
    stop.on_exception(trainer, training, ValueError())
    assert [signal.getsignal(number) for number in ending] == before


class Unregistered:
    """An operator that is no tree: two of them cannot be told apart."""

    def A(self, x: torch.Tensor) -> torch.Tensor:
        return x


def rollout(problem: Problem) -> Rollout:
    x = torch.rand(3, 1, 8, 8)
    return Rollout(x, x, problem, Iterate(x, x, ()), torch.zeros(3))


def test_samples_of_problems_that_cannot_be_told_apart_do_not_go_on() -> None:
    pool, generator = Pool(places=2, lifetime=4), torch.Generator()
    problem = Problem(Unregistered(), GaussianNoise(0.1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="register Unregistered"):
        pool.keep(rollout(problem), fresh=3, generator=generator)
    for number in range(256):
        pool.keep(rollout(Denoising(0.1 + number / 256)), fresh=3, generator=generator)
    pool.keep(rollout(Denoising(0.1)), fresh=3, generator=generator)  # a kind that it knows
    with pytest.raises(ValueError, match="more than 256 kinds"):
        pool.keep(rollout(Denoising(0.05)), fresh=3, generator=generator)
