"""Figure 2: reconstruction from random projections, step by step."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

from rimkit.evaluation.images import CleanImage, load_test_images
from rimkit.evaluation.projections import (
    PANELS,
    PER_IMAGE,
    TRAINED_STEPS,
    Panel,
    measure,
    psnr_by_step,
)
from rimkit.reproduction.costs import Priced, costs
from rimkit.reproduction.curves import Walks
from rimkit.reproduction.figure2_panels import draw
from rimkit.reproduction.figure2_text import report
from rimkit.reproduction.kept_curves import Curves
from rimkit.reproduction.setup import Setup
from rimkit.reproduction.walkers import (
    CLASSICAL,
    Walker,
    by_name,
    classical,
    learned,
    settings_text,
    steps_of,
    versions_of,
)
from rimkit.sheets import write_csv

_TIMED = Panel("gaussian", 0.2)


def figure2(setup: Setup) -> str:
    """Run every machine and the classical solvers on the same measurements, and draw PSNR by step.

    Machines whose curves are kept from earlier runs are drawn, too.

    Raises
    ------
    ValueError
        If there is no machine for random projections, or two have the same name.
    """
    images = list(load_test_images(setup.images or 100))
    asked = [*classical(), *learned(setup)]
    curves = Curves(setup.output / "figure2", say=setup.say)
    kept = curves.besides([walker.label for walker in asked], PANELS, images)
    named: list[Walker | Walks] = [*asked, *kept]
    by_name(named)  # checks their names before hours of work
    if len(asked) + len(kept) == len(CLASSICAL):
        raise ValueError("no machine for random projections is there: name a file with --add")
    everyone = by_name([*(curves.of(walker, PANELS, images) for walker in asked), *kept])
    found = {
        panel: {name: [seed.curves[panel] for seed in seeds] for name, seeds in everyone.items()}
        for panel in PANELS
    }
    machines = {name: seeds for name, seeds in everyone.items() if name not in CLASSICAL}
    setup.save(draw(found, list(machines)), "figure2.png")
    setup.save(draw(found, list(machines), deviations=True), "figure2-deviation.png")
    patches = len(images) * PER_IMAGE
    walks = list(itertools.chain.from_iterable(everyone.values()))
    write_csv(_lines(walks, patches), setup.output / "figure2.csv")
    parts = [*report(found, machines, patches=patches), *settings_text(walks, PANELS)]
    parts += ["", *versions_of(walks)]
    parts += ["", costs(f"{PER_IMAGE} patches of {_TIMED.title}", _priced(asked, images[0]))]
    return setup.write("figure2.txt", "\n".join(parts) + "\n")


def _priced(asked: Sequence[Walker], image: CleanImage) -> list[Priced]:
    """Walkers with the steps they are trained or tuned for, on the patches of an image."""
    measured = measure(image, _TIMED)
    priced = []
    for walker in asked:
        steps = TRAINED_STEPS if walker.learned else steps_of(walker, _TIMED)
        run = functools.partial(
            psnr_by_step,
            walker.solver(_TIMED),
            measured if walker.learned else measured.from_grey(),
            steps=steps,
            precision=walker.precision,
        )
        priced.append(Priced(walker.label, walker.parameters, steps, run))
    return priced


def _lines(everyone: Sequence[Walks], patches: int) -> list[dict[str, object]]:
    """A line for every step of a machine, and for the last step of a classical solver."""
    return [
        {
            "method": walks.name,
            "seed": walks.seed,
            "ensemble": panel.ensemble,
            "p": f"{panel.p:g}",
            "step": step,
            "psnr_db": f"{curve.mean[step]:.4f}",
            "deviation": f"{curve.deviation[step]:.4f}",
            "patches": patches,
        }
        for walks in everyone
        for panel, curve in walks.curves.items()
        for step in ([curve.steps] if walks.parameters is None else range(1, curve.steps + 1))
    ]
