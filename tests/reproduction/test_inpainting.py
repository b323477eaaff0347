"""Missing pixels of two small images, filled in by everybody."""

from __future__ import annotations

import collections
import csv
import dataclasses
import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cases import uniform
from torch import Tensor

pytest.importorskip("matplotlib", reason="needs rimkit[plot]")

from rimkit import weights
from rimkit.classical import TotalVariation
from rimkit.evaluation.images import CleanImage
from rimkit.evaluation.inpainting import FOUR_FIFTHS, HOLES, STROKES, Seen, score
from rimkit.networks import CompactConfig
from rimkit.noises import GaussianNoise, Noise
from rimkit.operators.filling import fill
from rimkit.pixels import Bytes
from rimkit.problem import Problem
from rimkit.reproduction import figure4, inpainting, inpainting_cuts, inpainting_methods
from rimkit.reproduction.inpainting_methods import BIHARMONIC, FIRST_GUESS, TOTAL_VARIATION
from rimkit.reproduction.setup import Setup
from rimkit.restoring.holes import Holed
from rimkit.restoring.inpainter import Inpainter
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import Solution
from rimkit.weights import store

PROJECTIONS = "rimkit random-projections"
TINY = "rimkit tiny"
SIZE = (30, 36)


def images(count: int = 2, *, channels: int = 3) -> list[CleanImage]:
    smooth = torch.nn.functional.interpolate(
        uniform(2, channels, 5, 6).float(), size=SIZE, mode="bicubic"
    )
    rounded = (smooth.clamp(0, 1) * 255).round() / 255
    return [CleanImage(str(n), rounded[n : n + 1]) for n in range(count)]


def write_model(path: Path, task: str, *, channels: int = 3) -> str:
    torch.manual_seed(0)
    network = CompactConfig(channels=channels, features=8, blocks=1)
    model = RIM(RIMConfig(network=network, steps=2, score_scale=0.001))
    torch.nn.init.normal_(model.network.out.weight, std=0.02)
    store.save(model, path, training={"task": {"name": task, "sigma": [0.3, 25.0]}})
    return str(path)


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """Stand-ins: two images, one machine, and a small one for random projections, on one image."""
    projections = write_model(tmp_path / "small.safetensors", "random-projections", channels=1)
    load = weights.load
    monkeypatch.setattr(weights, "model_names", lambda: ["random-projections"])
    monkeypatch.setattr(
        weights, "load", lambda name: load(projections if name == "random-projections" else name)
    )
    monkeypatch.setattr(inpainting, "load_test_images", images)
    monkeypatch.setattr(inpainting, "seconds_of", len)
    monkeypatch.setattr(inpainting_methods, "TV_STEPS", 5)
    monkeypatch.setattr(inpainting_methods, "FIRST", 1)
    monkeypatch.setattr(figure4, "_SIDE", 24)
    return Setup(
        output=tmp_path / "results",
        say=lambda _: None,
        images=2,
        models=(write_model(tmp_path / "tiny.safetensors", "inpainting"),),
    )


