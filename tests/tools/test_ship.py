"""What comes into the package, and what does not, on trainings and scores that are made up."""

from __future__ import annotations

import csv
import importlib
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

pytest.importorskip("lightning", reason="needs rimkit[train]")

from rimkit import settings, weights
from rimkit.data import bsds300
from rimkit.reproduction.models import settings_of
from rimkit.rim import RIM
from rimkit.trained import knows_levels
from rimkit.training.recipe import load_recipe
from rimkit.weights import Card, store

ROOT = Path(__file__).parents[2]
TINY = ["model.network.features=8", "model.network.blocks=1"]
TEST_IMAGES = sorted(Path(name).stem for name in bsds300.checksums() if name.startswith("test/"))


@pytest.fixture
def ship(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    return importlib.import_module("ship")


def made(
    folder: Path, name: str, *overrides: str, training: dict[str, Any] | None = None
) -> tuple[Path, str]:
    """A folder as a training leaves it; and the settings under which its weights are scored."""
    torch.manual_seed(0)
    recipe = load_recipe(name, overrides=[*TINY, *overrides])
    said = {
        "task": settings.to_table(recipe.task),
        "recipe": settings.to_table(recipe),
        "images": "190 for training, 10 held out",
        "read": {"bsds300": 200, "other": 0},
        "updates": recipe.optimizer.updates,
        "seconds": 100,
        "finished": True,
    }
    folder.mkdir(parents=True)
    path = folder / "weights.safetensors"
    store.save(RIM(recipe.model), path, training={**said, **(training or {})})
    names = [f"{name}.jpg" for name in sorted(bsds300.names("train"))]
    read = {"training": [[n, 1] for n in names[1:]], "held_out": [[names[0], 1]]}
    (folder / "inputs.json").write_text(json.dumps(read))
    steps = recipe.model.steps
    return folder, f"weights {weights.sha256(path)[:16]}, {steps} steps, float32"


def write(file: Path, rows: list[dict[str, object]]) -> Path:
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def denoising(
    file: Path, said: str, *, offset: float = 0.0, method: str = "rimkit weights"
) -> Path:
    """PSNR is offset + sigma + 0.01 times the number of the image; of 8 bits one less."""
    return write(
        file,
        [
            {
                "method": method,
                "image": image,
                "sigma": sigma,
                "quantised": "yes" if quantised else "no",
                "psnr_db": offset + sigma + number / 100 - quantised,
                "ssim": 0.5 + number / 1000,
                "settings": said,
            }
            for number, image in enumerate(TEST_IMAGES)
            for sigma in (15, 25, 50)
            for quantised in (False, True)
        ],
    )


def super_resolution(file: Path, said: str) -> Path:
    return write(
        file,
        [
            {"method": m, "image": image, "scale": scale, "psnr": 20 + scale, "ssim": 0.5,
             "settings": s}
            for m, s in (("bicubic", "8 bits"), ("rimkit", said + ", sigma 0.4 of 255"))
            for image in TEST_IMAGES
            for scale in (2.0, 3.0, 3.7, 4.0)
        ],
    )  # fmt: skip


def card_in(folder: Path, name: str) -> Card:
    table = tomllib.loads((folder / f"{name}.toml").read_text())
    return settings.from_table(Card, table)


@pytest.mark.parametrize("name", ["denoise-gray", "denoise-color", "random-projections"])
def test_a_denoiser_gets_a_card(ship: ModuleType, name: str, tmp_path: Path) -> None:
    run, said = made(tmp_path / "run", name, "unroll.steps=[1, 2]")
    scores = denoising(tmp_path / "table-images.csv", said)
    ship.ship(name, run, [scores], tmp_path, unfinished=False)
    card = card_in(tmp_path, name)
    path = tmp_path / f"{name}.safetensors"
    assert path.read_bytes() == (run / "weights.safetensors").read_bytes()
    assert card.sha256 == weights.sha256(path)
    assert card.parameters == sum(p.numel() for p in weights.load(path).parameters())
    assert card.recipe == (
        f"rimkit train {name} --set model.network.features=8 --set model.network.blocks=1 "
        "--set 'unroll.steps=[1,2]'"
    )
    assert card.seconds == 100
    assert card.data.startswith("the 200 training images of BSDS300 alone: 190")
    assert len(card.scores) == 2 * 2 * 6
    assert card.scores["68 images, sigma 25"] == pytest.approx(25.335)
    assert card.scores["100 images, sigma 50, 8-bit"] == pytest.approx(49.495)
    assert card.scores["100 images, sigma 15, 8-bit, SSIM"] == pytest.approx(0.5495)
    heading = (tmp_path / f"{name}.toml").read_text().split("[scores]")[1].splitlines()[0]
    assert card.sha256[:16] in heading
    assert f"{weights.load(path).steps} steps, float32" in heading


def test_super_resolution_gets_a_card(ship: ModuleType, tmp_path: Path) -> None:
    run, said = made(tmp_path / "run", "super-resolution")
    scores = super_resolution(tmp_path / "table3-images.csv", said)
    ship.ship("super-resolution", run, [scores], tmp_path, unfinished=False)
    found = card_in(tmp_path, "super-resolution").scores
    assert found["100 images, x3.7, PSNR"] == pytest.approx(23.7)
    assert list(found)[4:] == [f"100 images, x{scale}, SSIM" for scale in ("2", "3", "3.7", "4")]


def test_inpainting_gets_a_card(ship: ModuleType, tmp_path: Path) -> None:
    run, said = made(tmp_path / "run", "inpainting")
    ours = said + ", sigma 0.3 of 255 where there is no noise"
    lines = [
        {"method": m, "image": image, "holes": holes, "psnr_db": 20 + number + score,
         "ssim": 0.5, "settings": s}
        for m, s, score in (("total variation", "weight 60", 9.0), ("rimkit", ours, 0.0))
        for image in TEST_IMAGES[:68]
        for number, holes in enumerate(("half", "four-fifths", "strokes", "half-noisy"))
    ]  # fmt: skip
    scores = write(tmp_path / "inpainting-images.csv", lines)
    ship.ship("inpainting", run, [scores], tmp_path, unfinished=False)
    card = card_in(tmp_path, "inpainting")
    assert card.scores["68 images, half, PSNR"] == pytest.approx(20)
    assert card.scores["68 images, half-noisy, PSNR"] == pytest.approx(23)
    assert card.scores["68 images, strokes, SSIM"] == pytest.approx(0.5)
    assert len(card.scores) == 8
    write(scores, lines[:-1])
    with pytest.raises(ValueError, match="67 of 68 images at half-noisy"):
        ship.ship("inpainting", run, [scores], tmp_path, unfinished=False)


def test_the_start_is_told_and_its_seconds_are_added(ship: ModuleType, tmp_path: Path) -> None:
    first, _ = made(tmp_path / "first", "denoise-gray")
    file = first / "weights.safetensors"
    begun = f"start_from={file}"
    kept = {"sha256": "f" * 64, "seconds": 30, "read": {"bsds300": 200, "other": 0}}
    for number, (training, sha256, seconds) in enumerate(
        (
            ({"start": kept, "seconds": 101}, "f" * 16, 131),  # what the weights say of their start
            (
                {"seconds": 102},
                weights.sha256(file)[:16],
                202,
            ),  # older ones: the file that is there
        )
    ):
        run, said = made(tmp_path / f"run{number}", "denoise-gray", begun, training=training)
        scores = denoising(tmp_path / "table2-images.csv", said)
        ship.ship("denoise-gray", run, [scores], tmp_path, unfinished=False)
        card = card_in(tmp_path, "denoise-gray")
        told = f"--set start_from=first/weights.safetensors, from the weights {sha256}, "
        assert told in card.recipe
        assert str(tmp_path) not in card.recipe
        assert f", {seconds - training['seconds']} of the seconds being theirs" in card.recipe
        assert card.seconds == seconds
    file.unlink()
    ship.ship("denoise-gray", run, [scores], tmp_path, unfinished=False)
    card = card_in(tmp_path, "denoise-gray")
    assert "first/weights.safetensors, whose own seconds are not counted, all" in card.recipe
    assert card.seconds == 102


def test_what_was_stopped_early_is_shipped_only_if_asked_and_says_so(
    ship: ModuleType, tmp_path: Path
) -> None:
    early = {"finished": False, "updates": 1500}
    run, said = made(tmp_path / "run", "denoise-gray", training=early)
    scores = denoising(tmp_path / "table2-images.csv", said)
    with pytest.raises(ValueError, match=r"has not finished \(1,500 of 20,000 updates\)"):
        ship.ship("denoise-gray", run, [scores], tmp_path, unfinished=False)
    assert not (tmp_path / "denoise-gray.toml").exists()
    ship.ship("denoise-gray", run, [scores], tmp_path, unfinished=True)
    recipe = card_in(tmp_path, "denoise-gray").recipe
    assert recipe.endswith(", unfinished: 1,500 of 20,000 updates")


def other_weights(run: Path, scores: Path) -> None:
    scores.write_text(
        re.sub("weights [0-9a-f]{16}", "weights 0123456789abcdef", scores.read_text())
    )


def test_a_model_that_knows_of_levels_is_scored_so(ship: ModuleType, tmp_path: Path) -> None:
    run, said = made(tmp_path / "run", "denoise-gray", "task.quantised=half")
    knowing = ", knows of levels"
    plain = denoising(tmp_path / "table2-images.csv", said, offset=7)
    with pytest.raises(ValueError, match="holds 0 of 100 images at sigma 15, 8-bit"):
        ship.ship("denoise-gray", run, [plain], tmp_path, unfinished=False)
    knows = denoising(tmp_path / "other.csv", said + knowing).read_text().splitlines()
    rows = [row for row in knows[1:] if ",yes," in row]
    plain.write_text("\n".join([*plain.read_text().splitlines(), *rows]))
    ship.ship("denoise-gray", run, [plain], tmp_path, unfinished=False)
    card = card_in(tmp_path, "denoise-gray")
    assert card.scores["68 images, sigma 25"] == pytest.approx(32.335)
    assert card.scores["68 images, sigma 25, 8-bit"] == pytest.approx(24.335)
    assert f"8-bit{knowing}" in (tmp_path / "denoise-gray.toml").read_text()


def by_channel(run: Path, scores: Path) -> None:
    scores.write_text(scores.read_text().replace("steps, float32", "steps, float32, by channel"))


def only_knowing(run: Path, scores: Path) -> None:
    scores.write_text(
        scores.read_text().replace("steps, float32", "steps, float32, knows of levels")
    )


def an_image_less(run: Path, scores: Path) -> None:
    scores.write_text("\n".join(scores.read_text().splitlines()[:-6]))


def no_8_bit(run: Path, scores: Path) -> None:
    scores.write_text(
        "\n".join(row for row in scores.read_text().splitlines() if ",yes," not in row)
    )


def means(run: Path, scores: Path) -> None:
    scores.write_text("method,settings\nrimkit,weights\n")


def a_test_image(run: Path, scores: Path) -> None:
    text = (run / "inputs.json").read_text()
    (run / "inputs.json").write_text(text.replace('[["', f'[["{TEST_IMAGES[3]}.png", 1], ["', 1))


def another_image(run: Path, scores: Path) -> None:
    text = (run / "inputs.json").read_text()
    (run / "inputs.json").write_text(text.replace('[["', '[["holiday.jpg", 1], ["', 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_weights, "does not hold the scores of these weights"),
        (by_channel, "does not hold the scores of these weights"),
        (only_knowing, "does not hold the scores of these weights"),
        (an_image_less, "holds 99 of 100 images at sigma 15"),
        (no_8_bit, "holds 0 of 100 images at sigma 15, 8-bit"),
        (means, "no scores of single images"),
        (a_test_image, "the training read test images"),
        (another_image, "read other images than those of BSDS300"),
    ],
)
def test_what_is_refused(
    ship: ModuleType, tmp_path: Path, change: Callable[[Path, Path], None], message: str
) -> None:
    run, said = made(tmp_path / "run", "denoise-gray")
    scores = denoising(tmp_path / "table2-images.csv", said)
    change(run, scores)
    with pytest.raises(ValueError, match=message):
        ship.ship("denoise-gray", run, [scores], tmp_path, unfinished=False)
    assert not (tmp_path / "denoise-gray.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "training", "message"),
    [
        ("denoise-color", {}, r"are for denoising with 1 channel\(s\), not for denoising with 3"),
        ("random-projections", {}, "not for random-projections"),
        (
            "denoise-gray",
            {"start": {"read": {"bsds300": 200, "other": 7}}},
            "or its start, read other images",
        ),
    ],
)
def test_other_kinds_of_models_are_refused(
    ship: ModuleType, tmp_path: Path, name: str, training: dict[str, Any], message: str
) -> None:
    run, said = made(tmp_path / "run", "denoise-gray", training=training)
    scores = denoising(tmp_path / "table2-images.csv", said)
    with pytest.raises(ValueError, match=message):
        ship.ship(name, run, [scores], tmp_path, unfinished=False)


def test_the_command_says_what_is_wrong(ship: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="there are no weights at"):
        ship.main(["denoise-gray", str(tmp_path), "scores.csv"])
    with pytest.raises(SystemExit):
        ship.main(["denoise-grey", str(tmp_path), "scores.csv"])


@pytest.mark.parametrize("name", weights.model_names())
def test_the_cards_of_the_package_say_what_the_committed_tables_do(
    ship: ModuleType, name: str
) -> None:
    card, model = weights.card(name), weights.load(name)
    said = settings_of(name, model)
    tables = {"denoise-color": "table1", "super-resolution": "table3", "inpainting": "inpainting"}
    files = [ROOT / "results" / f"{tables.get(name, 'table2')}-images.csv"]
    if name == "random-projections":
        files.insert(0, ROOT / "results" / "figure2" / f"{name}.npz")
    means, _ = ship.mean_scores(files, said, knows_levels=knows_levels(model.training_record))
    assert card.scores.keys() == means.keys()
    for key, score in card.scores.items():
        assert float(means[key]) == pytest.approx(score, abs=1e-4), key
