"""What a training says of itself while it runs."""

import io
import itertools
import types
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import TQDMProgressBar

from rimkit.data.splits import training_paths
from rimkit.experiments.result import read_log
from rimkit.training import progress
from rimkit.training.recipe import load_recipe
from rimkit.training.run import train
from rimkit.training.trainer import RunOptions


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", _Terminal())
    assert isinstance(progress.progress_bar(), TQDMProgressBar)
    for other in (io.StringIO(), None):
        monkeypatch.setattr("sys.stdout", other)
        assert isinstance(progress.progress_bar(), progress.Lines)


def test_looks_are_told_to_standard_error(
    images: Path, overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["optimizer.updates=4", "validate_every=2"]
    recipe = load_recipe("denoise-gray", overrides=[*overrides, *few])
    options = RunOptions(output=tmp_path / "run", accelerator="cpu")
    train(recipe, training_paths(str(images)), options)
    said = capsys.readouterr()
    looks = read_log(tmp_path / "run", [])
    assert [look.update for look in looks] == [2, 4]
    assert said.out == ""
    assert said.err.splitlines() == [
        f"held-out images after {look.update} updates, PSNR in dB: "
        + ", ".join(f"{name} {db:.2f}" for name, db in look.own.items())
        for look in looks
    ]


def test_how_far_it_is_and_how_long_it_takes(
    images: Path,
    overrides: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = load_recipe("denoise-gray", overrides=[*overrides, "optimizer.updates=6"])
    output = tmp_path / "run"
    train(recipe, training_paths(str(images)), RunOptions(output=output, progress=False))
    assert capsys.readouterr().err == ""

    clock = itertools.count(step=25)
    monkeypatch.setattr(
        progress, "time", types.SimpleNamespace(monotonic=lambda: float(next(clock)))
    )
    longer = load_recipe("denoise-gray", overrides=[*overrides, "optimizer.updates=12"])
    options = RunOptions(output=output, resume=True)
    train(longer, training_paths(str(images)), options)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("update")]
    # 25 seconds an update: a line after every third one, counted from where this run began.
    assert [line.partition(", loss ")[0] for line in lines] == [
        "update 9 of 12: 0.04 a second, 0:01:15 left",
        "update 12 of 12: 0.04 a second, 0:00:00 left",
    ]
    assert all(0 < float(line.partition(", loss ")[2]) < 10 for line in lines)


def test_other_processes_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    lines = progress.Lines()
    module = types.SimpleNamespace(updates=3)
    trainer = types.SimpleNamespace(
        callback_metrics={"val/psnr_x": 1.0}, global_step=3, limit_val_batches=1
    )
    for is_first in (False, True):
        trainer.is_global_zero = is_first
        lines.setup(trainer, module, "fit")  # type: ignore[arg-type]
        lines.on_validation_end(trainer, module)  # type: ignore[arg-type]
        assert capsys.readouterr().err == ""
    lines.enable()
    lines.on_validation_end(trainer, module)  # type: ignore[arg-type]
    assert capsys.readouterr().err == "held-out images after 3 updates, PSNR in dB: x 1.00\n"
