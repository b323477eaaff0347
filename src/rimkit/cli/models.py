"""``rimkit models``."""

from __future__ import annotations

import argparse

from rimkit import weights


def run(options: argparse.Namespace) -> int:
    """List the models, or print the card of one."""
    if options.name is None:
        for name in weights.model_names():
            print(f"{name:<16} {weights.card(name).summary}")
        return 0
    card = weights.card(options.name)
    print(f"{options.name}: {card.summary}")
    print(f"parameters  {card.parameters:,}")
    print(f"data        {card.data}")
    print(f"recipe      {card.recipe}")
    print(f"seconds     {card.seconds:,}")
    print(f"licence     {card.licence}")
    for test, score in card.scores.items():
        is_ssim = test.endswith("SSIM")
        print(f"{test:<28} {score:.4f}" if is_ssim else f"{test:<28} {score:.2f} dB")
    return 0
