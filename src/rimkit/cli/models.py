"""``rimkit models``."""

from __future__ import annotations

import argparse

from rimkit import weights
from rimkit.weights import record


def run(options: argparse.Namespace) -> int:
    """List the models, or print the card of one, or what a weights file says about itself."""
    if options.name is None:
        names = weights.model_names()
        for name in names:
            print(f"{name:<{max(map(len, names))}}  {weights.card(name).summary}")
        return 0
    if options.name.endswith(".safetensors"):
        _tell_of_file(options.name)
        return 0
    card = weights.card(options.name)
    print(f"{options.name}: {card.summary}")
    print(f"parameters  {card.parameters:,}")
    print(f"data        {card.data}")
    print(f"recipe      {card.recipe}")
    print(f"seconds     {card.seconds:,}")
    print(f"licence     {card.licence}")
    width = max(map(len, card.scores), default=0)
    for test, score in card.scores.items():
        print(
            f"{test:<{width}} " + (f"{score:.4f}" if test.endswith("SSIM") else f"{score:.2f} dB")
        )
    return 0


def _tell_of_file(path: str) -> None:
    model = weights.load(path)
    told = model.training_record
    beyond = record.beyond_protocol(told)
    print(f"{path}: {record.described(model)}")
    print(f"channels    {model.config.network.channels}")
    print(f"steps       {model.steps}")
    for key, value in (
        ("task", told.get("task", {}).get("name", "")),
        ("images", "; ".join(filter(None, (told.get("images", ""), beyond)))),
        ("precision", told.get("precision", "")),
        ("start", record.started_from(told)),
    ):
        if value:
            print(f"{key:<11} {value}")
    print(f"sha256      {weights.sha256(path)}")