def read(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def methods(setup: Setup) -> dict[str, inpainting_methods.InpaintingMethod]:
    found = [
        inpainting_methods.first_guess(),
        inpainting_methods.total_variation(),
        inpainting_methods.biharmonic(),
        *inpainting_methods.projections(),
        *inpainting_methods.machines(setup),
    ]
    return {method.name: method for method in found if method is not None}


@pytest.mark.usefixtures("one_thread")
def test_inpainting(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("skimage", reason="needs scikit-image")
    text = inpainting.inpainting(setup)
    assert text == (setup.output / "inpainting.txt").read_text()
    assert (setup.output / "inpainting.png").stat().st_size > 20_000
    lines = collections.Counter(line["method"] for line in read_images(setup))
    own = dict.fromkeys((FIRST_GUESS, TOTAL_VARIATION, BIHARMONIC, TINY), 2 * 4)
    assert lines == {**own, PROJECTIONS: 4}
    assert f"{PROJECTIONS} (first 1)" in text
    assert f"{PROJECTIONS}, which is slow, has the first 1 alone" in text
    assert "sigma 0.3 of 255 where there is no noise" in text
    with monkeypatch.context() as patch:  # what is known is not measured again
        patch.setattr(inpainting, "score", lambda *_: pytest.fail("measured again"))
        again = inpainting.inpainting(setup)
    assert again.splitlines()[1:] == text.splitlines()[1:]


def read_images(setup: Setup) -> list[dict[str, str]]:
    return read(setup.output / "inpainting-images.csv")


@pytest.mark.usefixtures("one_thread")
def test_the_table_and_the_files_hold_what_was_measured(setup: Setup) -> None:
    text = inpainting.inpainting(dataclasses.replace(setup, others=False))
    assert BIHARMONIC not in text
    given = [STROKES.measure(image) for image in images()]
    expected: dict[str, list[float]] = {FIRST_GUESS: [], TINY: []}
    machine = methods(setup)[TINY]
    for seen in given:
        x = (fill(seen.y, seen.mask) * 255).round()[0].permute(1, 2, 0).numpy()
        error = np.square(x - seen.truth.astype(float)).mean()
        expected[FIRST_GUESS].append(10 * math.log10(255**2 / error))
        expected[TINY].append(score(machine.restore(seen), seen)[0])
    rows = {(row["method"], row["holes"]): row for row in read(setup.output / "inpainting.csv")}
    for name, values in expected.items():
        kept = [
            float(line["psnr_db"])
            for line in read_images(setup)
            if (line["method"], line["holes"]) == (name, "strokes")
        ]
        assert kept == pytest.approx(values, abs=1e-3)
        assert float(rows[name, "strokes"]["psnr_db"]) == pytest.approx(np.mean(values), abs=1e-3)
        assert rows[name, "strokes"]["images"] == "2"
    assert rows[PROJECTIONS, "strokes"]["images"] == "1"
    lines = text.splitlines()
    (row, _, against) = (line for line in lines if line.startswith(f"{FIRST_GUESS}  "))
    mean = np.mean(expected[FIRST_GUESS])
    assert f" {mean:.2f} ±" in row
    gain = np.mean(expected[TINY]) - mean
    assert f"{gain:+.2f} [" in against
    wins = sum(ours > theirs for ours, theirs in zip(*reversed(expected.values()), strict=True))
    assert f"{wins}/2" in against
    shares = [seen.share for seen in given]
    assert f"cover {np.mean(shares):.1%} of an\nimage in the mean" in text


@pytest.mark.usefixtures("one_thread")
def test_every_method_is_given_the_same(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: dict[tuple[str, str], list[Seen]] = collections.defaultdict(list)

    def spied(estimate: Bytes, seen: Seen) -> tuple[float, float]:
        scored[seen.holes.name, seen.image].append(seen)
        return score(estimate, seen)

    monkeypatch.setattr(inpainting, "score", spied)
    inpainting.inpainting(dataclasses.replace(setup, others=False))
    assert len(scored) == len(HOLES) * 2
    for (_, image), given in scored.items():
        assert len(given) == (4 if image == "0" else 3)
        assert all(torch.equal(seen.y, given[0].y) for seen in given)
        assert all(torch.equal(seen.mask, given[0].mask) for seen in given)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", [FIRST_GUESS, TOTAL_VARIATION, BIHARMONIC, PROJECTIONS, TINY])
def test_what_is_seen_stays_and_no_hole_is_left(setup: Setup, name: str) -> None:
    if name == BIHARMONIC:
        pytest.importorskip("skimage", reason="needs scikit-image")
    method = methods(setup)[name]
    (image,) = images(1)
    for holes in HOLES:
        seen = holes.measure(image)
        y = seen.y.clone()
        estimate = method.restore(seen)
        assert torch.equal(seen.y, y), "it is the others' too"
        if not holes.sigma:
            assert (estimate[~seen.missing] == seen.truth[~seen.missing]).all()
        assert score(estimate, seen)[0] > score(seen.settle(seen.y), seen)[0] + 3, holes.name


@pytest.mark.usefixtures("one_thread")
def test_a_machine_fills_as_the_inpainter_does(setup: Setup) -> None:
    restore, model = methods(setup)[TINY].restore, weights.load(setup.models[0])
    (image,) = images(1)
    for holes in HOLES:
        seen = holes.measure(image)
        if holes.sigma:
            values = seen.y[0].permute(1, 2, 0).numpy().copy()
            Inpainter(model, sigma=10 / 255).fill([Holed(values, seen.missing)])
            expected = (values.clip(0, 1) * 255).round().astype(np.uint8)
        else:
            expected = np.where(seen.missing[..., None], np.uint8(77), seen.truth)
            Inpainter(model).fill([Holed(expected, seen.missing)])
        assert (restore(seen) == expected).all(), holes.name


@pytest.mark.usefixtures("one_thread")
def test_a_machine_for_random_projections_takes_a_channel_at_a_time(setup: Setup) -> None:
    restore, model = methods(setup)[PROJECTIONS].restore, weights.load("random-projections")
    seen = FOUR_FIFTHS.measure(images(1)[0])
    planes = [model.solve(seen.y[:, c : c + 1], seen.problem(2 / 255)).x for c in range(3)]
    expected = seen.settle(torch.cat(planes, dim=1)).astype(int)
    assert abs(restore(seen) - expected).max() <= 1


@pytest.mark.usefixtures("one_thread")
def test_total_variation_is_told_a_little_noise_or_that_which_there_is(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Noise, float]] = []
    solve = TotalVariation.solve

    def spied(self: TotalVariation, y: Tensor, problem: Problem) -> Solution:
        told.append((problem.noise, self.weight))
        return solve(self, y, problem)

    monkeypatch.setattr(TotalVariation, "solve", spied)
    restore = inpainting_methods.total_variation().restore
    for holes in HOLES:
        restore(holes.measure(images(1)[0]))
    chosen = inpainting_methods.TV_WEIGHTS
    assert told == [
        (GaussianNoise((holes.sigma or 2.0) / 255), chosen[holes.name]) for holes in HOLES
    ]


@pytest.mark.usefixtures("one_thread")
def test_what_is_not_installed_is_said(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda _: None)
        assert inpainting_methods.biharmonic() is None
    monkeypatch.setattr(inpainting, "biharmonic", lambda: None)
    text = inpainting.inpainting(setup)
    rows = [line for line in text.splitlines() if line.startswith(f"{BIHARMONIC}  ")]
    assert [row.count("not installed") for row in rows] == [len(HOLES)] * 2
    assert f"{BIHARMONIC}: not measured, for scikit-image is not installed" in text


@pytest.mark.usefixtures("one_thread")
def test_cut_outs_say_the_score_of_the_whole_image(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    drawn = inpainting_cuts.plot.compare

    def spied(pictures: dict[str, Tensor], **options: object) -> object:
        titles.extend(pictures)
        assert all(x.shape == (1, 3, 24, 24) for x in pictures.values())
        return drawn(pictures, **options)

    monkeypatch.setattr(inpainting_cuts.plot, "compare", spied)
    found, image = methods(setup), images(1)[0]
    inpainting_cuts.draw(image, [found[FIRST_GUESS], found[TINY]])
    assert [title.splitlines()[0] for title in titles] == [
        *("strokes", "first guess", TINY, "truth"),
        *("four fifths", "first guess", TINY, "truth"),
    ]
    seen = STROKES.measure(image)
    decibels, _ = score(found[TINY].restore(seen), seen)
    assert titles[2] == f"{TINY}\n{decibels:.2f} dB"


def test_the_same_image_is_shown_wherever_it_is_there() -> None:
    two = images()
    assert inpainting_cuts.example(two) is two[0]
    named = dataclasses.replace(two[1], name="102061")
    assert inpainting_cuts.example([two[0], named]) is named


def test_models_that_cannot_stand_in_the_table_are_refused(setup: Setup, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a name of its own"):
        inpainting.inpainting(dataclasses.replace(setup, models=setup.models * 2))
    with pytest.raises(ValueError, match="name a model's file with --add"):
        inpainting.inpainting(dataclasses.replace(setup, models=()))
    other = write_model(tmp_path / "other.safetensors", "denoising")
    with pytest.raises(ValueError, match="is trained for denoising, not for inpainting"):
        inpainting.inpainting(dataclasses.replace(setup, models=(other,)))


def test_the_model_in_the_package_comes_first(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, digest = weights.load, weights.sha256
    path = setup.models[0]
    monkeypatch.setattr(weights, "model_names", lambda: ["denoise-gray", "inpainting"])
    monkeypatch.setattr(weights, "load", lambda name: load(path if name == "inpainting" else name))
    monkeypatch.setattr(weights, "sha256", lambda _: digest(path))
    names = [method.name for method in inpainting_methods.machines(setup)]
    assert names == ["rimkit inpainting", TINY]
