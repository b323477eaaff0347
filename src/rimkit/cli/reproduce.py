"""``rimkit reproduce``."""

from __future__ import annotations

import argparse
import sys

from rimkit.reproduction.catalogue import reproduce
from rimkit.reproduction.setup import Setup


def run(options: argparse.Namespace) -> int:
    """Measure a table or a figure, and print it."""
    setup = Setup(
        output=options.output,
        say=lambda line: print(line, file=sys.stderr, flush=True),
        images=options.images,
        models=tuple(options.models),
        others=options.others,
    )
    print(reproduce(options.what, setup), end="")
    return 0
