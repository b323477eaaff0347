"""The page of the models: every card, and its scores beside the published ones."""

from __future__ import annotations

import re

from rimkit import weights
from rimkit.evaluation import published
from rimkit.evaluation.tables import SIGMAS, Row, published_rows
from rimkit.weights import Card

INTRODUCTION = """# Models

`rimkit models` lists what is in the package, `rimkit models NAME` prints a card, and
`rimkit.load(NAME)` loads the weights after comparing their checksum with the card's. Written from
the cards in the package and from the table of published scores that `rimkit evaluate` prints.
"""

DENOISING = re.compile(r"(\d+) images, sigma ([\d.]+)")


def page() -> str:
    """Return the page as Markdown."""
    return "\n".join([INTRODUCTION, *(_section(name) for name in weights.model_names())])


def _section(name: str) -> str:
    card = weights.card(name)
    rows = [
        ("parameters", f"{card.parameters:,}"),
        ("trained on", card.data),
        ("by", f"`{card.recipe.split(',')[0]}`{card.recipe[len(card.recipe.split(',')[0]) :]}"),
        ("in", f"{card.seconds:,} seconds"),
        ("licence", card.licence),
        ("SHA-256", f"`{card.sha256}`"),
    ]
    lines = [f"## {name}", "", f"{card.summary[:1].upper()}{card.summary[1:]}.", ""]
    lines += ["| card | |", "| --- | --- |", *(f"| {key} | {value} |" for key, value in rows), ""]
    return "\n".join([*lines, _scores(name, card)])


def _scores(name: str, card: Card) -> str:
    """Beside the published rows where the card's scores are of their kind, else as they are."""
    found = {key: DENOISING.fullmatch(key) for key in card.scores}
    if not all(found.values()):
        rows = [f"| {key} | {value:.2f} |" for key, value in card.scores.items()]
        return "\n".join(["| mean PSNR in dB | |", "| --- | --- |", *rows, ""])
    psnr = {
        (int(match[1]), float(match[2])): card.scores[key] for key, match in found.items() if match
    }
    own = Row(f"**rimkit {name}**", psnr, card.parameters, source="this model, measured")
    return _table([*published_rows(published.denoise_gray()), own])


def _table(rows: list[Row]) -> str:
    columns = [
        (images, sigma)
        for images in sorted({images for row in rows for images, _ in row.psnr})
        for sigma in SIGMAS
        if any((images, sigma) in row.psnr for row in rows)
    ]
    header = [
        "",
        "parameters",
        *(f"{images}:&nbsp;{sigma:g}" for images, sigma in columns),
        "source",
    ]
    lines = [
        "Mean PSNR in dB over the first 68 or all 100 test images of BSDS300, by sigma in grey",
        "levels of 255, noise not quantised:",
        "",
        f"| {' | '.join(header)} |",
        f"| --- |{' ---: |' * (len(columns) + 1)} --- |",
    ]
    for row in rows:
        scores = (row.psnr.get(column) for column in columns)
        cells = [row.method, f"{row.parameters:,}" if row.parameters else ""]
        cells += ["" if value is None else f"{value:.2f}" for value in scores]
        lines.append(f"| {' | '.join([*cells, row.source])} |")
    return "\n".join([*lines, ""])
