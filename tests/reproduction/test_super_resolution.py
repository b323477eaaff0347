"""Table 3 and Figure 4 on two small images."""

import collections
import csv
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rimkit.classical import TotalVariation
from rimkit.evaluation.super_resolution import Pair, make_pair
from rimkit.networks import CompactConfig
from rimkit.noises import GaussianNoise, Noise
from rimkit.problem import Problem
from rimkit.reproduction import figure4, super_resolution, super_resolution_methods
from rimkit.reproduction.setup import Setup
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import Solution
from rimkit.weights import store

IMAGES = ("101085", "101087")


def few_pairs(scale: float, count: int = 2) -> Iterator[Pair]:
    rows, columns = np.ogrid[:116, :132]
    for number, name in enumerate(IMAGES[:count]):
        values = 128 + 60 * np.sin(rows / (3 + number)) + 60 * np.cos(columns / 2)
        image = values.astype(np.uint8)[..., None].repeat(3, 2)
        yield make_pair(name, image, scale)


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    torch.manual_seed(0)
    network = CompactConfig(channels=3, features=8, blocks=1)
    model = RIM(RIMConfig(network=network, steps=1, score_scale=0.001))
    path = tmp_path / "tiny.safetensors"
    store.save(model, path, training={"task": {"name": "super-resolution", "sigma": 0.4}})
    monkeypatch.setattr(super_resolution, "load_pairs", few_pairs)
    monkeypatch.setattr(figure4, "load_pairs", few_pairs)
    monkeypatch.setattr(super_resolution, "seconds_of", len)
    monkeypatch.setattr(super_resolution_methods, "TV_STEPS", 2)
    return Setup(
        output=tmp_path / "results",
        say=lambda _: None,
        images=2,
        models=(str(path),),
    )


@pytest.mark.usefixtures("one_thread")
def test_table3(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    text = super_resolution.table3(setup)
    assert text == (setup.output / "table3.txt").read_text()
    assert "RIM, published" in text
    assert "31.39 ± 0.39" in text
    assert "0.8885 ± 0.0062" in text
    assert "rimkit tiny against, in dB" in text
    assert "gain over bicubic in dB" in text
    lines = list(csv.DictReader((setup.output / "table3.csv").read_text().splitlines()))
    measured = {
        (line["method"], float(line["scale"]))
        for line in lines
        if "measured here" in line["source"]
    }
    assert ("rimkit super-resolution", 3.7) in measured
    assert ("rimkit tiny", 3.0) in measured
    assert ("rimkit tiny", 3.7) not in measured, "only what is in the package is asked for it"
    assert ("total variation", 2.0) in measured
    images = list(csv.DictReader((setup.output / "table3-images.csv").read_text().splitlines()))
    counts = collections.Counter(line["method"] for line in images)
    assert counts == {
        "bicubic (imresize)": 2 * 5,
        "total variation": 2 * 3,
        "rimkit super-resolution": 2 * 5,
        "rimkit tiny": 2 * 3,
    }
    with monkeypatch.context() as patch:  # what is known is not measured again
        patch.setattr(RIM, "solve", lambda *_, **__: pytest.fail("measured again"))
        again = super_resolution.table3(setup)
    assert again.splitlines()[1:] == text.splitlines()[1:]


@pytest.mark.usefixtures("one_thread")
def test_total_variation_is_told_the_noise_in_grey_levels(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Noise] = []
    solve = TotalVariation.solve

    def spied(self: TotalVariation, y: Tensor, problem: Problem) -> Solution:
        seen.append(problem.noise)
        return solve(self, y, problem)

    monkeypatch.setattr(TotalVariation, "solve", spied)
    super_resolution_methods.total_variation().restore(next(few_pairs(3.0)))
    assert seen == [GaussianNoise(0.4 / 255)]


@pytest.mark.usefixtures("one_thread")
def test_scores_of_models_that_are_not_asked_for_stay(setup: Setup) -> None:
    super_resolution.table3(setup)
    super_resolution.table3(dataclasses.replace(setup, models=()))
    lines = (setup.output / "table3-images.csv").read_text().splitlines()
    assert sum(line.startswith("rimkit tiny,") for line in lines) == 2 * 3


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("make", [super_resolution.table3, figure4.figure4])
def test_two_models_of_one_name_are_refused(setup: Setup, make: Callable[[Setup], str]) -> None:
    with pytest.raises(ValueError, match="every method has a name of its own"):
        make(dataclasses.replace(setup, models=setup.models * 2))


@pytest.mark.usefixtures("one_thread")
def test_other_models_are_refused(setup: Setup, tmp_path: Path) -> None:
    wrong = Setup(output=tmp_path, say=print, images=1, models=("denoise-gray",))
    with pytest.raises(ValueError, match="denoise-gray is trained for denoising"):
        super_resolution.table3(wrong)


@pytest.mark.usefixtures("one_thread")
def test_figure4(setup: Setup) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    text = figure4.figure4(setup)
    assert "rimkit tiny" in text
    assert "SelfExSR, published" in text
    assert figure4.example(2) in text
    assert (setup.output / "figure4.png").stat().st_size > 10_000
