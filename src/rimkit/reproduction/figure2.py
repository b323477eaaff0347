"""Figure 2: reconstruction from random projections, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rimkit.data.bsds300 import cache_folder
from rimkit.evaluation.projections import PANELS, PER_IMAGE, Panel
from rimkit.evaluation.protocols import load_test_images
from rimkit.evaluation.tables import write_csv
from rimkit.reproduction.curves import Curve, Curves, Walker
from rimkit.reproduction.figure2_panels import draw
from rimkit.reproduction.figure2_text import report
from rimkit.reproduction.setup import Setup
from rimkit.reproduction.walkers import classical, learned, settings_of

Found = Mapping[Panel, Mapping[str, Sequence[Curve]]]
"""By panel and name: a curve for every seed."""


def figure2(setup: Setup) -> str:
    """Run every machine and the classical solvers on the same measurements, and draw PSNR by step.

    Raises
    ------
    ValueError
        If there is no machine for random projections, or two have one name.
    """
    machines = learned(setup)
    images = list(load_test_images(setup.images or 100))
    walkers = {walker.name: [walker] for walker in classical()} | machines
    kept = Curves(cache_folder() / "figure2", say=setup.say)
    found: dict[Panel, dict[str, list[Curve]]] = {panel: {} for panel in PANELS}
    for name, seeds in walkers.items():
        for panel in PANELS:
            found[panel][name] = [kept.of(walker, panel, images) for walker in seeds]
    setup.save(draw(found, list(machines)), "figure2.png")
    everyone = [walker for seeds in walkers.values() for walker in seeds]
    patches = len(images) * PER_IMAGE
    write_csv(_lines(walkers, found, patches), setup.output / "figure2.csv")
    parts = [*report(found, machines, patches=patches), *settings_of(everyone, PANELS)]
    return setup.write("figure2.txt", "\n".join(parts) + "\n")


def _lines(
    walkers: Mapping[str, Sequence[Walker]], found: Found, patches: int
) -> list[dict[str, object]]:
    """A line for every step of a machine, and for the last of a classical solver."""
    return [
        {
            "method": name,
            "seed": walker.seed,
            "ensemble": panel.ensemble,
            "p": f"{panel.p:g}",
            "step": step,
            "psnr_db": f"{curve.mean[step]:.4f}",
            "deviation": f"{curve.deviation[step]:.4f}",
            "patches": patches,
        }
        for name, seeds in walkers.items()
        for number, walker in enumerate(seeds)
        for panel in PANELS
        for curve in [found[panel][name][number]]
        for step in ([curve.steps] if walker.parameters is None else range(1, curve.steps + 1))
    ]
