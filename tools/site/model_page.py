"""The models page: every card, and its scores next to the published ones."""

from __future__ import annotations

import re

import rimkit
from rimkit import weights
from rimkit.evaluation import published
from rimkit.evaluation.denoising import Condition
from rimkit.evaluation.statistics import Mean
from rimkit.evaluation.tables import Row, published_rows
from rimkit.weights import Card

INTRODUCTION = """# Models

`rimkit models` lists what is in the package, `rimkit models NAME` prints a card, and
`rimkit.load(NAME)` loads the weights after comparing their checksum with the card's. Written from
the cards in the package and from the table of published scores that `rimkit evaluate` prints.
"""

DENOISING = re.compile(r"(\d+) images, sigma ([\d.]+)(, 8-bit)?")


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([INTRODUCTION, *(_section(name) for name in weights.model_names())])


def _section(name: str) -> str:
    card = weights.card(name)
    command, comma, rest = card.recipe.partition(", ")
    rows = [
        ("parameters", f"{card.parameters:,}"),
        ("trained on", card.data),
        ("by", f"`{command}`{comma}{rest}"),
        ("in", f"{card.seconds:,} seconds"),
        ("licence", card.licence),
        ("SHA-256", f"`{card.sha256}`"),
    ]
    lines = [f"## {name}", "", f"{card.summary[:1].upper()}{card.summary[1:]}.", ""]
    lines += ["| card | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in rows), ""]
    return "\n".join([*lines, _scores(name, card)])


def _scores(name: str, card: Card) -> str:
    """Scores of a card: next to the published rows if of their kind, else by themselves."""
    found = {key: DENOISING.fullmatch(key) for key in card.scores}
    rows = [f"| {key} | {card.scores[key]:.4g} |" for key, match in found.items() if not match]
    others = "\n".join(["| scores | |", "| --- | --- |", *rows, ""]) if rows else ""
    if not any(found.values()):
        return others
    psnr = {
        (int(match[1]), Condition(float(match[2]), match[3] is not None)): Mean(
            card.scores[key], float("nan")
        )
        for key, match in found.items()
        if match
    }
    own = Row(f"**rimkit {name}**", psnr, card.parameters, source="this model, measured")
    colour = rimkit.load(name).config.network.channels == 3
    theirs = published.denoise_color() if colour else published.denoise_gray()
    return "\n".join([_table([*published_rows(theirs), own]), others])


def _table(rows: list[Row]) -> str:
    columns = sorted(
        {place for row in rows for place in row.psnr},
        key=lambda place: (place[0], place[1].quantised, place[1].sigma),
    )
    header = [
        "",
        "parameters",
        *(
            f"{images}:&nbsp;{condition.sigma:g}{' 8-bit' if condition.quantised else ''}"
            for images, condition in columns
        ),
        "source",
    ]
    lines = [
        "Mean PSNR in dB over the first 68 or all 100 test images of BSDS300, by sigma in grey",
        "levels of 255; 8-bit where y was clipped and rounded:",
        "",
        f"| {' | '.join(header)} |",
        f"| --- |{' ---: |' * (len(columns) + 1)} --- |",
    ]
    for row in rows:
        scores = (row.psnr.get(column) for column in columns)
        cells = [row.method, f"{row.parameters:,}" if row.parameters else ""]
        cells += ["" if value is None else f"{value.value:.2f}" for value in scores]
        lines.append(f"| {' | '.join([*cells, row.source])} |")
    return "\n".join([*lines, ""])
