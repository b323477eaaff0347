"""``rimkit experiments``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rimkit import atomic
from rimkit.data.splits import training_paths
from rimkit.experiments.report import from_csv, summarise, to_csv, to_text
from rimkit.experiments.result import Result
from rimkit.experiments.run import run_study
from rimkit.experiments.study import Study, load_study
from rimkit.provenance import stamp, version

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def run(options: argparse.Namespace) -> int:
    """Run a study, or read the results of one, and print its table."""
    version()  # of the code that measures
    study = load_study(options.study)
    if options.seeds is not None:
        study = study.with_seeds(options.seeds)
    output = options.output or Path("runs") / "experiments" / Path(options.study).stem
    if options.again and options.read is None:
        raise ValueError("--again needs --from, which holds the results of the other choices")
    if options.only and options.read is not None:
        raise ValueError("--only cannot be used with --from: use --again for choices to train")
    for path in filter(None, (options.text, options.csv, options.figure)):
        atomic.check_place(path)
    draw = _drawing(study, options.figure) if options.figure else None  # before hours of training
    results: list[Result] = []
    if options.read is not None:
        try:
            kept = from_csv(study, options.read.read_text())
        except ValueError as error:
            raise ValueError(f"{options.read}: {error}") from error
        results += [result for result in kept if result.choice.name not in options.again]
    if options.read is None or options.again:
        results += run_study(
            study,
            training_paths(*options.data),
            output,
            only=options.only or options.again,
            costs={result.choice.name: result.seconds_per_update for result in results},
            jobs=options.jobs,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    order = {choice.name: place for place, choice in enumerate(study.choices)}
    results.sort(key=lambda result: (order[result.choice.name], result.seed))
    command = f"rimkit experiments {Path(options.study).stem}"
    command += "" if options.seeds is None else f" --seeds {options.seeds}"
    command += "" if options.read is None else f" --from {options.read.name}"
    command += "".join(f" --only {shlex.quote(name)}" for name in options.only)
    command += "".join(f" --again {shlex.quote(name)}" for name in options.again)
    text = f"{command}: {stamp()}\n\n{to_text(study.title, summarise(results))}"
    for path, content in ((options.text, text), (options.csv, to_csv(results))):
        if path is not None:
            with atomic.replacing(path) as file:
                file.write(content.encode())
    if draw is not None:
        with atomic.replacing(options.figure) as file:
            draw(results).savefig(file, format=_format(options.figure))
    print(text, end="")
    return 0


def _drawing(study: Study, path: Path) -> Callable[[list[Result]], Figure]:
    """Return the function that draws a study, after importing what it needs.

    Raises
    ------
    ValueError
        If no figure can be written to a file of this name.
    """
    from rimkit.experiments.figures import FORMATS, curves_figure, gains_figure

    if _format(path) not in FORMATS:
        raise ValueError(
            f"{path}: the name of a figure must end in one of {', '.join(sorted(FORMATS))}"
        )
    if study.looks > 1:
        return lambda results: curves_figure(study.title, results)
    return lambda results: gains_figure(study.title, summarise(results))


def _format(path: Path) -> str:
    return path.suffix[1:].lower() or "png"
