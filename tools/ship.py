"""Put the weights of a training into the package, with a card whose numbers are all measured.

python tools/ship.py denoise-gray runs/denoise-gray results/table2-images.csv

The scores are those of ``rimkit reproduce table2 --add runs/denoise-gray/weights.safetensors``, by
image: from table1 for a colour denoiser, from table2 for models that denoise grey images, from
table3 for super-resolution, from inpainting for inpainting; random projections also need the curves
of figure2. Scores on rounded images use the likelihood that the model was trained with. Weights of
a training that was stopped early need ``--unfinished``, which their card then says.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ship_recipe import how
from ship_scores import mean_scores

from rimkit import atomic, weights
from rimkit.data import bsds300
from rimkit.reproduction.models import settings_of
from rimkit.rim import RIM
from rimkit.tasks import DenoisingTask
from rimkit.trained import knows_levels
from rimkit.weights import models, record


class Kind(NamedTuple):
    """What a name in the package promises."""

    summary: str
    task: str
    channels: int


KINDS = {
    "denoise-gray": Kind("grey images with Gaussian noise, sigma 0 to 55 of 255", "denoising", 1),
    "denoise-color": Kind(
        "colour images with Gaussian noise, sigma 0 to 55 of 255", "denoising", 3
    ),
    "super-resolution": Kind(
        "colour images made 1 to 4 times smaller by antialiased bicubic resizing, without noise, "
        "blur or JPEG",
        "super-resolution",
        3,
    ),
    "inpainting": Kind(
        "missing pixels of colour images: scattered ones, scratches and writing; also with "
        "Gaussian noise, sigma up to 25 of 255",
        "inpainting",
        3,
    ),
    "random-projections": Kind(
        "grey patches from random projections: Gaussian, binary and Fourier ensembles",
        "random-projections",
        1,
    ),
}

LICENCE = (
    "MIT for the weights as code; trained on BSDS300, which is for non-commercial research and "
    "education"
)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Put weights into the package.")
    parser.add_argument("name", choices=sorted(KINDS))
    parser.add_argument("run", type=Path, help="folder of the training")
    parser.add_argument(
        "scores",
        type=Path,
        nargs="+",
        help="tableN-images.csv, inpainting-images.csv or figure2/NAME.npz",
    )
    parser.add_argument("--unfinished", action="store_true", help="of a training stopped early")
    options = parser.parse_args(arguments)
    folder = Path(models.__file__).parent
    try:
        ship(options.name, options.run, options.scores, folder, unfinished=options.unfinished)
    except (OSError, ValueError) as error:
        sys.exit(str(error))


def ship(name: str, run: Path, scores: list[Path], folder: Path, *, unfinished: bool) -> None:
    """Write weights and card into a folder; raise ``ValueError`` if anything is amiss."""
    path = run / "weights.safetensors"
    model, digest = weights.load(path), weights.sha256(path)
    training = model.training_record
    check(model, KINDS[name], unfinished=unfinished)
    data = images_said(run, training)
    recipe, seconds = how(name, training, digest)
    run_as = settings_of(path, model)
    means, what = mean_scores(scores, run_as, knows_levels=knows_levels(training))
    card = {
        "summary": KINDS[name].summary,
        "sha256": digest,
        "parameters": record.parameter_count(model),
        "data": data,
        "recipe": recipe,
        "seconds": seconds,
        "licence": LICENCE,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in card.items()]
    lines += ["", f"[scores]  # {what}; {run_as}"]
    lines += [f'"{key}" = {value}' for key, value in means.items()]
    with atomic.replacing(folder / f"{name}.safetensors") as file:
        file.write(path.read_bytes())
    with atomic.replacing(folder / f"{name}.toml") as file:
        file.write(("\n".join(lines) + "\n").encode())


def check(model: RIM, kind: Kind, *, unfinished: bool) -> None:
    """Raise ``ValueError`` unless the weights are of the kind, and from a finished training."""
    training = model.training_record
    if "recipe" not in training:
        raise ValueError("the weights do not say their recipe: an older rimkit trained them")
    if not training["finished"] and not unfinished:
        said = record.updates_of(training)
        raise ValueError(f"the training has not finished ({said}): --unfinished ships it so")
    task = training["task"].get("name", DenoisingTask.table_name)
    channels = model.config.network.channels
    if (task, channels) != (kind.task, kind.channels):
        raise ValueError(
            f"the weights are for {task} with {channels} channel(s), "
            f"not for {kind.task} with {kind.channels}"
        )


def images_said(run: Path, training: dict[str, Any]) -> str:
    """Describe the images; refuse weights that read test images, or images outside BSDS300."""
    table = json.loads((run / "inputs.json").read_text())
    names = {Path(name).stem for part in ("training", "held_out") for name, _ in table[part]}
    if names & bsds300.names("test"):
        raise ValueError("the training read test images")
    if names != bsds300.names("train") or record.images_read(training)["other"]:
        raise ValueError(
            "the training, or its start, read other images than those of BSDS300: a model of the "
            "package is trained as the protocol says"
        )
    return f"the 200 training images of BSDS300 alone: {training['images']}"


if __name__ == "__main__":
    main()
