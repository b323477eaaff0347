"""What restoring costs is measured on what a person runs."""

import sys
from pathlib import Path

import numpy as np
import pytest

from rimkit import baselines
from rimkit.benchmarks.report import size_text, speed_text
from rimkit.benchmarks.restoring import (
    SIGMA,
    Size,
    Speed,
    measure_size,
    measure_speed,
    noisy_image,
    tiled_difference,
)
from rimkit.precision import Precision


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_a_tight_budget_costs_time_and_saves_memory() -> None:
    loose = measure_size(0.8, memory="3GB", precision="float32")
    tight = measure_size(0.8, memory="500MB", precision="float32")
    assert tight.peak < 0.55e9
    assert loose.peak > 0.7e9
    assert loose.megapixels == tight.megapixels == 0.8


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_making_larger_stays_in_its_budget() -> None:
    """In tiles: whole it would take more than twice as much."""
    measured = measure_size(0.5, memory="500MB", precision="float32", scale=4)
    assert measured.peak < 0.5e9
    assert measured.megapixels == 0.5


def test_speeds_are_of_every_model_and_method(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIMKIT_CACHE", str(exported))
    said: list[str] = []
    both: list[Precision] = ["float32", "bfloat16"]
    speeds = list(measure_speed(rounds=1, precisions=both, side=48, say=said.append))
    assert len(said) == len(speeds)
    ours = {"denoise-color", "denoise-gray"}
    assert {speed.method for speed in speeds} == {*ours, *baselines.installed()}
    ways = {speed.way.partition(",")[0] for speed in speeds if speed.method == "denoise-gray"}
    assert ways == {"float32", "bfloat16", "onnx"}
    assert all(speed.seconds > 0 for speed in speeds)
    assert Speed("a", "", 1, 48**2 / 1e6, seconds=0.5).per_second == pytest.approx(48**2 / 5e5)


def test_noise_is_what_it_is_said_to_be() -> None:
    image = noisy_image(700, 600).astype(float)
    difference = image[:, 1:] - image[:, :-1]
    assert difference.std() / 2**0.5 == pytest.approx(255 * SIGMA, rel=0.03)


def test_the_figure_shows_a_real_difference() -> None:
    image = noisy_image(200, 300).astype(np.float32) / 255
    difference, rows, columns = tiled_difference(image, pixels=180 * 180)
    assert rows or columns
    assert 0 < np.abs(difference).max() < 0.5


def test_tables() -> None:
    text = speed_text([Speed("a model", "float32, all at once", 2, 1.0, 4.0)])
    assert text.splitlines()[1].split()[-3:] == ["2", "4.00", "0.25"]
    text = size_text("title", [Size(10, 5e8, 20.0)])
    assert text.splitlines()[2].split() == ["10", "500", "20.0", "2.00"]


@pytest.mark.parametrize("name", sorted(baselines.installed()))
def test_other_methods_denoise(name: str) -> None:
    clean = np.add.outer(np.linspace(0.2, 0.5, 64), np.linspace(0, 0.3, 64)).astype(np.float32)
    y = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)
    x = baselines.installed()[name](y, 0.1)
    assert x.dtype == np.float32
    error, before = (float(np.square(image - clean).mean()) for image in (x, y))
    assert error < before / 4


@pytest.mark.parametrize("name", sorted(baselines.installed(channels=3)))
def test_other_methods_denoise_colour(name: str) -> None:
    ramp = np.add.outer(np.linspace(0.2, 0.5, 64), np.linspace(0, 0.3, 48)).astype(np.float32)
    clean = np.stack([ramp, ramp[::-1], 1 - ramp], axis=-1)
    y = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape).astype(np.float32)
    x = baselines.installed(channels=3)[name](y, 0.1)
    assert x.shape == y.shape
    errors = np.square(x - clean).mean((0, 1))
    assert (errors < 0.01 / 4).all()
