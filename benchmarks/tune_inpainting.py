"""Choose the weight of total variation for missing pixels, and its number of steps.

On crops of held-out training images of BSDS300. Prints mean PSNR of the first guess, and of every
weight and number of steps tried; then the smallest number of steps at which no problem loses more
than a negligible amount, and the best weight of each problem at that number.
Run: python benchmarks/tune_inpainting.py [use every n-th held-out image, 1 by default]
"""

import statistics
import sys
from collections.abc import Sequence

from rimkit.data.splits import held_out_paths
from rimkit.evaluation.images import CleanImage, load_image
from rimkit.evaluation.inpainting import HOLES, Holes, Seen, score
from rimkit.provenance import stamp
from rimkit.reproduction.inpainting_methods import InpaintingMethod, first_guess, total_variation

WEIGHTS = (15.0, 30.0, 45.0, 60.0, 90.0, 120.0, 240.0)
NOISY_WEIGHTS = (5.0, 6.5, 8.0, 10.0, 12.0)
STEPS = (50, 100, 200)
CLOSE = 0.05  # dB: a loss this small is not worth twice the steps
CROP = slice(96, 224)


def crops(every: int) -> list[CleanImage]:
    paths = held_out_paths()[::every]
    whole = [load_image(path, channels=3) for path in paths]
    return [CleanImage(image.name, image.x[..., CROP, CROP]) for image in whole]


def mean(method: InpaintingMethod, given: Sequence[Seen]) -> float:
    return statistics.mean(score(method.restore(seen), seen)[0] for seen in given)


def tune(holes: Holes, images: Sequence[CleanImage]) -> dict[int, dict[float, float]]:
    """Mean PSNR by number of steps and by weight."""
    given = [holes.measure(image) for image in images]
    print(f"{holes.title}: first guess: {mean(first_guess(), given):.3f} dB", flush=True)
    tried: dict[int, dict[float, float]] = {steps: {} for steps in STEPS}
    for weight in NOISY_WEIGHTS if holes.sigma else WEIGHTS:
        for steps in STEPS:
            tried[steps][weight] = mean(total_variation(weight, steps), given)
        found = ", ".join(f"{tried[steps][weight]:.3f} dB after {steps}" for steps in STEPS)
        print(f"{holes.title}: weight {weight:g}: {found}", flush=True)
    return tried


def loss(tried: dict[int, dict[float, float]], steps: int) -> float:
    """How far the best weight at this number of steps is below the best of all, in dB."""
    return max(max(of.values()) for of in tried.values()) - max(tried[steps].values())


def main(every: int) -> None:
    print(f"tune_inpainting.py {every}: {stamp()}\n", flush=True)
    images = crops(every)
    found = {holes.name: tune(holes, images) for holes in HOLES}
    enough = [s for s in STEPS if all(loss(tried, s) <= CLOSE for tried in found.values())]
    chosen = min(enough, default=STEPS[-1])
    best = {
        name: max(tried[chosen], key=tried[chosen].__getitem__) for name, tried in found.items()
    }
    print(f"\nTV_WEIGHTS = {best}\nTV_STEPS = {chosen}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
