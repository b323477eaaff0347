"""Does a step size given by the state bring the machine to rest? docs/decisions.md, 1.

Trains the grey recipe, cut to 650 updates, with and without it, and prints the PSNR on held-out
training images after the machine's own number of steps and after three times as many.
Run: python benchmarks/coming_to_rest.py [UPDATES]
"""

import csv
import dataclasses
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from rimkit.data.splits import training_paths
from rimkit.networks import CompactConfig, CompactNetwork, State
from rimkit.networks.cells import conv, start_at_rest
from rimkit.training.recipe import load_recipe
from rimkit.training.run import train
from rimkit.training.trainer import RunOptions


class UnsizedNetwork(CompactNetwork):
    """Delta directly from the state: as large as the last layer makes it in every step."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__(config)
        self.out = conv(config.features, self.stride**2 * config.channels)
        start_at_rest(self.out)

    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        hidden = self.next_state(eta, score, state[0])
        return self.delta_scale * F.pixel_shuffle(self.out(hidden), self.stride), (hidden,)


@dataclasses.dataclass(frozen=True)
class UnsizedConfig(CompactConfig):
    """Settings of `UnsizedNetwork`."""

    table_name: ClassVar[str] = "unsized"

    def build(self) -> UnsizedNetwork:
        return UnsizedNetwork(self)


def main(updates: int) -> None:
    for network in ("unsized", "compact"):
        overrides = [
            f"model.network.name={network}",
            f"optimizer.updates={updates}",
            f"validate_every={updates}",
        ]
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder)
            recipe = load_recipe("denoise-gray", overrides=overrides)
            train(recipe, training_paths(), RunOptions(output=output, progress=False))
            log = (output / "log" / "from-0000000" / "metrics.csv").read_text()
        last = [row for row in csv.DictReader(log.splitlines()) if row["val/psnr_sigma_25"]][-1]
        for sigma in (15, 25, 50):
            own, late = (float(last[f"val/psnr_sigma_{sigma}{end}"]) for end in ("", "_late"))
            steps = recipe.model.steps
            print(
                f"{network:<8} sigma {sigma}: {own:.2f} dB after {steps} steps, "
                f"{late:.2f} dB after {3 * steps}",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 650)
