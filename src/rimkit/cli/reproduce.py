"""``rimkit reproduce``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rimkit.reproduction.catalogue import reproduce
from rimkit.reproduction.setup import Setup


def run(options: argparse.Namespace) -> int:
    """Measure a table or a figure, and print it."""
    if options.output is None and options.images is not None:
        raise ValueError(
            "--images is a quick look, not a result: name a folder for it with --output DIR"
        )
    setup = Setup(
        output=options.output or Path("results"),
        say=lambda line: print(line, file=sys.stderr, flush=True),
        images=options.images,
        models=tuple(options.models),
        others=options.others,
    )
    print(reproduce(options.what, setup), end="")
    return 0
