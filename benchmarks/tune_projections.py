"""Choose the settings of the classical solvers in Figure 2 and on the transfer problems.

On held-out training images of BSDS300: patches for random projections, from grey, and crops for the
other problems. Gradient descent: each step size, as a fraction of one over the largest curvature,
with its best number of steps. Total variation: every weight after several numbers of steps; of the
settings close to the best, the one with the fewest steps is chosen. Prints the mean grey, the mean
PSNR of everything tried, and the chosen settings as they appear in `rimkit.reproduction.tuned`.
Run: python benchmarks/tune_projections.py [patches per image, 2 by default]
"""

import functools
import math
import sys
from collections.abc import Sequence

import torch
from torch import Tensor

from rimkit import tree
from rimkit.classical import GradientDescent, TotalVariation, curvature
from rimkit.data.splits import held_out_paths, training_paths
from rimkit.evaluation.images import CleanImage, load_image
from rimkit.evaluation.projections import PANELS, Measured, Panel, measure, psnr_by_step
from rimkit.evaluation.transfer import TRANSFERS, Transfer
from rimkit.provenance import stamp
from rimkit.reproduction.tuned import Descent, Variation

SHARES = (0.25, 1.0)  # of one over the curvature
DESCENT_STEPS = 150
WEIGHTS = {
    "gaussian": (5.0, 7.0, 10.0, 14.0, 20.0, 28.0, 40.0),
    "binary": (5.0, 7.0, 10.0, 14.0, 20.0, 28.0, 40.0),
    "fourier": (5.0, 7.0, 10.0, 13.0, 17.0, 23.0, 30.0),
    "denoise-15": (9.0, 11.0, 13.0),
    "denoise-25": (6.0, 8.0, 11.0),
    "denoise-50": (4.0, 4.7, 5.5),
    "inpaint-5": (5.0, 7.0, 10.0, 15.0, 22.0),
    "inpaint-25": (4.0, 6.0, 9.0),
    "deblur": (3.0, 5.0, 7.0, 10.0),
    "frequencies": (5.0, 10.0, 15.0, 20.0),
    "counts": (9.0, 12.0, 16.0, 21.0),
}
VARIATION_STEPS = (25, 50, 100, 200, 400)
MORE_STEPS = (800, 1600)  # where few rows are measured
CLOSE = 0.02  # dB: a gain this small is not worth more steps
CROP = slice(96, 192)
CROPS = 4


@functools.cache
def held_out() -> list[CleanImage]:
    paths = held_out_paths()
    return [load_image(path, channels=1) for path in paths]


def together(parts: Sequence[Measured]) -> Measured:
    """Join all samples into one batch."""
    return Measured(
        torch.cat([part.truth for part in parts]),
        tree.join([part.problem for part in parts]),
        torch.cat([part.y for part in parts]),
    )


def means(solver: GradientDescent | TotalVariation, measured: Measured) -> Tensor:
    """Mean PSNR over all samples, by step; minus infinity once the batch has diverged."""
    return psnr_by_step(solver, measured, steps=solver.steps).mean(1).nan_to_num(-math.inf)


def tune_descent(m: Measured, floor: float) -> tuple[Descent, list[str]]:
    start = m.problem.initial(m.y)
    largest = curvature(start, m.y, m.problem, variance_floor=floor).max().item()
    tried: dict[Descent, float] = {}
    for share in SHARES:
        step_size = float(f"{share / largest:.2g}")
        solver = GradientDescent(step_size=step_size, steps=DESCENT_STEPS, variance_floor=floor)
        walk = means(solver, m)[1:]
        best = int(walk.argmax())
        tried[Descent(step_size, best + 1)] = walk[best].item()
    lines = [
        f"gradient descent, step size {d.step_size:g}, best after {d.steps} steps: {db:.3f} dB"
        for d, db in tried.items()
    ]
    return max(tried, key=lambda each: tried[each]), lines


def tune_variation(
    m: Measured, weights: Sequence[float], counts: Sequence[int], floor: float
) -> tuple[Variation, list[str]]:
    tried: dict[Variation, float] = {}
    lines = []
    for weight in weights:
        solver = TotalVariation(weight=weight, steps=counts[-1], variance_floor=floor)
        walk = means(solver, m)
        after = {steps: walk[steps].item() for steps in counts}
        tried |= {Variation(weight, steps): db for steps, db in after.items()}
        found = ", ".join(f"{db:.3f} dB after {steps}" for steps, db in after.items())
        lines.append(f"total variation, weight {weight:g}: {found}")
    enough = max(tried.values()) - CLOSE
    fewest = min(each.steps for each, db in tried.items() if db >= enough)
    return max((each for each in tried if each.steps == fewest), key=tried.__getitem__), lines


def measured(problem: Panel | Transfer, count: int) -> Measured:
    images = held_out()
    if isinstance(problem, Panel):
        return together([measure(image, problem, count=count).from_grey() for image in images])
    crops = [CleanImage(image.name, image.x[..., CROP, CROP]) for image in images[:CROPS]]
    return together([problem.measure(crop) for crop in crops])


def main(count: int) -> None:
    print(f"tune_projections.py {count}: {stamp()}\n", flush=True)
    paths = training_paths()
    grey = sum(load_image(path, channels=1).x.mean().item() for path in paths) / len(paths)
    print(f"mean grey of the training images: {grey:.3f}", flush=True)
    descents, variations = {}, {}
    problems: list[Panel | Transfer] = [*TRANSFERS, *reversed(PANELS)]
    for problem in problems:
        name, floor = problem.name, problem.variance_floor
        kind = problem.name if isinstance(problem, Transfer) else problem.ensemble
        m = measured(problem, count)
        descents[name], first = tune_descent(m, floor)
        few = isinstance(problem, Panel) and problem.p < 0.3
        counts = (*VARIATION_STEPS, *MORE_STEPS) if few else VARIATION_STEPS
        variations[name], second = tune_variation(m, WEIGHTS[kind], counts, floor)
        print("\n".join(f"{problem.title}: {line}" for line in (*first, *second)), flush=True)
    print()
    for title, chosen in (("DESCENTS", descents), ("VARIATIONS", variations)):
        print(f"{title} = {{")
        for name, settings in chosen.items():
            values = ", ".join(f"{value:g}" for value in settings)
            print(f'    "{name}": {type(settings).__name__}({values}),')
        print("}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
