"""The results of a study, as a text table and as CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import statistics
from collections.abc import Sequence

import numpy as np

from rimkit.experiments.result import Look, Result
from rimkit.experiments.study import Choice, Study
from rimkit.training.log import LATE

_PLACE = ("group", "choice", "set", "seed", "update", "minutes")


@dataclasses.dataclass(frozen=True)
class Line:
    """Results of one choice: means over its seeds, in dB.

    Attributes
    ----------
    choice
        The choice.
    updates, seconds_per_update
        Of each of its trainings.
    psnr
        PSNR after the machine's own number of steps, by name of the validation problem.
    mean
        Mean over the validation problems.
    deviation
        Standard deviation of ``mean`` over the seeds; None for a single seed.
    by_seed
        The values of which ``mean`` is the mean, one per training.
    late
        Gain or loss of ``mean`` with ``late`` times as many steps.
    logged
        The study's ``columns`` at the end of the training.
    """

    choice: Choice
    updates: int
    seconds_per_update: float
    psnr: dict[str, float]
    mean: float
    deviation: float | None
    by_seed: dict[int, float]
    late: float
    logged: dict[str, float] = dataclasses.field(default_factory=dict)

    def gain_over(self, other: Line) -> float:
        """Mean difference in dB over the seeds that both have.

        Seeds differ by more than many choices do: compared with a mean over other seeds, a choice
        would gain or lose by its seeds alone.
        """
        return statistics.mean(self._gains_over(other))

    def error_over(self, other: Line) -> float | None:
        """Standard error in dB of `gain_over`; None if they have only one seed in common."""
        gains = self._gains_over(other)
        return float(np.std(gains, ddof=1)) / len(gains) ** 0.5 if len(gains) > 1 else None

    def _gains_over(self, other: Line) -> list[float]:
        return [
            mean - other.by_seed[seed]
            for seed, mean in self.by_seed.items()
            if seed in other.by_seed
        ]


def summarise(results: Sequence[Result]) -> list[Line]:
    """One line for every choice, in order."""
    by_choice: dict[str, list[Result]] = {}
    for result in results:
        by_choice.setdefault(result.choice.name, []).append(result)
    return [_line(group) for group in by_choice.values()]


def to_text(title: str, lines: Sequence[Line]) -> str:
    """Return a text table: choices below their groups, with their gain over the first line."""
    names = list(lines[0].psnr)
    width = max(len(line.choice.name) for line in lines) + 2
    problems = {name: name.removeprefix("sigma_") for name in names}
    head = f"{'':<{width}}{'updates':>8}{'s each':>8}"
    head += "".join(f"{title:>{_wide(title)}}" for title in problems.values())
    head += f"{'mean':>8}{'+/-':>7}{'seeds':>6}{'gain':>7}{'late':>7}"
    columns = dict.fromkeys(column for line in lines for column in line.logged)
    others = {column: column.rpartition("/")[2] for column in columns}
    rows = [title, "", head + "".join(f"  {name:>8}" for name in others.values())]
    group = ""
    for line in lines:
        if line.choice.group != group:
            group = line.choice.group
            rows += ["", group]
        spread = "" if line.deviation is None else f"{line.deviation:.3f}"
        row = f"{line.choice.name:<{width}}{line.updates:>8}{line.seconds_per_update:>8.3f}"
        row += "".join(f"{line.psnr[name]:>{_wide(title)}.2f}" for name, title in problems.items())
        gain = line.gain_over(lines[0])
        row += f"{line.mean:>8.2f}{spread:>7}{len(line.by_seed):>6}{gain:>+7.2f}{line.late:>+7.2f}"
        row += "".join(
            f"  {line.logged.get(column, math.nan):>{max(8, len(name))}.3g}"
            for column, name in others.items()
        )
        rows.append(row)
    return "\n".join(rows) + "\n"


def _wide(title: str) -> int:
    return max(8, len(title) + 2)


def to_csv(results: Sequence[Result]) -> str:
    """Return one row for every validation of every training."""
    names = list(results[0].looks[-1].psnr)
    others = list(dict.fromkeys(name for each in results for name in each.looks[-1].logged))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*_PLACE, *names, *others])
    for result in results:
        choice = result.choice
        for look in result.looks:
            what = (choice.group, choice.name, "; ".join(choice.set), result.seed)
            figures = [f"{look.psnr[name]:.4f}" for name in names]
            figures += [
                f"{look.logged[name]:.5g}" if name in look.logged else "" for name in others
            ]
            writer.writerow([*what, look.update, f"{result.minutes(look):.2f}", *figures])
    return stream.getvalue()


def from_csv(study: Study, text: str) -> list[Result]:
    """Read what `to_csv` wrote of a study, in the study's order; missing choices are left out.

    Raises
    ------
    ValueError
        If a line is not of this study, or lacks columns.
    """
    problems = {name + end for name in study.problems for end in ("", LATE)}
    found: dict[tuple[str, int], list[dict[str, str]]] = {}
    lines = csv.DictReader(text.splitlines())
    header = set(lines.fieldnames or ())
    if header and (absent := set(study.columns) - header):
        raise ValueError(f"this study also shows {', '.join(sorted(absent))}, which is missing")
    measured = header - {*_PLACE, *study.columns}
    for row in lines:
        if any(row.get(name) is None for name in _PLACE):
            raise ValueError(
                f"a line of a study must have the columns {', '.join(_PLACE)}, got {row}"
            )
        if None in row or None in row.values():
            raise ValueError(f"a line does not have the columns of the first one: {row}")
        for name in measured:
            if name not in problems or not row[name]:
                raise ValueError(f"{name!r} holds no PSNR of a problem of this study: {row}")
        found.setdefault((row["choice"], int(row["seed"])), []).append(row)
    if not found:
        raise ValueError("it holds no lines of a study")
    choices = {choice.name: choice for choice in study.choices}
    unknown = sorted({name for name, _ in found} - choices.keys())
    if unknown:
        raise ValueError(f"this study has no {', '.join(unknown)}")
    return [
        _result(choice, seed, found[choice.name, seed], study.columns)
        for choice in study.choices
        for seed in range(choice.seeds)
        if (choice.name, seed) in found
    ]


def _result(
    choice: Choice, seed: int, rows: Sequence[dict[str, str]], columns: Sequence[str]
) -> Result:
    looks = [
        Look(
            int(row["update"]),
            {name: float(row[name]) for name in row if name not in (*_PLACE, *columns)},
            {name: float(row[name]) for name in columns if row.get(name)},
        )
        for row in rows
    ]
    updates = looks[-1].update
    return Result(choice, seed, 60 * float(rows[-1]["minutes"]) / updates, updates, looks)


def _line(results: Sequence[Result]) -> Line:
    last = [result.looks[-1] for result in results]
    own = [look.mean for look in last]
    return Line(
        choice=results[0].choice,
        updates=results[0].updates,
        seconds_per_update=results[0].seconds_per_update,
        psnr={name: statistics.mean(look.own[name] for look in last) for name in last[0].own},
        mean=statistics.mean(own),
        deviation=float(np.std(own, ddof=1)) if len(own) > 1 else None,  # NaN if one diverged
        by_seed={result.seed: look.mean for result, look in zip(results, last, strict=True)},
        late=statistics.mean(look.late_mean for look in last) - statistics.mean(own),
        logged={
            name: statistics.mean(look.logged.get(name, math.nan) for look in last)
            for name in last[0].logged
        },
    )
