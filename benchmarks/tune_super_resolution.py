"""Measure what sigma stands for in super-resolution, and choose the weight of total variation.

Everything on training images of BSDS300. Prints the RMS difference, in grey levels, between images
downscaled by MATLAB's imresize, rounded to 8 bits, and the linear operator (the root of the mean
over images of its mean square), then mean PSNR of luma for every weight tried.
Run: python benchmarks/tune_super_resolution.py [use every n-th training image, 1 by default]
"""

import math
import sys
from collections.abc import Iterator

from rimkit.data.images import load_bytes
from rimkit.data.splits import held_out_paths, training_paths
from rimkit.evaluation.super_resolution import Pair, difference_sigma, make_pair, score_luma
from rimkit.provenance import stamp
from rimkit.reproduction.super_resolution_methods import SCALES, interpolation, total_variation

WEIGHTS = (15.0, 50.0, 150.0, 500.0)


def training_pairs(scale: float, *, every: int) -> Iterator[Pair]:
    for path in training_paths()[::every]:
        yield make_pair(path.stem, load_bytes(path, channels=3).transpose(1, 2, 0), scale)


def held_out_pairs(scale: float) -> Iterator[Pair]:
    """Crops: total variation is slow."""
    for path in held_out_paths():
        image = load_bytes(path, channels=3).transpose(1, 2, 0)[48:240, 48:240]
        yield make_pair(path.stem, image, scale)


def main(every: int) -> None:
    print(f"tune_super_resolution.py: {stamp()}\n", flush=True)
    for scale in (2.0, 2.5, 3.0, 3.7, 4.0):
        values = [difference_sigma(pair) for pair in training_pairs(scale, every=every)]
        mean = math.sqrt(sum(value**2 for value in values) / len(values))
        print(
            f"x{scale:g}: sigma {mean:.3f} grey levels over {len(values)} images, "
            f"from {min(values):.3f} to {max(values):.3f} in one",
            flush=True,
        )
    for scale in SCALES:
        pairs = list(held_out_pairs(scale))
        for method in (interpolation(), *map(total_variation, WEIGHTS)):
            scores = [score_luma(method.restore(pair), pair)[0] for pair in pairs]
            mean = sum(scores) / len(scores)
            print(f"x{scale:g}, {method.name}, {method.settings}: {mean:.3f} dB", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
