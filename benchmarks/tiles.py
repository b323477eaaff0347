"""The gains and costs of `rimkit.networks.winograd`, by number of channels.

``python benchmarks/tiles.py``: the time of a convolution of 32 patches of 16x16 with its gradients,
in the usual way and by tiles, as the shortest of twelve alternating rounds, and the error of each
against double precision. In float32, and in bf16 if the processor multiplies in it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rimkit.allocation import ready_for_updates
from rimkit.networks.winograd import SIDE, convolve
from rimkit.precision import worthwhile_precisions
from rimkit.provenance import stamp

SHAPES = [(64, 64), (128, 128), (192, 192), (256, 256), (320, 256), (320, 512)]
ROUNDS = 12

Convolution = Callable[[Tensor, Tensor], Tensor]


def main() -> None:
    ready_for_updates(None)
    torch.manual_seed(0)
    print(f"tiles.py: {stamp()}\n")
    for precision in worthwhile_precisions():
        dtype = getattr(torch, precision)
        print(f"{precision}, tiles of {SIDE[dtype]}x{SIDE[dtype]}")
        print("channels      usual ms  tiles ms   ratio  usual error  tiles error")
        for inputs, outputs in SHAPES:
            print(line(inputs, outputs, dtype), flush=True)
        print()


def line(inputs: int, outputs: int, dtype: torch.dtype) -> str:
    x = torch.randn(32, inputs, 16, 16).contiguous(memory_format=torch.channels_last)
    weight = nn.Conv2d(inputs, outputs, 3).weight.detach()
    weight = weight.contiguous(memory_format=torch.channels_last)
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    ways: list[Convolution] = [usual, functools.partial(convolve, side=SIDE[dtype])]
    errors = [relative(run(way, x.to(dtype), weight), exact) for way in ways]
    seconds = [
        [timed(functools.partial(run, way, x.to(dtype), weight)) for way in ways]
        for _ in range(ROUNDS)
    ]
    best = [1000 * min(times) for times in zip(*seconds, strict=True)]
    return (
        f"{inputs:>3} to {outputs:>3}{best[0]:>12.1f}{best[1]:>10.1f}{best[0] / best[1]:>8.2f}"
        f"{errors[0]:>13.1e}{errors[1]:>13.1e}"
    )


def usual(value: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(value, weight.to(value), padding=1)


def run(way: Convolution, x: Tensor, weight: Tensor) -> Tensor:
    """Forward and backward; returns the result."""
    out = way(x.requires_grad_(), weight.requires_grad_())
    out.backward(out.detach())  # type: ignore[no-untyped-call]
    return out.detach()


def relative(value: Tensor, exact: Tensor) -> float:
    """Root mean square of the error, divided by that of the exact value."""
    return float((value.double() - exact).square().mean().sqrt() / exact.square().mean().sqrt())


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
