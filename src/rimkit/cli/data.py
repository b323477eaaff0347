"""``rimkit data``."""

from __future__ import annotations

import argparse

from rimkit.data import bsds300


def run(options: argparse.Namespace) -> int:
    """Download a data set, check it and print its folder."""
    print(bsds300.fetch())
    return 0
