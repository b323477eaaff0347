"""Peak memory of an update against the number of steps, each in a process of its own.

Run as a module it is that process:
``python -m rimkit.benchmarks.memory NETWORK STEPS SEGMENT PRECISION``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import torch

from rimkit.allocation import ready_for_updates
from rimkit.networks import NETWORKS
from rimkit.precision import Precision
from rimkit.problem import Denoising
from rimkit.rim import RIM, RIMConfig
from rimkit.training.loss import trajectory_loss
from rimkit.training.unroll import unroll

BATCH, PATCH = 32, 32


def peak_memory_of_update(
    network: str, *, steps: int, segment: int | None, precision: Precision
) -> float:
    """Megabytes that an update takes at its peak, above what the idle process has.

    A batch of 32 grey patches of 32x32, forward and backward. Linux only.

    Parameters
    ----------
    network
        A name in `rimkit.networks.NETWORKS`.
    steps, segment
        As in `rimkit.training.unroll.unroll`.
    precision
        In which the network computes.
    """
    command = [sys.executable, "-m", __name__, network, str(steps), str(segment or 0), precision]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout)


def main(network: str, steps: int, segment: int, precision: str) -> None:
    """Print the megabytes of an update in this process."""
    ready_for_updates(segment)
    torch.manual_seed(0)
    model = RIM(RIMConfig(network=NETWORKS[network]()))
    x = torch.rand(BATCH, 1, PATCH, PATCH)
    problem = Denoising(torch.full((BATCH,), 0.1))
    y = problem.simulate(x)
    idle = megabytes("VmRSS")
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        start = model.init(y, problem)
        unrolled = unroll(model, start, y, problem, steps=steps, segment=segment or None)
        loss = trajectory_loss(unrolled.estimates, x, weights=[1.0] * steps)
    loss.backward()  # type: ignore[no-untyped-call]
    print(megabytes("VmHWM") - idle)  # noqa: T201


def megabytes(field: str) -> float:
    """A size of this process by its name in Linux (``VmHWM``: the peak), in 2^20 bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    if match is None:
        raise ValueError(f"this system does not say its {field}")
    return int(match[1]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
