"""Peak memory of an update against the number of steps, each measured in its own process.

Run as a module, this is that process:
``python -m rimkit.benchmarks.memory NETWORK PRECISION STEPS SEGMENT BATCH``.
"""

from __future__ import annotations

import subprocess
import sys
from typing import cast

import torch

from rimkit.allocation import peak, ready_for_updates, resident
from rimkit.networks import NETWORKS
from rimkit.precision import Precision, computing_in
from rimkit.problem import Denoising
from rimkit.rim import RIM, RIMConfig
from rimkit.training.loss import trajectory_loss
from rimkit.training.unroll import unroll

BATCH, PATCH = 32, 32


def peak_memory_of_update(
    network: str,
    *,
    steps: int,
    segment: int | None,
    precision: Precision,
    batch: int = BATCH,
) -> float:
    """Peak memory of an update in megabytes, above that of the idle process.

    Grey patches of 32x32, forward and backward. Linux only.

    Parameters
    ----------
    network
        A name in `rimkit.networks.NETWORKS`.
    steps, segment
        As in `rimkit.training.unroll.unroll`.
    precision
        Precision of the network.
    batch
        Number of patches.
    """
    numbers = [str(number) for number in (steps, segment or 0, batch)]
    command = [sys.executable, "-m", __name__, network, precision, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout)


def main(network: str, precision: Precision, steps: int, segment: int, batch: int) -> None:
    """Print the megabytes of an update in this process."""
    ready_for_updates(segment)
    torch.manual_seed(0)
    model = RIM(RIMConfig(network=NETWORKS[network]()))
    x = torch.rand(batch, 1, PATCH, PATCH)
    problem = Denoising(torch.full((batch,), 0.1))
    y = problem.simulate(x)
    idle = resident()
    with computing_in(precision):
        start = model.init(y, problem)
        unrolled = unroll(model, start, y, problem, steps=steps, segment=segment or None)
        loss = trajectory_loss(unrolled.estimates, x, weights=[1.0] * steps)
    loss.backward()  # type: ignore[no-untyped-call]
    print((peak() - idle) / 2**20)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], cast("Precision", sys.argv[2]), *map(int, sys.argv[3:]))
