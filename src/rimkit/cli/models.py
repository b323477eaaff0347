"""``rimkit models``."""

from __future__ import annotations

import argparse

from rimkit import weights


def run(options: argparse.Namespace) -> int:
    """List the models, or print the card of one."""
    if options.name is None:
        names = weights.model_names()
        for name in names:
            print(f"{name:<{max(map(len, names))}}  {weights.card(name).summary}")
        return 0
    card = weights.card(options.name)
    print(f"{options.name}: {card.summary}")
    print(f"parameters  {card.parameters:,}")
    print(f"data        {card.data}")
    print(f"recipe      {card.recipe}")
    print(f"seconds     {card.seconds:,}")
    print(f"licence     {card.licence}")
    for test, score in card.scores.items():
        print(f"{test:<34} " + (f"{score:.4f}" if test.endswith("SSIM") else f"{score:.2f} dB"))
    return 0
