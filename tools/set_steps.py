"""Copy weights with a different default number of steps.

A machine may be trained and validated with fewer steps than it is used with.
Run: python tools/set_steps.py TRAINED.safetensors 4 SHIPPED.safetensors
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from rimkit import weights
from rimkit.weights import store


def set_steps(trained: Path, steps: int, written: Path) -> None:
    """Copy weights, and their record of the training, to a new file."""
    if written.exists():
        raise ValueError(f"{written} is there already")
    model = weights.load(trained)
    model.config = dataclasses.replace(model.config, steps=steps)
    store.save(model, written)


if __name__ == "__main__":
    set_steps(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
