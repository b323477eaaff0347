"""Put the weights of a training into the package, with a card whose every number is measured.

python tools/ship.py denoise-gray runs/denoise-gray scores.csv

scores.csv comes from ``rimkit evaluate runs/denoise-gray/weights.safetensors --csv scores.csv``.
"""

import csv
import hashlib
import json
import shutil
import sys
from pathlib import Path

from rimkit.weights import models, store

SUMMARIES = {
    "denoise-gray": "grey images with Gaussian noise, sigma 0 to 55 of 255",
}


def main(name: str, run: str, scores: str) -> None:
    source = Path(run) / "weights.safetensors"
    training = store.read_metadata(source)["training"]
    if not training["finished"]:
        sys.exit(f"{run} has not finished: {training['updates']} updates")
    folder = Path(models.__file__).parent
    target = folder / f"{name}.safetensors"
    shutil.copyfile(source, target)
    with Path(scores).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "measured in this run"]
    card = {
        "summary": SUMMARIES[name],
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "parameters": sum(p.numel() for p in store.read(target).parameters()),
        "data": f"BSDS300 training images alone, {training['images']}",
        "recipe": f"rimkit train {name}, {training['updates']:,} updates",
        "seconds": training["seconds"],
        "licence": "MIT for the weights as code; trained on BSDS300, which is for non-commercial "
        "research and education",
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in card.items()]
    lines += ["", "[scores]  # mean PSNR in dB"]
    lines += [f'"{r["images"]} images, sigma {r["sigma"]}" = {float(r["psnr_db"])}' for r in rows]
    (folder / f"{name}.toml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
