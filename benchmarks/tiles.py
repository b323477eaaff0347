"""What `rimkit.networks.winograd` gains and costs, by the number of channels.

``python benchmarks/tiles.py``: time of a bf16 convolution of 32 patches of 16x16 with its
gradients, in the usual way and by tiles, the shortest of twelve in turn, and the error of each
against float32.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rimkit.footprint import ready_for_updates
from rimkit.networks.winograd import WinogradConv
from rimkit.provenance import stamp

SHAPES = [(64, 64), (128, 128), (192, 192), (256, 256), (320, 256), (320, 512)]
ROUNDS = 12


def main() -> None:
    ready_for_updates(None)
    torch.manual_seed(0)
    print(f"tiles.py: {stamp()}\n")
    print("channels      usual ms  tiles ms   ratio  usual error  tiles error")
    for inputs, outputs in SHAPES:
        print(line(inputs, outputs))


def line(inputs: int, outputs: int) -> str:
    x = torch.randn(32, inputs, 16, 16).contiguous(memory_format=torch.channels_last)
    tiles = WinogradConv(inputs, outputs).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    usual = nn.Conv2d(inputs, outputs, 3, padding=1).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    usual.load_state_dict(tiles.state_dict())
    exact = usual(x).detach()
    errors = [relative(run(layer, x), exact) for layer in (usual, tiles)]
    seconds = [
        [timed(functools.partial(run, layer, x)) for layer in (usual, tiles)] for _ in range(ROUNDS)
    ]
    best = [1000 * min(times) for times in zip(*seconds, strict=True)]
    return (
        f"{inputs:>3} to {outputs:>3}{best[0]:>12.1f}{best[1]:>10.1f}{best[0] / best[1]:>8.2f}"
        f"{errors[0]:>12.2%}{errors[1]:>13.2%}"
    )


def run(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Forward and backward in bf16; returns the result."""
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(x.clone().requires_grad_())
    out.backward(out.detach())  # type: ignore[no-untyped-call]
    return out.detach()


def relative(value: Tensor, exact: Tensor) -> float:
    """Root mean square of the error, over that of the value."""
    return float((value - exact).square().mean().sqrt() / exact.square().mean().sqrt())


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
