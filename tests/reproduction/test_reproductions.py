"""Every table and figure, on images of our own."""

from __future__ import annotations

import csv
import dataclasses
import importlib
import math
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
import torch
from tests.cases import uniform
from torch import Tensor

from rimkit import baselines, weights
from rimkit.cli.main import main
from rimkit.ensemble import SelfEnsemble
from rimkit.evaluation.denoising import Condition, noisy, score_denoising, solver_restore
from rimkit.evaluation.images import CleanImage
from rimkit.networks import PaperConfig
from rimkit.problem import Problem
from rimkit.reproduction import denoising, denoising_methods, receptive_field, rest, seconds
from rimkit.reproduction.catalogue import REPRODUCTIONS
from rimkit.reproduction.denoising_methods import as_learned, by_channel, ours
from rimkit.reproduction.scores import DenoisingMethod
from rimkit.reproduction.setup import Setup
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import DivergenceError, Iterate
from rimkit.weights import store

ROOT = Path(__file__).parents[2]


def test_every_entry_has_its_function() -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    for name, entry in REPRODUCTIONS.items():
        module = importlib.import_module(f"rimkit.reproduction.{entry.module}")
        assert callable(getattr(module, name.replace("-", "_")))


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Setup:
    """Three small images stand for the test images; no other method is installed."""

    def load(count: int, *, channels: int = 1) -> list[CleanImage]:
        smooth = torch.nn.functional.interpolate(
            uniform(3, channels, 5, 6).float(), size=(24, 28), mode="bicubic"
        ).clamp(0, 1)
        return [CleanImage(str(n), smooth[n : n + 1]) for n in range(min(count, 3))]

    monkeypatch.setattr(denoising, "load_test_images", load)
    monkeypatch.setattr(denoising, "seconds_of", lambda restorations: 0.1 * len(restorations))
    monkeypatch.setattr(denoising, "memory_of", lambda restoration: 12.0)
    monkeypatch.setattr(baselines, "installed", lambda *, channels: {})
    return Setup(output=tmp_path, say=lambda _: None)


