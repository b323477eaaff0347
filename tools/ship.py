"""Put the weights of a training into the package, with a card whose every number is measured.

python tools/ship.py denoise-gray runs/denoise-gray scores.csv

scores.csv comes from ``rimkit evaluate runs/denoise-gray/weights.safetensors --csv scores.csv``.
"""

import csv
import hashlib
import json
import sys
from pathlib import Path

from rimkit import atomic
from rimkit.data import bsds300
from rimkit.weights import models, store

SUMMARIES = {
    "denoise-gray": "grey images with Gaussian noise, sigma 0 to 55 of 255",
}


def main(name: str, run: str, scores: str) -> None:
    data = (Path(run) / "weights.safetensors").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    training = store.read_metadata(Path(run) / "weights.safetensors")["training"]
    if not training["finished"]:
        sys.exit(f"{run} has not finished: {training['updates']} updates")
    rows = [
        row
        for row in csv.DictReader(Path(scores).read_text().splitlines())
        if row["source"] == "measured in this run"
    ]
    if not rows or any(digest[:16] not in row["settings"] for row in rows):
        sys.exit(f"{scores} does not hold the scores of these weights")
    card = {
        "summary": SUMMARIES[name],
        "sha256": digest,
        "parameters": int(rows[0]["parameters"]),
        "data": f"{described(images_read(Path(run)))}: {training['images']}",
        "recipe": f"rimkit train {name}, {training['updates']:,} updates",
        "seconds": training["seconds"],
        "licence": "MIT for the weights as code; trained on BSDS300, which is for non-commercial "
        "research and education",
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in card.items()]
    lines += ["", f"[scores]  # mean PSNR in dB; {rows[0]['settings']}"]
    lines += [f'"{r["images"]} images, sigma {r["sigma"]}" = {float(r["psnr_db"])}' for r in rows]
    folder = Path(models.__file__).parent
    with atomic.replacing(folder / f"{name}.safetensors") as file:
        file.write(data)
    with atomic.replacing(folder / f"{name}.toml") as file:
        file.write(("\n".join(lines) + "\n").encode())


def images_read(run: Path) -> set[str]:
    """Names of all images that the training read."""
    table = json.loads((run / "inputs.json").read_text())
    return {name for part in ("training", "held_out") for name, _ in table[part]}


def described(names: set[str]) -> str:
    """Say what the images are; nothing is shipped that read a test image."""
    splits = {
        split: {Path(path).name for path in bsds300.checksums() if path.startswith(split)}
        for split in ("train", "test")
    }
    if names & splits["test"]:
        sys.exit("the training read test images")
    if names != splits["train"]:
        sys.exit("the training read other images than those of BSDS300")
    return "the 200 training images of BSDS300 alone"


if __name__ == "__main__":
    main(*sys.argv[1:])
