"""The networks of the package compute what their plain twins compute, gradients included."""

import pytest
import torch
from tests.cases import normal
from torch import Tensor

from rimkit.benchmarks.plain_networks import PLAIN, plain_twin
from rimkit.networks import NETWORKS


def assert_close_to_rounding(ours: Tensor, theirs: Tensor) -> None:
    """Sums of a few hundred terms, in another order: relative to the whole tensor."""
    error = (ours - theirs).norm() / theirs.norm()
    assert error < 100 * torch.finfo(ours.dtype).eps


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PLAIN)
def test_outputs_and_gradients_agree_over_three_steps(
    name: str, channels: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    fast = NETWORKS[name](channels=channels).build()
    for parameter in fast.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    fast.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plain = plain_twin(name, fast)
    fast.to(dtype)
    plain.to(dtype)
    inputs = [
        normal(2, channels, 12, 16, seed=seed, dtype=dtype).requires_grad_() for seed in range(2)
    ]
    results = []
    for network in (fast, plain):
        eta, score = inputs
        state = network.init_state(eta)
        total = torch.zeros((), dtype=dtype)
        for _ in range(3):
            delta, state = network(eta, score, state)
            eta = eta + delta
            total = total + eta.square().mean()
        gradients = torch.autograd.grad(total, inputs, retain_graph=True)
        total.backward(inputs=list(network.parameters()))
        results.append((eta.detach(), *gradients))
    for ours, theirs in zip(*results, strict=True):
        assert_close_to_rounding(ours, theirs)
    fast_gradient = {n: p.grad for n, p in fast.named_parameters()}
    plain_gradient = {n: p.grad for n, p in plain.named_parameters()}
    if name == "compact":
        joined = torch.cat([plain_gradient["enter_x.weight"], plain_gradient["enter_h.weight"]], 1)
        assert_close_to_rounding(fast_gradient["enter.weight"], joined)
    else:
        joined = torch.cat(
            [
                torch.cat([plain_gradient[f"gru.{gate}_{side}.weight"] for side in "xh"], 1)
                for gate in ("update", "reset")
            ]
        )
        assert_close_to_rounding(fast_gradient["gru.gates.weight"], joined)
