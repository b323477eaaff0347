"""The networks of the package compute what their plain twins compute, gradients included."""

import pytest
import torch
from benchmarks.plain_networks import PLAIN, plain_twin
from tests.cases import normal

from rimkit.networks import NETWORKS


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PLAIN)
def test_outputs_and_gradients_agree_over_three_steps(name: str, channels: int) -> None:
    torch.manual_seed(0)
    fast = NETWORKS[name](channels=channels).build()
    for parameter in fast.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    fast.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plain = plain_twin(name, fast)
    fast.double()
    plain.double()

    inputs = [normal(2, channels, 12, 16, seed=seed).requires_grad_() for seed in range(2)]
    results = []
    for network in (fast, plain):
        eta, score = inputs
        state = network.init_state(eta)
        total = torch.zeros((), dtype=torch.float64)
        for _ in range(3):
            delta, state = network(eta, score, state)
            eta = eta + delta
            total = total + eta.square().mean()
        gradients = torch.autograd.grad(total, inputs, retain_graph=True)
        total.backward(inputs=list(network.parameters()))
        results.append((eta.detach(), *gradients))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs)
    fast_gradient = {n: p.grad for n, p in fast.named_parameters()}
    plain_gradient = {n: p.grad for n, p in plain.named_parameters()}
    if name == "compact":
        joined = torch.cat([plain_gradient["enter_x.weight"], plain_gradient["enter_h.weight"]], 1)
        torch.testing.assert_close(fast_gradient["enter.weight"], joined)
    else:
        joined = torch.cat(
            [
                torch.cat([plain_gradient[f"gru.{gate}_{side}.weight"] for side in "xh"], 1)
                for gate in ("update", "reset")
            ]
        )
        torch.testing.assert_close(fast_gradient["gru.gates.weight"], joined)
