"""Training speed of the update networks, against plain ones and their convolutions alone."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rimkit.benchmarks.plain_networks import plain_twin
from rimkit.networks import NETWORKS, NetworkConfig, State, UpdateNetwork
from rimkit.precision import Precision, computing_in
from rimkit.problem import Denoising, Problem
from rimkit.rim import RIM, RIMConfig
from rimkit.training.loss import trajectory_loss
from rimkit.training.unroll import unroll

Way = Literal["plain float32", "float32", "bfloat16", "float32, compiled", "bfloat16, compiled"]


@dataclasses.dataclass(frozen=True)
class Workload:
    """A network unrolled for ``steps`` on ``batch`` grey patches of ``patch`` x ``patch``."""

    network: str
    batch: int
    patch: int
    steps: int


WORKLOADS = (
    Workload("paper", batch=32, patch=32, steps=20),
    Workload("atrous", batch=8, patch=32, steps=5),
    Workload("compact", batch=8, patch=64, steps=5),
)


@dataclasses.dataclass(frozen=True)
class Throughput:
    """Speed of one way of training a network; medians over all rounds.

    Attributes
    ----------
    workload, way
        What was run, and how.
    seconds
        Time of the loss and its gradient: all steps, forward and backward.
    patch_steps
        Steps of one patch per second.
    gflops
        Billions (10^9) of floating-point operations per second, those of the convolutions, counted
        as if all were computed directly.
    share
        Time that the same convolutions take alone at the same precision, computed directly, divided
        by ``seconds``: above 1 where `rimkit.networks.winograd` takes their place.
    speedup
        Time of the plain float32 network in the same round, divided by ``seconds``.
    """

    workload: Workload
    way: Way
    seconds: float
    patch_steps: float
    gflops: float
    share: float
    speedup: float


def measure(
    workload: Workload,
    *,
    rounds: int,
    precisions: Sequence[Precision],
    compiled: bool = False,
    say: Callable[[str], None],
) -> list[Throughput]:
    """Time every way of training a network, and its convolutions alone, in turn.

    Parameters
    ----------
    workload
        What is timed.
    rounds
        How often all are timed; ratios are taken within a round.
    precisions
        Precisions of the network and of its convolutions alone; the plain network is always in
        float32.
    compiled
        Whether to time the network under ``torch.compile``, too, in the last precision; needs a C++
        compiler.
    say
        Called with a line after every round.
    """
    torch.manual_seed(0)
    x = torch.rand(workload.batch, 1, workload.patch, workload.patch)
    problem = Denoising(torch.rand(workload.batch) * 0.2)
    y = problem.simulate(x)
    model = RIM(RIMConfig(network=NETWORKS[workload.network]()))
    plain = _plain(model)
    flops = _count(plain, x, y, problem, workload.steps)

    def update(machine: RIM, precision: Precision) -> Callable[[], object]:
        return lambda: _update(machine, x, y, problem, workload.steps, precision=precision)

    runs = {"plain float32": update(plain, "float32")}
    runs |= {precision: update(model, precision) for precision in precisions}
    if compiled:
        twin = RIM(model.config)
        twin.load_state_dict(model.state_dict())
        twin.network.compile()
        runs[f"{precisions[-1]}, compiled"] = update(twin, precisions[-1])
    ways = list(runs)
    for precision in dict.fromkeys(("float32", *precisions)):
        layers = _convolutions(model, y, problem, getattr(torch, precision))
        runs[f"alone {precision}"] = lambda layers=layers: [layer() for layer in layers]  # type: ignore[misc]
    for run in runs.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
        say(f"{workload.network}: round {number + 1} of {rounds}")
    return [_throughput(workload, way, times, flops) for way in ways]  # type: ignore[arg-type]


def _throughput(
    workload: Workload, way: Way, times: dict[str, list[float]], flops: int
) -> Throughput:
    seconds = statistics.median(times[way])
    alone = times["alone bfloat16" if way.startswith("bfloat16") else "alone float32"]

    def ratio(others: list[float]) -> float:
        return statistics.median(a / b for a, b in zip(others, times[way], strict=True))

    return Throughput(
        workload=workload,
        way=way,
        seconds=seconds,
        patch_steps=workload.batch * workload.steps / seconds,
        gflops=flops / seconds / 1e9,
        share=workload.steps * ratio(alone),
        speedup=ratio(times["plain float32"]),
    )


class _Adapter(UpdateNetwork):
    """A plain network behind the interface of `UpdateNetwork`."""

    def __init__(self, config: NetworkConfig, plain: nn.Module, stride: int) -> None:
        super().__init__(config)
        self.plain = plain
        self.stride = stride

    def init_state(self, eta: Tensor) -> State:
        return (self.plain.init_state(eta),)  # type: ignore[operator]

    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        delta, new = self.plain(eta, score, state[0])
        return delta, (new,)


def _plain(model: RIM) -> RIM:
    """The same machine around the plain network."""
    plain = RIM(model.config)
    config, fast = model.config.network, model.network
    plain.network = _Adapter(config, plain_twin(config.table_name, fast), fast.stride)
    return plain


def _update(
    model: RIM, x: Tensor, y: Tensor, problem: Problem, steps: int, *, precision: Precision
) -> None:
    """The loss of a rollout and its gradient."""
    model.zero_grad()
    with computing_in(precision):
        unrolled = unroll(model, model.init(y, problem), y, problem, steps=steps)
        loss = trajectory_loss(unrolled.estimates, x, weights=[1.0] * steps)
    loss.backward()  # type: ignore[no-untyped-call]


def _count(model: RIM, x: Tensor, y: Tensor, problem: Problem, steps: int) -> int:
    """Floating-point operations of the convolutions of an update, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        _update(model, x, y, problem, steps, precision="float32")
    return int(counter.get_total_flops())


def _convolutions(
    model: RIM, y: Tensor, problem: Problem, dtype: torch.dtype
) -> list[Callable[[], object]]:
    """Forward and backward pass of every convolution of a step, alone, on the same shapes."""
    shapes: list[tuple[Any, tuple[int, ...]]] = []
    hooks = [
        module.register_forward_hook(
            lambda module, inputs, _: shapes.append((module, tuple(inputs[0].shape)))
        )
        for module in model.network.modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    ]
    with torch.no_grad():
        model.step(model.init(y, problem), y, problem)
    for hook in hooks:
        hook.remove()
    return [_convolution(module, shape, dtype) for module, shape in shapes]


def _convolution(module: Any, shape: tuple[int, ...], dtype: torch.dtype) -> Callable[[], object]:
    def ready(tensor: Tensor) -> Tensor:
        return tensor.detach().to(dtype).contiguous(memory_format=torch.channels_last)

    x, weight = ready(torch.randn(shape)), ready(module.weight)
    bias = None if module.bias is None else module.bias.detach().to(dtype)
    rest = (
        module.stride,
        module.padding,
        module.dilation,
        isinstance(module, nn.ConvTranspose2d),
        module.output_padding,
        module.groups,
    )
    convolve = torch.ops.aten.convolution
    gradient = ready(torch.randn_like(convolve(x, weight, bias, *rest)))

    def run() -> None:
        convolve(x, weight, bias, *rest)
        torch.ops.aten.convolution_backward(
            gradient, x, weight, [len(gradient[0])], *rest, [True, True, bias is not None]
        )

    return run
