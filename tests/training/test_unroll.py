import copy
import sys
from collections.abc import Callable

import pytest
import torch
from tests.cases import NETWORK_CASES, uniform
from torch import Tensor

from rimkit.benchmarks.memory import peak_memory_of_update
from rimkit.networks import NetworkConfig
from rimkit.problem import Denoising, Problem
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import Iterate, Solver
from rimkit.training.unroll import unroll

each = pytest.mark.parametrize("config", NETWORK_CASES.values(), ids=NETWORK_CASES.keys())


def machine(config: Callable[[int], NetworkConfig]) -> RIM:
    torch.manual_seed(0)
    model = RIM(RIMConfig(network=config(1), link="sigmoid")).double()
    torch.nn.init.normal_(model.network.out.weight, std=0.05)
    return model


@each
@pytest.mark.parametrize("segment", [1, 3, 7, 20])
def test_segments_change_memory_and_nothing_else(
    config: Callable[[int], NetworkConfig], segment: int
) -> None:
    x = uniform(2, 1, 12, 16)
    problem = Denoising(0.1)
    y = problem.simulate(x, generator=torch.Generator().manual_seed(0))
    whole = machine(config)
    cut = copy.deepcopy(whole)
    for model, length in ((whole, None), (cut, segment)):
        unrolled = unroll(model, model.init(y, problem), y, problem, steps=7, segment=length)
        assert len(unrolled.estimates) == 7
        assert torch.equal(unrolled.last.x, unrolled.estimates[-1])
        torch.stack(
            [(estimate - x).square().mean() for estimate in unrolled.estimates]
        ).sum().backward()
    for (name, ours), theirs in zip(cut.named_parameters(), whole.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, msg=name)
    # Statistics of batch norm: a batch that is run through a layer twice counts once.
    for (name, ours), theirs in zip(cut.named_buffers(), whole.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, msg=name)
    counts = [buffer for name, buffer in cut.named_buffers() if name.endswith("batches_tracked")]
    assert all(count == 7 for count in counts)


class Shifts(Solver):
    """Adds a weight of its own in every step."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.shifts = torch.nn.Parameter(torch.linspace(0.1, 0.7, steps, dtype=torch.float64))

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        return Iterate(y, y, (torch.zeros(len(y), dtype=torch.long),))

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        (number,) = iterate.state
        x = iterate.x * (1 + self.shifts[number].view(-1, 1, 1, 1))
        return Iterate(x, x, (number + 1,))


@pytest.mark.parametrize("segment", [None, 1, 2, 3])
def test_gradients_reach_the_weights_of_the_right_step(segment: int | None) -> None:
    x, problem = uniform(2, 1, 3, 4), Denoising(0.1)
    solver = Shifts(5)
    unrolled = unroll(solver, solver.init(x, problem), x, problem, steps=5, segment=segment)  # type: ignore[arg-type]
    weights = [1.0, 0.0, 2.0, 0.0, 3.0]
    sum(w * e.sum() for w, e in zip(weights, unrolled.estimates, strict=True)).backward()  # type: ignore[union-attr]
    factors = 1 + solver.shifts.detach()
    expected = [
        sum(
            weights[last] * x.sum() * factors[: last + 1].prod() / factors[step]
            for last in range(step, 5)
        )
        for step in range(5)
    ]
    assert solver.shifts.grad is not None
    torch.testing.assert_close(solver.shifts.grad, torch.stack(expected))  # type: ignore[arg-type]


@each
@pytest.mark.parametrize("segment", [None, 2])
def test_the_score_can_be_an_input_without_gradients(
    config: Callable[[int], NetworkConfig], segment: int | None
) -> None:
    # The oracle: the same steps with the scores of a first run put in as numbers.
    x = uniform(2, 1, 12, 16)
    problem = Denoising(0.1)
    y = problem.simulate(x, generator=torch.Generator().manual_seed(0))
    first = machine(config)
    second = copy.deepcopy(first)
    start = first.init(y, problem)
    unrolled = unroll(first, start, y, problem, steps=3, segment=segment, through_score=False)
    kept = unroll(copy.deepcopy(first), start, y, problem, steps=3).estimates
    assert all(map(torch.equal, unrolled.estimates, kept))
    iterate = second.init(y, problem)
    for _ in range(3):
        floor = second.variance_floor
        score = (y - iterate.x.detach()) / (0.1**2 + floor)
        iterate = second.update(iterate, score)
    for estimate in (unrolled.estimates[-1], iterate.x):
        (estimate - x).square().mean().backward()
    for (name, ours), theirs in zip(first.named_parameters(), second.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, msg=name)
    assert first.phi_epsilon.grad is not None


def test_under_autocast_too() -> None:
    torch.manual_seed(0)
    model = RIM(RIMConfig(network=NETWORK_CASES["paper"](1)))
    torch.nn.init.normal_(model.network.out.weight, std=0.05)
    x = uniform(1, 1, 8, 8, dtype=torch.float32)
    gradients = []
    for segment in (None, 2):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            start = model.init(x, Denoising(0.1))
            last = unroll(model, start, x, Denoising(0.1), steps=5, segment=segment).last
        last.x.square().mean().backward()
        gradients.append([p.grad.clone() for p in model.network.parameters()])  # type: ignore[union-attr]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=1e-5)


@pytest.mark.parametrize(("steps", "segment"), [(0, None), (-1, 2), (3, 0), (3, -1)])
def test_lengths_are_checked(steps: int, segment: int | None) -> None:
    model = RIM()
    y = torch.rand(1, 1, 8, 8)
    with pytest.raises(ValueError, match="at least 1"):
        unroll(
            model,
            model.init(y, Denoising(0.1)),
            y,
            Denoising(0.1),
            steps=steps,
            segment=segment,
        )


@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_a_hundred_steps() -> None:
    few, many, kept = (
        peak_memory_of_update(
            "compact", steps=steps, segment=segment, precision="float32", batch=16
        )
        for steps, segment in ((10, 10), (100, 10), (100, None))
    )
    assert many <= 2 * few
    assert many <= kept / 4
