"""``rimkit export``."""

from __future__ import annotations

import argparse

from rimkit.onnx.export import export


def run(options: argparse.Namespace) -> int:
    """Write one step of a model as an ONNX file, and print how far it is from torch."""
    done = export(options.model, options.output)
    print(
        f"{options.output} ({done.size / 1e6:.2f} MB, "
        f"differs from torch by at most {done.difference:.1e})"
    )
    return 0
