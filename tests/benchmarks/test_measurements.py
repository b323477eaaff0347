"""The measurements measure what they say: counts by hand, ratios, shares."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning", reason="needs rimkit[train]")

from rimkit.benchmarks.throughput import Throughput, Workload, _throughput, measure
from rimkit.benchmarks.updates import UpdateTime, time_update
from rimkit.cli.main import main
from rimkit.training.pool import Pool, Rollout
from rimkit.training.recipe import load_recipe


@pytest.fixture(scope="module")
def measured() -> list[Throughput]:
    said: list[str] = []
    workload = Workload("compact", batch=2, patch=16, steps=3)
    precisions = ("float32", "bfloat16")
    results = measure(workload, rounds=2, precisions=precisions, say=said.append)
    assert len(said) == 2
    return results


def test_operations_are_those_of_the_convolutions(measured: list[Throughput]) -> None:
    # 64 features at half of 16x16: 72 -> 64, five blocks of two 64 -> 64, 64 -> 8 with 3x3 kernels,
    # 128 -> 128 with 1x1; forward, and backward to inputs and to weights.
    kernels = 9 * 64 * (72 + 10 * 64 + 8) + 128 * 128
    operations = 2 * kernels * 8 * 8 * 2 * 3 * 3
    for result in measured:
        assert result.gflops * result.seconds * 1e9 == pytest.approx(operations, rel=0.06)
        assert result.patch_steps == pytest.approx(2 * 3 / result.seconds)


def test_ratios_are_against_the_plain_network(measured: list[Throughput]) -> None:
    assert [result.way for result in measured] == ["plain float32", "float32", "bfloat16"]
    assert measured[0].speedup == 1.0
    assert all(result.share > 0 for result in measured)


def test_ratios_are_medians_over_rounds() -> None:
    times = {
        "plain float32": [4.0, 6.0, 8.0],
        "bfloat16": [1.0, 2.0, 8.0],  # a slow minute of the machine in the last round
        "alone bfloat16": [0.2, 0.3, 1.0],
        "alone float32": [9.0, 9.0, 9.0],
    }
    result = _throughput(Workload("compact", batch=2, patch=16, steps=5), "bfloat16", times, 10**9)
    assert result.seconds == 2.0
    assert result.speedup == 3.0
    assert result.share == pytest.approx(5 * 0.15)
    assert result.gflops == 0.5


@pytest.mark.parametrize("computes", [False, True])
def test_a_precision_that_is_emulated_is_left_out(
    computes: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rimkit.precision.computes_in_bfloat16", lambda: computes)
    monkeypatch.setattr("rimkit.cli.bench.WORKLOADS", [Workload("compact", 1, 16, 1)])
    monkeypatch.setattr("rimkit.cli.bench.time_update", lambda *_, **__: UpdateTime(1, 1, 1, 1))
    assert main(["bench", "train", "--rounds", "1", "--no-memory"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("compact") == (3 if computes else 2)
    assert ("No bfloat16" in printed) is not computes


def test_an_update_is_the_sum_of_its_parts() -> None:
    recipe = load_recipe("denoise-gray", overrides=["data.patch=16", "data.batch=8"])
    image = np.zeros((1, 20, 30), np.uint8)
    update = time_update(recipe, [image], precision="32-true", repeats=1)
    parts = dataclasses.astuple(update)
    assert min(parts) > 0
    assert update.total == pytest.approx(sum(parts))


def test_an_update_is_timed_with_as_many_samples_as_it_has_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes: list[int] = []
    join = Pool.join

    def joined(self: Pool, rollout: Rollout) -> Rollout:
        whole = join(self, rollout)
        sizes.append(len(whole.x))
        return whole

    monkeypatch.setattr(Pool, "join", joined)
    changes = ["data.patch=16", "data.batch=4", "unroll.continued=0.5", "unroll.steps=[1, 1]"]
    recipe = load_recipe("random-projections", overrides=changes)
    time_update(recipe, [np.zeros((1, 20, 30), np.uint8)], precision="32-true")
    assert sizes[1::3] == sizes[2::3] == [4] * 4  # those that are timed
    assert 2 in sizes[::3]  # of a kind that was new


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "train.txt"
    arguments = ["--networks", "compact", "--rounds", "1", "--no-memory", "--text", str(file)]
    assert main(["bench", "train", *arguments]) == 0
    printed = capsys.readouterr().out
    assert printed == file.read_text()
    assert "plain float32" in printed
    assert "an update of denoise-gray" in printed
