from typing import Literal

import pytest
import torch
from tests.cases import normal

from rimkit.rim import RIM, RIMConfig
from rimkit.training.optimizer import build_optimizer, clip_gradients, rate_factor
from rimkit.training.recipe import OptimizerRecipe


def test_muon_gets_the_hidden_kernels_and_adamw_the_rest() -> None:
    model = RIM(RIMConfig())
    optimizer = build_optimizer(model, OptimizerRecipe())
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    muon, adamw = ({names[id(p)] for p in group["params"]} for group in optimizer.param_groups)
    assert "network.blocks.0.first.weight" in muon
    assert {"phi_epsilon", "network.out.weight", "network.enter.bias"} <= adamw
    assert muon | adamw == set(names.values())
    assert not muon & adamw


def test_muon_asks_for_the_last_layer_of_a_network() -> None:
    model = RIM(RIMConfig())
    model.network.last = model.network.out
    del model.network.out
    with pytest.raises(ValueError, match=r'the last layer .* "out": CompactNetwork has none'):
        build_optimizer(model, OptimizerRecipe())
    assert build_optimizer(model, OptimizerRecipe(name="adamw")).param_groups


@pytest.mark.parametrize("computes", [False, True])
def test_muon_turns_in_the_precision_of_the_processor(
    computes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 singular values end between 0.7 and 1.2 as in bf16, and no product is rounded."""
    monkeypatch.setattr("rimkit.training.optimizer.computes_in_bfloat16", lambda: computes)
    model = RIM()
    optimizer = build_optimizer(model, OptimizerRecipe(rate=1.0))
    kernel = model.network.blocks[0].first.weight  # type: ignore[union-attr, index]
    torch.nn.init.zeros_(kernel)
    kernel.grad = normal(*kernel.shape, dtype=torch.float32)
    optimizer.step()
    step = -kernel.detach().flatten(1)
    assert torch.equal(step.bfloat16().float(), step) is computes
    assert 0.6 < torch.linalg.svdvals(step).min() <= torch.linalg.svdvals(step).max() < 1.3


@pytest.mark.parametrize("name", ["adamw", "schedule-free", "muon"])
def test_adamw_has_its_betas_and_decays_no_weight(name: str) -> None:
    settings = OptimizerRecipe(name=name, decay=0.0, average=0.0)
    *_, group = build_optimizer(RIM(), settings).param_groups
    assert (group["betas"], group["weight_decay"]) == ((0.9, 0.99), 0.0)


def test_rates_rise_stay_and_fall_to_zero() -> None:
    settings = OptimizerRecipe(updates=100, warmup=10, decay=0.5)
    assert rate_factor(0, settings) == pytest.approx(0.1)
    assert rate_factor(20, settings) == 1
    assert rate_factor(75, settings) == pytest.approx(0.5)
    assert rate_factor(100, settings) == 0


def test_gradients_are_clipped_and_those_that_overflow_are_dropped() -> None:
    model = RIM(RIMConfig())
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    number = sum(parameter.numel() for parameter in model.parameters())
    assert clip_gradients(model, largest=1.0).item() == pytest.approx(number**0.5, rel=1e-4)
    total = sum(parameter.grad.square().sum() for parameter in model.parameters())  # type: ignore[union-attr]
    assert float(total) == pytest.approx(1.0, rel=1e-3)
    model.phi_epsilon.grad = torch.tensor(float("inf"))
    assert not clip_gradients(model, largest=1.0).isfinite()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("name", ["muon", "adamw", "schedule-free"])
def test_an_update_that_is_dropped_moves_no_weight(name: Literal["muon", "adamw"]) -> None:
    torch.manual_seed(0)
    model = RIM(RIMConfig())
    optimizer = build_optimizer(model, OptimizerRecipe(name=name, decay=0, average=0))
    if name == "schedule-free":
        optimizer.train()  # type: ignore[attr-defined]
    for overflows in (False, True):
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        if overflows:
            model.phi_epsilon.grad = torch.tensor(float("inf"))
        before = [parameter.clone() for parameter in model.parameters()]
        clip_gradients(model, largest=1.0)
        optimizer.step()
        pairs = zip(before, model.parameters(), strict=True)
        assert all(torch.equal(old, new) for old, new in pairs) == overflows