@pytest.mark.parametrize(
    ("table", "channels", "others"),
    [
        (1, 3, [as_learned("denoise-color", steps=2), by_channel("denoise-gray")]),
        (2, 1, [as_learned("denoise-gray", steps=2)]),
    ],
)
def test_committed_scores_are_those_of_the_methods_of_today(
    tmp_path: Path, table: int, channels: int, others: list[DenoisingMethod]
) -> None:
    """Else a score would be measured again by the next call, and the old ones be of nothing."""
    kept = (ROOT / f"results/table{table}-images.csv").read_text().splitlines()
    settings = {row["settings"] for row in csv.DictReader(kept)}
    setup = Setup(output=tmp_path, say=lambda _: None)
    assert {method.settings for method in [*ours(channels, setup), *others]} <= settings


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["table1", "table2"])
def test_a_table_stands_beside_the_published_one(
    setup: Setup, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = getattr(denoising, name)(setup)
    assert text == (setup.output / f"{name}.txt").read_text()
    assert text.startswith(f"rimkit reproduce {name}: rimkit ")
    assert " UTC\n" in text
    ours = "rimkit denoise-gray" + (", by channel" if name == "table1" else "")
    line = next(line for line in text.splitlines() if line.startswith(f"{ours}  "))
    assert "431,945" in line
    assert line.count("±") == 6
    assert line.split()[-2:] == ["0.30", "12"]  # of three images, and of one
    assert {"table1": "CBM3D", "table2": "RTF-5"}[name] in text
    by_image = list(csv.DictReader((setup.output / f"{name}-images.csv").read_text().splitlines()))
    scores = [float(row["psnr_db"]) for row in by_image if row["method"] == ours]
    assert len(scores) == 3 * 6
    assert 25 < sum(scores) / len(scores) < 45

    def no_more(*_: object) -> None:
        raise AssertionError("it is measured again")

    monkeypatch.setattr("rimkit.reproduction.scores.score_denoising", no_more)
    assert getattr(denoising, name)(setup).splitlines()[1:] == text.splitlines()[1:]


def test_methods_are_compared_image_by_image(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"FFDNet": lambda y, sigma: y}
    monkeypatch.setattr(baselines, "installed", lambda *, channels: found)
    monkeypatch.setattr("importlib.metadata.version", lambda package: "9.9")
    text = denoising.table2(setup)
    assert "FFDNet (package ffdnet): ffdnet 9.9" in text
    lines = text.splitlines()
    place = lines.index(next(line for line in lines if line.startswith("rimkit denoise-gray aga")))
    assert lines[place + 2].startswith("rimkit denoise-gray, 2 steps  ")
    cells = lines[place + 3].removeprefix("FFDNet (package ffdnet)").split("  ")
    cells = [cell.strip() for cell in cells if cell.strip()]
    assert len(cells) == 6
    for cell in cells:
        assert cell.startswith("+")
        assert cell.endswith("3/3")


@pytest.mark.usefixtures("one_thread")
def test_a_row_is_restored_as_its_name_says(setup: Setup) -> None:
    (image,) = denoising.load_test_images(1)
    condition = Condition(50, quantised=True)
    y, model = noisy(image, condition), weights.load("denoise-gray")
    for method, solver, steps, knows in (
        (denoising_methods._model("denoise-gray"), model, 4, False),
        (denoising_methods._model("denoise-gray", knows=True), model, 4, True),
        (denoising_methods.as_learned("denoise-gray", steps=2), model, 2, True),
        (denoising_methods.self_ensemble("denoise-gray"), SelfEnsemble(model), 4, True),
    ):
        assert f", {steps} steps, " in method.described
        expected = solver_restore(solver, steps=steps, knows_levels=knows)(y, condition)
        assert torch.equal(method.restore(y, condition), expected), method.name


def test_other_packages_are_told_sigma_in_the_unit_range(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def denoise(y: np.ndarray, sigma: float) -> np.ndarray:
        seen.append(sigma)
        return y

    monkeypatch.setattr(baselines, "installed", lambda *, channels: {"FFDNet": denoise})
    monkeypatch.setattr("importlib.metadata.version", lambda package: "9.9")
    (method,) = denoising_methods.installed(1)
    (image,) = denoising.load_test_images(1)
    assert torch.equal(method.restore(image.x, Condition(25)), image.x)
    assert seen == [25 / 255]


@pytest.mark.usefixtures("one_thread")
def test_a_row_says_its_training_and_what_it_saw_besides(setup: Setup, tmp_path: Path) -> None:
    plan = {"optimizer": {"updates": 200_000}}
    training = {"updates": 9000, "seconds": 7200, "finished": False, "recipe": plan}
    files = []
    for name, other in (("a", 200), ("b", 0)):
        torch.manual_seed(other)
        model = RIM(RIMConfig(network=PaperConfig(features=4, hidden=6), steps=2))
        files.append(tmp_path / name / "weights.safetensors")
        read = {"bsds300": 200, "other": other}
        store.save(model, files[-1], training={**training, "read": read})
    added = Setup(setup.output, setup.say, 2, tuple(map(str, files)), others=False)
    text = denoising.table2(added)
    rows = [line.split("  ")[0] for line in text.splitlines() if "±" in line]
    assert {"rimkit a, 400 images", "rimkit a, 400 images, knows of levels", "rimkit b"} <= {*rows}
    said = "1,988 parameters of 0.0 MB, 9,000 of 200,000 updates, 120 minutes of training"
    (line,) = (line for line in text.splitlines() if line.startswith("rimkit b: "))
    assert line.endswith(f", 2 steps, float32; paper network, {said}")
    rows = list(csv.DictReader((setup.output / "table2.csv").read_text().splitlines()))
    assert any(row["settings"].endswith(said) for row in rows)
    kept = (setup.output / "table2-images.csv").read_text()
    assert "minutes" not in kept  # scores do not depend on it


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("quantised", "whole"), [("half", True), ("unknown", False)])
def test_what_saw_rounded_images_alone_is_scored_on_them(
    setup: Setup, tmp_path: Path, quantised: str, whole: bool
) -> None:
    torch.manual_seed(0)
    model = RIM(RIMConfig(network=PaperConfig(features=4, hidden=6), steps=1))
    path = tmp_path / "added.safetensors"
    store.save(model, path, training={"task": {"name": "denoising", "quantised": quantised}})
    denoising.table2(Setup(setup.output, setup.say, 2, (str(path),), others=False))
    rows = list(csv.DictReader((setup.output / "table2-images.csv").read_text().splitlines()))
    for knows in (False, True):
        name = "rimkit added" + (", knows of levels" if knows else "")
        found = {row["quantised"] for row in rows if row["method"] == name}
        assert found == ({"yes", "no"} if whole and not knows else {"yes"})


def test_a_look_at_few_images_says_so(setup: Setup) -> None:
    few = Setup(output=setup.output, say=setup.say, images=2)
    assert denoising.table2(few).startswith("rimkit reproduce table2 --images 2: ")


def test_the_radius_of_a_bell_is_that_of_theory() -> None:
    side, width = receptive_field._SIDE, 12.0
    offset = torch.arange(side) - side // 2
    bell = torch.exp(-(offset[:, None] ** 2 + offset**2) / (2 * width**2))
    radii = receptive_field._radii(torch.stack([bell, 3 * bell]))
    for radius, share in zip(radii, receptive_field._SHARES, strict=True):
        assert radius == pytest.approx(width * math.sqrt(-math.log(1 - share)), abs=0.6)


@pytest.mark.usefixtures("one_thread")
def test_rest_is_what_far_more_steps_lose(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    images = {image.name: image for image in denoising.load_test_images(3)}
    paths = [Path(name) for name in images]
    monkeypatch.setattr(rest, "_MODELS", ("denoise-gray",))
    monkeypatch.setattr(rest, "held_out_paths", lambda: paths)
    monkeypatch.setattr(rest, "load_image", lambda path, *, channels: images[path.stem])
    text = rest.rest(setup)
    rows = [line.split() for line in text.splitlines() if line.startswith("denoise-gray")]
    assert [row[1] for row in rows] == ["15", "25", "50"]
    model = weights.load("denoise-gray")
    for row in rows:
        assert row[3] == f"({model.steps})"
        assert row[7] == f"({10 * model.steps})"
        for steps, value in ((model.steps, row[2]), (10 * model.steps, row[6])):
            restore = solver_restore(model, steps=steps)
            scores = score_denoising(images.values(), [Condition(float(row[1]))], restore)
            assert float(value) == pytest.approx(mean(s.psnr for s in scores), abs=0.002)
        assert float(row[8]) == pytest.approx(float(row[4]) - float(row[6]), abs=0.002)
        assert float(row[8]) >= 0


def test_rest_names_the_best_step_and_what_is_lost_from_there(
    tmp_path: Path, model: RIM, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    assert model.steps == 2
    monkeypatch.setattr(rest, "_MODELS", ("small",))
    monkeypatch.setattr(rest.weights, "load", lambda _: model)
    monkeypatch.setattr(rest, "held_out_paths", list)
    monkeypatch.setattr(rest, "_psnr_by_step", lambda *_: [1.0, 2.5, 3.0, 2.25])
    text = rest.rest(Setup(output=tmp_path, say=lambda _: None))
    row, *_ = (line.split() for line in text.splitlines() if line.startswith("small"))
    assert row[2:] == ["2.500", "(2)", "3.000", "(3)", "2.250", "(4)", "0.750"]


def test_rest_says_where_a_machine_diverges(
    setup: Setup, model: RIM, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = denoising.load_test_images(2)
    whole = rest._psnr_by_step(model, [one, other], Condition(25.0))
    step = model.step

    def diverging(iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        if len(taken) == 23:  # the fourth step of the second image
            raise DivergenceError("far away")
        taken.append(iterate)
        return step(iterate, y, problem)

    taken: list[Iterate] = []
    monkeypatch.setattr(model, "step", diverging)
    found = rest._psnr_by_step(model, [one, other], Condition(25.0))
    assert found[:3] == whole[:3]
    assert len(found) == 10 * model.steps == 20
    assert all(math.isnan(value) for value in found[3:])
    monkeypatch.setattr(rest, "_MODELS", ("small",))
    monkeypatch.setattr(rest.weights, "load", lambda _: model)
    monkeypatch.setattr(rest, "held_out_paths", list)
    monkeypatch.setattr(rest, "_psnr_by_step", lambda *_: found)
    row, *_ = (line.split() for line in rest.rest(setup).splitlines() if line.startswith("small"))
    best = max(whole[:3])
    assert row[4:] == [f"{best:.3f}", f"({whole.index(best) + 1})", "nan", "(20)", "nan"]


def test_rest_is_of_denoisers(setup: Setup) -> None:
    with pytest.raises(ValueError, match="trained for inpainting, not for denoising"):
        rest.rest(dataclasses.replace(setup, models=("inpainting",)))
    with pytest.raises(ValueError, match="a name of its own"):
        rest.rest(dataclasses.replace(setup, models=("denoise-gray",)))


@pytest.mark.parametrize(
    ("table", "model", "reason"),
    [
        ("table2", "denoise-color", "denoise-color takes 3 channels, these images have 1"),
        ("table1", "denoise-gray", "denoise-gray takes 1 channels, these images have 3"),
        ("table1", "super-resolution", "trained for super-resolution, not for denoising"),
    ],
)
def test_a_model_that_is_no_row_is_refused(
    setup: Setup, table: str, model: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        getattr(denoising, table)(dataclasses.replace(setup, models=(model,)))


def test_no_row_is_there_twice(setup: Setup) -> None:
    with pytest.raises(ValueError, match="every method has a name of its own"):
        denoising.table2(dataclasses.replace(setup, models=("denoise-gray",)))


def test_there_are_no_more_than_100_test_images(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["reproduce", "table2", "--images", "101"])
    assert "there are only 100 test images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "options", "word"),
    [
        ("blind", ["--add", "denoise-gray"], "--add"),
        ("receptive-field", ["--images", "3", "--output", "out"], "--images"),
        ("figure3", ["--images", "3", "--output", "out"], "--images"),
        ("table3", ["--only-ours"], "--only-ours"),
    ],
)
def test_what_a_reproduction_would_ignore_is_refused(
    what: str, options: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", what, *options]) != 0
    assert f"rimkit reproduce {what} takes no {word}" in capsys.readouterr().err


def test_what_cannot_be_reproduced_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["reproduce", "table9"])
    assert "table9" in capsys.readouterr().err


@pytest.mark.usefixtures("one_thread")
def test_seconds_are_by_step_from_the_first_on(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    monkeypatch.setattr(seconds, "load_test_images", denoising.load_test_images)
    monkeypatch.setattr(seconds, "_STEPS", 4)
    text = seconds.seconds(setup)
    rows = [line.split() for line in text.splitlines() if line.startswith("rimkit denoise-gray, f")]
    assert [row[-3] for row in rows] == ["1", "2", "3", "4"]
    assert 0 < float(rows[0][-2]) < float(rows[3][-2])
    model = weights.load("denoise-gray")
    for steps, row in enumerate(rows, start=1):
        restore = solver_restore(model, steps=steps)
        scores = score_denoising(denoising.load_test_images(10), [Condition(25.0)], restore)
        assert float(row[-1]) == pytest.approx(mean(s.psnr for s in scores), abs=0.006)
    (ensemble,) = (line for line in text.splitlines() if ", self-ensemble  " in line)
    assert float(ensemble.split()[-1]) > float(rows[3][-1])


@pytest.mark.data
@pytest.mark.usefixtures("one_thread")
def test_the_command_writes_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    monkeypatch.setattr(baselines, "installed", lambda *, channels: {})
    assert main(["reproduce", "figure3", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert ["EPLL", "in", "the", "paper", "25.68"] in [line.split() for line in lines]
    assert ["RIM", "in", "the", "paper", "25.91"] in [line.split() for line in lines]
    assert "at sigma 50, clipped and rounded to 8 bits" in printed
    assert (tmp_path / "figure3.txt").read_text() == printed
    assert (tmp_path / "figure3.png").stat().st_size > 50_000
