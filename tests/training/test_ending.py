"""How trainings end early: signals, looks that are broken off, folders in use, a full disk."""

import contextlib
import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.processes import started
from tests.training.conftest import killed_in_a_look, options, same_bits

from rimkit import atomic
from rimkit.data.splits import training_paths
from rimkit.experiments.result import read_log
from rimkit.training import callbacks, run
from rimkit.training.callbacks import LAST, AtomicCheckpointIO, Stop
from rimkit.training.module import RIMTraining
from rimkit.training.recipe import load_recipe
from rimkit.training.run import train

pytestmark = pytest.mark.usefixtures("one_thread")

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", ENDING)
def test_a_request_to_end_does_not_wait_for_a_look(
    tmp_path: Path,
    images: Path,
    overrides: list[str],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    overrides += ["optimizer.updates=6", "validate_every=3", "data.held_out_every=2"]
    recipe, paths = load_recipe("denoise-gray", overrides=overrides), training_paths(images)
    whole = load_file(train(recipe, paths, options(tmp_path / "whole")))
    looked: list[tuple[int, int]] = []
    step = RIMTraining.validation_step

    def signalled(self: RIMTraining, batch: torch.Tensor, image: int) -> None:
        looked.append((self.trainer.global_step, image))
        if len(looked) == 1:
            signal.raise_signal(number)
        step(self, batch, image)

    with monkeypatch.context() as patch:
        patch.setattr(signal, "getsignal", defaults_to(signal.SIG_DFL))
        patch.setattr(RIMTraining, "validation_step", signalled)
        train(recipe, paths, options(tmp_path / "cut"))
    assert looked == [(3, 0)]  # the image at hand, and no other look in the end
    assert read_log(tmp_path / "cut", ()) == []  # half a look is none
    assert torch.load(tmp_path / "cut" / LAST, weights_only=True)["global_step"] == 3
    assert same_bits(whole, load_file(train(recipe, paths, options(tmp_path / "cut", resume=True))))
    expected, found = (read_log(tmp_path / name, ()) for name in ("whole", "cut"))
    assert [look.update for look in found] == [3, 6]  # it was made up for
    for look, known in zip(found, expected, strict=True):
        assert look.psnr == pytest.approx(known.psnr, abs=1e-4)


def defaults_to(hang_up: signal.Handlers) -> Any:
    """What handles signals, had these tests not been started with nohup."""
    known = signal.getsignal
    return lambda number: hang_up if number == signal.SIGHUP else known(number)


def test_a_last_look_that_failed_is_made_up_for(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    overrides += ["optimizer.updates=4", "validate_every=4"]
    recipe, paths = load_recipe("denoise-gray", overrides=overrides), training_paths(images)
    whole = load_file(train(recipe, paths, options(tmp_path / "whole")))
    with killed_in_a_look():
        train(recipe, paths, options(tmp_path / "cut"))
    cut = load_file(train(recipe, paths, options(tmp_path / "cut", resume=True)))
    assert same_bits(whole, cut)
    expected, seen = (read_log(tmp_path / name, ()) for name in ("whole", "cut"))
    assert [look.update for look in seen] == [4]
    assert seen[-1].psnr == pytest.approx(expected[-1].psnr, abs=1e-4)
    with pytest.raises(ValueError, match="has finished"):
        train(recipe, paths, options(tmp_path / "cut", resume=True))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_end_that_comes_while_a_look_is_made_up_for_is_one(
    tmp_path: Path,
    images: Path,
    overrides: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    overrides += ["optimizer.updates=4", "validate_every=4"]
    recipe, paths = load_recipe("denoise-gray", overrides=overrides), training_paths(images)
    step = RIMTraining.validation_step

    def signalled(self: RIMTraining, batch: torch.Tensor, image: int) -> None:
        signal.raise_signal(number)
        step(self, batch, image)

    with killed_in_a_look():
        train(recipe, paths, options(tmp_path / "cut"))
    # As at a terminal: who starts these tests in the background lets them ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(RIMTraining, "validation_step", signalled)
            with pytest.raises(KeyboardInterrupt):
                train(recipe, paths, options(tmp_path / "cut", resume=True))
    finally:
        signal.signal(signal.SIGINT, before)
    speaking = dataclasses.replace(options(tmp_path / "cut", resume=True), progress=True)
    train(recipe, paths, speaking)
    assert "held-out images after 4 updates" in capsys.readouterr().err
    assert [look.update for look in read_log(tmp_path / "cut", ())] == [4]


SIGNALLED = """
import os, signal, sys
from pathlib import Path
from rimkit.data.splits import training_paths
from rimkit.training.module import RIMTraining
from rimkit.training.recipe import load_recipe
from rimkit.training.run import train
from rimkit.training.trainer import RunOptions

step = RIMTraining.validation_step
def signalled(self, batch, image):
    if self.global_rank == 1 and image == 0:
        os.kill(os.getpid(), signal.SIGTERM)
    step(self, batch, image)

if __name__ == "__main__":
    RIMTraining.validation_step = signalled
    recipe = load_recipe("denoise-gray", overrides=sys.argv[3:])
    how = {"accelerator": "cpu", "devices": "2", "strategy": "ddp", "progress": False}
    train(recipe, training_paths(Path(sys.argv[1])), RunOptions(sys.argv[2], **how))
"""


def test_processes_end_together_where_one_is_asked_to_in_a_look(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    script, place = tmp_path / "run.py", tmp_path / "run"
    script.write_text(SIGNALLED)
    overrides += ["optimizer.updates=100", "validate_every=2", "data.held_out_every=2"]
    with started(
        [sys.executable, str(script), str(images), str(place), *overrides],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        printed = process.communicate(timeout=200)[0].decode()
    assert process.returncode == 0, printed
    assert torch.load(place / LAST, weights_only=True)["global_step"] == 2
    assert read_log(place, ()) == []


@pytest.mark.parametrize("variable", ["NODE_RANK", "GROUP_RANK"])
def test_other_nodes_do_not_claim_the_folder(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for rank, first in (("0", True), ("1", False)):
        monkeypatch.setenv(variable, rank)
        with contextlib.ExitStack() as claims:
            run._claim(tmp_path, claims)
            assert any(path.name.endswith("lock") for path in tmp_path.iterdir()) == first


def test_signals_that_come_together_are_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who signals a whole group, or through another program, may be heard twice."""
    now = [100.0]
    monkeypatch.setattr(callbacks.time, "monotonic", lambda: now[0])
    stop = Stop(None)
    stop.on_train_start(None, None)  # type: ignore[arg-type]
    try:
        signal.raise_signal(signal.SIGTERM)
        now[0] += 0.1
        signal.raise_signal(signal.SIGTERM)
        now[0] += 5
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        stop.on_exception(None, None, KeyboardInterrupt())  # type: ignore[arg-type]


def test_a_second_request_is_no_success(
    tmp_path: Path, images: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    step = RIMTraining.training_step

    def twice(self: RIMTraining, batch: Any, number: int) -> torch.Tensor:
        signal.raise_signal(signal.SIGTERM)
        time.sleep(1.2)
        signal.raise_signal(signal.SIGTERM)
        return step(self, batch, number)

    monkeypatch.setattr(RIMTraining, "training_step", twice)
    recipe = load_recipe("denoise-gray", overrides=overrides)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, training_paths(images), options(tmp_path / "run"))


def test_two_processes_do_not_train_in_one_folder(
    tmp_path: Path, images: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe("denoise-gray", overrides=[*overrides, "optimizer.updates=1"])
    paths, run = training_paths(images), tmp_path / "run"
    words = [f"--data={images}", f"--output={run}", "--accelerator=cpu", "--quiet"]
    words += [f"--set={override}" for override in overrides]
    other = [sys.executable, "-m", "rimkit", "train", "denoise-gray", *words]
    said: list[str] = []
    step = RIMTraining.training_step

    def meanwhile(self: RIMTraining, batch: Any, number: int) -> torch.Tensor:
        found = subprocess.run(other, capture_output=True, text=True, timeout=120, check=False)
        assert found.returncode == 1
        said.append(found.stderr)
        return step(self, batch, number)

    monkeypatch.setattr(RIMTraining, "training_step", meanwhile)
    train(recipe, paths, options(run))
    assert len(said) == 1
    assert f"another process is training in {run}" in said[0]
    assert sorted(path.name for path in run.iterdir() if path.name.startswith(".")) == []


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replacing = atomic.replacing

    class Full:
        """A file with room for so many bytes."""

        left = 100_000

        def write(self, data: bytes) -> int:
            self.left -= len(data)
            if self.left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return len(data)

        def flush(self) -> None: ...

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(callbacks.atomic, "replacing", lambda _: Full())
    weights = {str(number): torch.zeros(10_000) for number in range(5)}
    with pytest.raises(OSError, match="No space left"):
        AtomicCheckpointIO().save_checkpoint(weights, tmp_path / LAST)
    monkeypatch.setattr(callbacks.atomic, "replacing", replacing)
    AtomicCheckpointIO().save_checkpoint(weights, tmp_path / LAST)
    assert torch.load(tmp_path / LAST, weights_only=True).keys() == weights.keys()


def test_schedule_free_goes_on_to_the_same_bits_after_a_look(
    tmp_path: Path, images: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides += ["optimizer.name=schedule-free", "optimizer.decay=0", "optimizer.average=0"]
    overrides += ["optimizer.updates=6", "validate_every=3"]
    recipe, paths = load_recipe("denoise-gray", overrides=overrides), training_paths(images)
    whole = load_file(train(recipe, paths, options(tmp_path / "whole")))
    step = RIMTraining.training_step

    def killed(self: RIMTraining, batch: Any, number: int) -> torch.Tensor:
        if self.trainer.global_step == 3:
            raise RuntimeError("killed")
        return step(self, batch, number)

    with monkeypatch.context() as patch:
        patch.setattr(RIMTraining, "training_step", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train(recipe, paths, options(tmp_path / "cut"))
    cut = load_file(train(recipe, paths, options(tmp_path / "cut", resume=True)))
    assert same_bits(whole, cut)
