"""Trainings from start to end, killed, resumed, and on two processes."""

import contextlib
import csv
import dataclasses
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import ClassVar

import lightning
import pytest
import torch
from lightning.pytorch.accelerators import CUDAAccelerator, MPSAccelerator
from lightning.pytorch.callbacks import ModelCheckpoint
from safetensors.torch import load_file
from tests.processes import started
from tests.training.conftest import killed_in_a_look, options, same_bits
from torch import Tensor

from rimkit import GaussianNoise, Mask, Problem, weights
from rimkit.data.images import load_bytes
from rimkit.data.patches import PatchBatches, Share
from rimkit.data.splits import split_images, training_paths
from rimkit.networks import NETWORKS
from rimkit.tasks import Measure
from rimkit.training import folder
from rimkit.training.callbacks import Stop
from rimkit.training.data import PatchData
from rimkit.training.module import RIMTraining
from rimkit.training.recipe import load_recipe
from rimkit.training.run import train
from rimkit.training.trainer import RunOptions, build_trainer
from rimkit.weights import record, store

pytestmark = pytest.mark.usefixtures("one_thread")

NO_FLOOR = ["model.variance_floor=0", "model.variance_floor_trained=false"]

SCRIPT = """
import sys
from pathlib import Path
import lightning, torch
from rimkit.training import run
from rimkit.data.splits import training_paths
from rimkit.training.recipe import load_recipe
from rimkit.training.trainer import RunOptions

class SaveGradient(lightning.Callback):
    def on_before_optimizer_step(self, trainer, module, optimizer):
        path = Path(sys.argv[2]) / f"gradient-{trainer.global_step}-{trainer.global_rank}.pt"
        torch.save({n: p.grad.clone() for n, p in module.model.named_parameters()}, path)

build = run.build_trainer
def build_and_save(recipe, options, start):
    trainer = build(recipe, options, start=start)
    trainer.callbacks.append(SaveGradient())
    return trainer
if sys.argv[3] != "1":
    run.build_trainer = build_and_save
    # Layers that start at zero would give all others a gradient of zero.
    torch.nn.init.zeros_ = lambda tensor: torch.nn.init.constant_(tensor, 0.01)

if __name__ == "__main__":
    torch.set_num_threads(1)
    options = RunOptions(
        output=Path(sys.argv[2]), devices=sys.argv[3], accelerator="cpu",
        strategy="ddp" if sys.argv[3] != "1" else "auto",
        checkpoint_minutes=1e-6, progress=False, precision="32-true",
    )
    recipe = load_recipe("denoise-gray", overrides=sys.argv[4:])
    run.train(recipe, training_paths(Path(sys.argv[1])), options)
"""


def start(
    script: Path, *arguments: object
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    script.write_text(SCRIPT)
    return started(
        [sys.executable, str(script), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )


def start_and_signal(number: signal.Signals, output: Path, *arguments: object) -> tuple[int, str]:
    """Start a training, signal it once it has a checkpoint, return its exit code and output."""
    with start(*arguments) as process:
        deadline = time.monotonic() + 120
        while not (output / "last.ckpt").exists() and process.poll() is None:
            assert time.monotonic() < deadline, "no checkpoint within two minutes"
            time.sleep(0.005)
        process.send_signal(number)
        printed = process.communicate(timeout=60)[0].decode()
    return process.returncode, printed


@pytest.mark.parametrize("name", ["denoise-color", "super-resolution", "random-projections"])
def test_other_recipes_train_a_few_updates_and_go_on(
    name: str, images: Path, tmp_path: Path, overrides: list[str]
) -> None:
    paths = training_paths(images)
    output = tmp_path / "run"
    for updates, resume in ((4, False), (6, True)):
        changed = [
            "unroll.continued=0.25",
            "data.patch=24",
            f"optimizer.updates={updates}",
            "validate_every=2",
        ]
        recipe = load_recipe(name, overrides=[*overrides, *changed])
        options = RunOptions(output=output, resume=resume, accelerator="cpu", progress=False)
        model = weights.load(train(recipe, paths, options))
    assert model.training_record["updates"] == 6
    assert model.config.network.channels == recipe.model.network.channels
    task = model.training_record["task"]["name"]
    assert task == {"denoise-color": "denoising"}.get(name, name)


def test_what_an_earlier_version_did_not_know_has_its_default(
    images: Path, tmp_path: Path, overrides: list[str]
) -> None:
    paths, output = training_paths(images), tmp_path / "run"
    for updates in (2, 3):
        changed = [*overrides, f"optimizer.updates={updates}", "validate_every=2"]
        recipe = load_recipe("denoise-gray", overrides=changed)
        train(recipe, paths, options(output, resume=updates == 3))
        table = json.loads((output / "recipe.json").read_text())
        del table["model"]["network"]["recurrent"], table["model"]["network"]["sees_estimate"]
        del table["loss"]["rest"], table["unroll"]["through_score"], table["task"]["quantised"]
        del table["optimizer"]["clip"], table["late"]
        (output / "recipe.json").write_text(json.dumps(table))
    assert folder.ended_after(output) == 3


def test_held_out_images_are_watched_in_patches_where_the_task_is_for_patches(
    images: Path,
) -> None:
    recipe = load_recipe("random-projections", overrides=["data.patch=8", "task.p=[0.5]"])
    held_out = [load_bytes(path, channels=1) for path in training_paths(images)]
    for batch in PatchData(recipe, images=held_out, held_out=held_out).val_dataloader():
        assert batch.shape == (8, 1, 8, 8)
        assert len(batch.unique(dim=0)) == 8


def test_a_killed_training_resumes_to_the_same_bits(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    recipe = load_recipe("denoise-gray", overrides=overrides)
    paths = training_paths(images)
    whole = load_file(train(recipe, paths, options(tmp_path / "whole")))

    killed = tmp_path / "killed"
    arguments = (tmp_path / "run.py", images, killed, 1, *overrides)
    code, printed = start_and_signal(signal.SIGKILL, killed, *arguments)
    assert code == -signal.SIGKILL, printed
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    saved = torch.load(killed / "last.ckpt", weights_only=True)
    assert 0 < saved["global_step"] < recipe.optimizer.updates
    assert saved["pool"] is not None

    resumed = load_file(train(recipe, paths, options(tmp_path / "killed", resume=True)))
    assert same_bits(whole, resumed)
    logs = sorted(path.name for path in (tmp_path / "killed" / "log").iterdir())
    assert logs == ["from-0000000", f"from-{saved['global_step']:07}"]


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_a_training_stopped_by_the_clock_again_and_again_ends_in_the_same_bits(
    tmp_path: Path, images: Path, overrides: list[str], precision: str
) -> None:
    overrides += ["optimizer.updates=6", "validate_every=2"]
    recipe = load_recipe("denoise-gray", overrides=overrides)
    paths = training_paths(images)
    whole = train(recipe, paths, options(tmp_path / "whole", precision=precision))
    updates = []
    for _ in range(30):
        resume = bool(updates)
        clock = options(tmp_path / "clock", precision=precision, minutes=1e-9, resume=resume)
        early = store.read_metadata(train(recipe, paths, clock))["training"]
        updates.append(early["updates"])
        if early["finished"]:
            break
    assert updates == [1, 2, 3, 4, 5, 6]
    last = tmp_path / "clock" / "weights.safetensors"
    assert same_bits(load_file(whole), load_file(last))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_a_checkpoint_and_gives_the_same_bits(
    tmp_path: Path, images: Path, overrides: list[str], number: signal.Signals
) -> None:
    recipe = load_recipe("denoise-gray", overrides=overrides)
    paths = training_paths(images)
    whole = load_file(train(recipe, paths, options(tmp_path / "whole")))
    arguments = (tmp_path / "run.py", images, tmp_path / "cut", 1, *overrides)
    code, printed = start_and_signal(number, tmp_path / "cut", *arguments)
    assert code == 0, printed
    early = store.read_metadata(tmp_path / "cut" / "weights.safetensors")["training"]
    assert not early["finished"]
    assert same_bits(whole, load_file(train(recipe, paths, options(tmp_path / "cut", resume=True))))


@pytest.mark.parametrize(
    ("updates", "every", "looks"), [(3, 20, [3]), (4, 4, [4]), (5, 2, [2, 4, 5])]
)
def test_held_out_images_are_looked_at_in_the_end(
    updates: int, every: int, looks: list[int], tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    overrides += [f"optimizer.updates={updates}", f"validate_every={every}"]
    recipe = load_recipe("denoise-gray", overrides=overrides)
    train(recipe, training_paths(images), options(tmp_path / "run"))
    (log,) = (tmp_path / "run").glob("log/*/metrics.csv")
    with log.open() as lines:
        rows = [row for row in csv.DictReader(lines) if row.get("val/psnr_sigma_25")]
    assert [int(row["step"]) + 1 for row in rows] == looks


def test_a_second_interrupt_is_one_too(
    tmp_path: Path, images: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)  # as Lightning does

    recipe = load_recipe("denoise-gray", overrides=overrides)
    monkeypatch.setattr(lightning.Trainer, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, training_paths(images), options(tmp_path / "run"))
    monkeypatch.setattr(lightning.Trainer, "fit", lambda *_, **__: sys.exit(3))
    with pytest.raises(SystemExit, match="3"):
        train(recipe, training_paths(images), options(tmp_path / "other"))


def test_an_interrupt_is_said_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)
    for speaks in (True, False):
        stop = Stop(None, speaks=speaks)
        stop.on_train_start(None, None)  # type: ignore[arg-type]
        signal.raise_signal(signal.SIGINT)
        stop.on_exception(None, None, KeyboardInterrupt())  # type: ignore[arg-type]
        assert ("a second signal stops at once" in capfd.readouterr().err) == speaks
    assert signal.getsignal(signal.SIGINT) == before


def test_an_early_end_saves_before_the_last_look(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    """Who sends SIGTERM kills soon, and held-out images may take minutes."""
    recipe = load_recipe("denoise-gray", overrides=overrides)
    paths = training_paths(images)
    whole = load_file(train(recipe, paths, options(tmp_path / "whole")))
    with killed_in_a_look():
        train(recipe, paths, options(tmp_path / "cut", minutes=1e-9))
    saved = torch.load(tmp_path / "cut" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 1
    assert same_bits(whole, load_file(train(recipe, paths, options(tmp_path / "cut", resume=True))))


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_can_be_trained(
    tmp_path: Path, images: Path, overrides: list[str], network: str
) -> None:
    sizes = [f"model.network.{key}=8" for key in ("features", "hidden")]
    overrides = [o for o in overrides if "model.network" not in o]
    overrides += [f"model.network.name={network}", "optimizer.updates=4", "validate_every=4"]
    overrides += sizes[:1] if network == "compact" else sizes
    recipe = load_recipe("denoise-gray", overrides=overrides)
    model = weights.load(train(recipe, training_paths(images), options(tmp_path / "run")))
    assert model.config.network.table_name == network


def test_a_finished_training_is_left_alone(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    overrides += ["optimizer.updates=4", "validate_every=4"]
    recipe = load_recipe("denoise-gray", overrides=overrides)
    ending = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in ending]
    kept = train(recipe, training_paths(images), options(tmp_path / "run"))
    assert [signal.getsignal(number) for number in ending] == handlers
    before = kept.read_bytes()
    with pytest.raises(ValueError, match="has finished: it took all its 4 updates"):
        train(recipe, training_paths(images), options(tmp_path / "run", resume=True))
    assert kept.read_bytes() == before
    optimizer = dataclasses.replace(recipe.optimizer, updates=6)
    longer = dataclasses.replace(recipe, optimizer=optimizer, validate_every=2)
    train(longer, training_paths(images), options(tmp_path / "run", resume=True))
    assert store.read_metadata(kept)["training"]["updates"] == 6
    looked = []
    for log in sorted((tmp_path / "run").glob("log/*/metrics.csv")):
        with log.open() as lines:
            rows = [row for row in csv.DictReader(lines) if row.get("val/psnr_sigma_25")]
        looked += [int(row["step"]) + 1 for row in rows]
    assert looked == [4, 6]


@pytest.mark.parametrize("optimizer", ["muon", "schedule-free"])
def test_weights_that_could_not_be_written_are_written_later(
    tmp_path: Path, images: Path, overrides: list[str], optimizer: str
) -> None:
    overrides += ["optimizer.updates=4", "validate_every=4", f"optimizer.name={optimizer}"]
    if optimizer == "schedule-free":
        overrides += ["optimizer.decay=0", "optimizer.average=0"]
    recipe, paths = load_recipe("denoise-gray", overrides=overrides), training_paths(images)
    file = train(recipe, paths, options(tmp_path / "run"))
    whole, said = load_file(file), store.read_metadata(file)["training"]
    file.unlink()
    assert train(recipe, paths, options(tmp_path / "run", resume=True)) == file
    assert same_bits(whole, load_file(file))
    assert store.read_metadata(file)["training"] == said


def test_a_training_that_becomes_longer_goes_on_at_the_rates_of_the_longer_one(
    tmp_path: Path, images: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    clip = RIMTraining.configure_gradient_clipping

    def noted(self: RIMTraining, optimizer: torch.optim.Optimizer, **rest: float) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        clip(self, optimizer, **rest)

    monkeypatch.setattr(RIMTraining, "configure_gradient_clipping", noted)
    for updates in (4, 8):
        lengths = [f"optimizer.updates={updates}", "validate_every=4", "optimizer.decay=0.5"]
        recipe = load_recipe("denoise-gray", overrides=[*overrides, *lengths])
        train(recipe, training_paths(images), options(tmp_path / "run", resume=updates == 8))
    rate = recipe.optimizer.rate
    assert rates[:4] == [rate / 2, rate, rate, rate / 2]
    assert rates[4:] == [rate, 0.75 * rate, 0.5 * rate, 0.25 * rate]


def test_what_is_no_training_is_not_gone_on_with(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    recipe = load_recipe("denoise-gray", overrides=overrides)
    folder = tmp_path / "run"
    train(recipe, training_paths(images), options(folder))
    for name, text, message in (
        ("last.ckpt", "", r"not a checkpoint of a training: \S"),
        ("last.ckpt", "text", r"not a checkpoint of a training: [^\n]*$"),
        ("inputs.json", "{}", "has no held_out, precision, training"),
        ("recipe.json", "[]", "is not a table"),
        ("recipe.json", "{", "is not JSON"),
    ):
        (folder / name).write_text(text)
        with pytest.raises(ValueError, match=rf"{re.escape(name)} .*{message}"):
            train(recipe, training_paths(images), options(folder, resume=True))


def test_two_processes_find_the_gradient_of_the_joint_batch(
    tmp_path: Path, images: Path, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides += ["optimizer.updates=1", "unroll.continued=0.0"]
    with start(tmp_path / "run.py", images, tmp_path / "two", 2, *overrides) as process:
        output = process.communicate(timeout=200)[0].decode()
    assert process.returncode == 0, output
    together = torch.load(tmp_path / "two" / "gradient-0-0.pt", weights_only=True)
    assert same_bits(together, torch.load(tmp_path / "two" / "gradient-0-1.pt", weights_only=True))

    recipe = load_recipe("denoise-gray", overrides=overrides)
    training, _ = split_images(training_paths(images), held_out_every=3)
    clean = [load_bytes(path, channels=1) for path in training]
    monkeypatch.setattr(RIMTraining, "log", lambda *_, **__: None)
    monkeypatch.setattr(torch.nn.init, "zeros_", lambda t: torch.nn.init.constant_(t, 0.01))
    gradients = []
    for rank in range(2):
        monkeypatch.setattr(RIMTraining, "global_rank", rank)
        module = RIMTraining(recipe)
        batches = PatchBatches(clean, patch=16, size=4, seed=recipe.seed, share=Share(rank, 2))
        module.training_step(next(iter(batches)), 0).backward()
        gradients.append({n: p.grad for n, p in module.model.named_parameters()})
    for name, gradient in together.items():
        joint = (gradients[0][name] + gradients[1][name]) / 2
        torch.testing.assert_close(gradient, joint, rtol=1e-4, atol=1e-8)
    name = "network.enter.weight"
    assert together[name].abs().min() > 0
    assert not torch.allclose(gradients[0][name], gradients[1][name], rtol=1e-2)


def test_a_training_writes_log_inputs_and_weights_that_load(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    recipe = load_recipe("denoise-gray", overrides=overrides)
    output = tmp_path / "run"
    path = train(recipe, training_paths(images), options(output))
    model = weights.load(str(path))
    assert model.config == recipe.model
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())

    rows = list(
        csv.DictReader((output / "log" / "from-0000000" / "metrics.csv").read_text().splitlines())
    )
    scores = [float(row["val/psnr_sigma_25"]) for row in rows if row["val/psnr_sigma_25"]]
    assert len(scores) == 2
    assert scores[-1] > scores[0]

    read = json.loads((output / "inputs.json").read_text())
    names = {part: [name for name, _ in read[part]] for part in ("training", "held_out")}
    assert names == {
        "training": ["1.png", "2.png", "4.png", "5.png"],
        "held_out": ["0.png", "3.png"],
    }
    assert "start" not in read
    assert model.training_record["read"] == {"bsds300": 0, "other": 6}
    assert "start" not in model.training_record


@pytest.mark.parametrize("average", [0.998, 0.0])
def test_the_average_is_kept_where_there_is_one_and_else_the_last_weights(
    tmp_path: Path, images: Path, overrides: list[str], average: float
) -> None:
    overrides += ["optimizer.decay=0.0", f"optimizer.average={average}"]
    recipe = load_recipe("denoise-gray", overrides=overrides)
    kept = load_file(train(recipe, training_paths(images), options(tmp_path / "run")))
    saved = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    name = "network.enter.weight"
    assert torch.equal(kept[name], saved["state_dict"][f"model.{name}"])
    assert ("current_model_state" in saved) == bool(average)
    if average:
        assert not torch.equal(kept[name], saved["current_model_state"][f"model.{name}"])


def test_the_average_is_of_batch_statistics_too(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    changes = ["data.patch=16", "data.batch=2", "unroll.steps=[1, 1]", "optimizer.updates=4"]
    changes += ["model.network.features=8", "model.network.hidden=8", "validate_every=4"]
    recipe = load_recipe("denoise-paper", overrides=changes)
    kept = load_file(train(recipe, training_paths(images), options(tmp_path / "run")))
    saved = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    names = [name for name in kept if name.endswith("running_mean")]
    assert names
    for name in names:
        assert torch.equal(kept[name], saved["state_dict"][f"model.{name}"])
        assert not torch.equal(kept[name], saved["current_model_state"][f"model.{name}"])


def test_schedule_free_keeps_its_own_average(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    overrides += ["optimizer.name=schedule-free", "optimizer.decay=0", "optimizer.average=0"]
    overrides += ["unroll.continued=0.0"]
    recipe = load_recipe("denoise-gray", overrides=overrides)
    kept = load_file(train(recipe, training_paths(images), options(tmp_path / "run")))
    saved = torch.load(tmp_path / "run" / "last.ckpt", weights_only=True)
    name = "network.enter.weight"
    trained = saved["state_dict"][f"model.{name}"]
    state = saved["optimizer_states"][0]["state"].values()
    (z,) = (s["z"] for s in state if s["z"].shape == trained.shape)
    torch.testing.assert_close(kept[name], trained.lerp(z, 1 - 1 / 0.9))
    assert not torch.equal(kept[name], trained)
    rows = csv.DictReader((tmp_path / "run/log/from-0000000/metrics.csv").read_text().splitlines())
    last = [float(row["val/psnr_sigma_25"]) for row in rows if row["val/psnr_sigma_25"]][-1]
    model = weights.load(str(tmp_path / "run" / "weights.safetensors"))
    held_out = split_images(training_paths(images), held_out_every=3)[1]
    module = RIMTraining(recipe)
    module.model = model
    seen = []
    with torch.no_grad():
        for number, path in enumerate(held_out):
            image = torch.from_numpy(load_bytes(path, channels=1)).float()[None] / 255
            seen.append(float(module.look(image, number)["sigma_25"]))
    assert sum(seen) / len(seen) == pytest.approx(last, abs=1e-3)


def test_there_is_no_best_checkpoint_to_be_wrong_about(tmp_path: Path) -> None:
    trainer = build_trainer(load_recipe("denoise-gray"), options(tmp_path))
    assert isinstance(trainer.checkpoint_callback, ModelCheckpoint)
    assert trainer.checkpoint_callback.monitor is None


def test_a_training_is_stopped_after_its_minutes(tmp_path: Path) -> None:
    trainer = build_trainer(load_recipe("denoise-gray"), options(tmp_path, minutes=2.0))
    (stop,) = (each for each in trainer.callbacks if isinstance(each, Stop))
    assert stop._seconds == 120


def test_the_average_is_that_of_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decays: list[float] = []
    monkeypatch.setattr("rimkit.training.trainer.moving_average", decays.append)
    recipe = load_recipe("denoise-gray", overrides=["optimizer.average=0.9"])
    build_trainer(recipe, options(tmp_path))
    assert decays == [0.9]


def test_a_folder_in_use_is_not_overwritten(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    recipe = load_recipe("denoise-gray", overrides=[*overrides, "optimizer.updates=2"])
    train(recipe, training_paths(images), options(tmp_path / "run"))
    with pytest.raises(ValueError, match="--resume"):
        train(recipe, training_paths(images), options(tmp_path / "run"))
    with pytest.raises(ValueError, match="nothing to resume"):
        train(recipe, training_paths(images), options(tmp_path / "other", resume=True))
    for change in ("model.network.features=16", "seed=1", "data.batch=8", "task.sigma=[1, 2]"):
        other = load_recipe("denoise-gray", overrides=[*overrides, change])
        with pytest.raises(ValueError, match=change.split("=")[0]):
            train(other, training_paths(images), options(tmp_path / "run", resume=True))
    file = tmp_path / "run" / "inputs.json"
    read = json.loads(file.read_text())
    file.write_text(json.dumps({**read, "processes": 2}))
    longer = load_recipe("denoise-gray", overrides=[*overrides, "optimizer.updates=3"])
    with pytest.raises(ValueError, match="a training on 2 processes, but now there are 1"):
        train(longer, training_paths(images), options(tmp_path / "run", resume=True))
    file.write_text(json.dumps(read))
    (images / "7.png").write_bytes((images / "5.png").read_bytes())
    with pytest.raises(ValueError, match=r"held_out differs|training differs"):
        train(recipe, training_paths(images), options(tmp_path / "run", resume=True))


def test_images_smaller_than_a_patch_are_named(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    recipe = load_recipe("denoise-gray", overrides=[*overrides, "data.patch=34"])
    with pytest.raises(ValueError, match=r"1.png is 33x40, smaller than a patch"):
        train(recipe, training_paths(images), options(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@dataclasses.dataclass(frozen=True)
class OneSize:
    """A task that is for patches and does not say so."""

    table_name: ClassVar[str] = "one-size"

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        problem = Problem(Mask(torch.ones(1, 1, 16, 16)), GaussianNoise(0.1))
        return problem, problem.simulate(x, generator=generator)

    def validation(self) -> dict[str, Measure]:
        return {"whole": self.draw}


def test_what_cannot_be_looked_at_is_found_before_the_first_update(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    recipe = load_recipe("denoise-gray", overrides=overrides)
    recipe = dataclasses.replace(recipe, task=OneSize())
    with pytest.raises((ValueError, RuntimeError)) as found:
        train(recipe, training_paths(images), options(tmp_path / "run"))
    note = "while measuring held-out signals (1, 1, 33, 40) for 'whole': images are looked at whole"
    assert found.value.__notes__[0].startswith(note)
    assert len(found.value.__notes__) == 1
    assert not (tmp_path / "run").exists()


def test_paths_may_be_words_and_a_folder(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    recipe = load_recipe("denoise-gray", overrides=[*overrides, "optimizer.updates=1"])
    run = str(tmp_path / "run")
    file = train(recipe, str(images), RunOptions(output=run, precision="32-true", progress=False))
    assert file == tmp_path / "run" / "weights.safetensors"
    with pytest.raises(ValueError, match=rf"did you mean {run}/weights.safetensors\?"):
        weights.load(run)
    with pytest.raises(ValueError, match=rf"did you mean {run}/weights.safetensors\?"):
        weights.load(f"{run}/last.ckpt")


@pytest.mark.parametrize(
    "settings",
    [{"devices": "abc"}, {"accelerator": "gpu"}, {"accelerator": "tpu"}, {"strategy": "none"}],
    ids=str,
)
def test_devices_that_are_not_there(
    tmp_path: Path,
    images: Path,
    overrides: list[str],
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for accelerator in (CUDAAccelerator, MPSAccelerator):  # a machine that has one acts as if not
        monkeypatch.setattr(accelerator, "is_available", staticmethod(lambda: False))
    recipe = load_recipe("denoise-gray", overrides=overrides)
    wanted = dataclasses.replace(options(tmp_path / "run"), **settings)
    with pytest.raises(ValueError, match="these devices cannot be used"):
        train(recipe, training_paths(images), wanted)


def test_one_image_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least two images"):
        split_images([tmp_path / "a.png"], held_out_every=20)


def test_every_process_goes_on_with_its_own_samples(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    overrides += ["optimizer.updates=4", "validate_every=4"]
    words = [f"--set={override}" for override in overrides]
    words += ["--devices=2", "--accelerator=cpu", "--strategy=ddp", "--precision=32-true"]
    words += [f"--data={images}", "--quiet"]

    def run(name: str, *more: str) -> dict[str, Tensor]:
        place = tmp_path / name
        command = [sys.executable, "-m", "rimkit", "train", "denoise-gray", *words, *more]
        with started(
            [*command, f"--output={place}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ) as process:
            printed = process.communicate(timeout=200)[0].decode()
        assert process.returncode == 0, printed
        return load_file(place / "weights.safetensors")

    whole = run("whole")
    run("cut", "--minutes=1e-9")
    pools = torch.load(tmp_path / "cut" / "last.ckpt", weights_only=True)["pool"]
    assert len(pools) == 2
    assert same_bits(whole, run("cut", "--resume"))


def test_training_and_held_out_images_are_apart() -> None:
    paths = [Path(f"{number:03}.png") for number in range(200)]
    training, held_out = split_images(paths, held_out_every=20)
    assert len(training) == 190
    assert len(held_out) == 10
    assert not set(training) & set(held_out)


@pytest.mark.data
def test_no_test_image_is_ever_trained_on() -> None:
    assert all(path.parent.name == "train" for path in training_paths())
    assert len(training_paths()) == 200


def test_a_training_starts_from_the_weights_of_another(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    paths = training_paths(images)
    overrides += ["optimizer.updates=4", "optimizer.warmup=0"]
    first = train(load_recipe("denoise-gray", overrides=overrides), paths, options(tmp_path / "a"))
    overrides += [
        f"start_from={first}",
        "task.quantised=known",
        "model.steps=2",
        "optimizer.rate=1e-30",
        "optimizer.adamw_rate=1e-30",
    ]
    second = train(load_recipe("denoise-gray", overrides=overrides), paths, options(tmp_path / "b"))
    assert same_bits(load_file(first), load_file(second))
    assert weights.load(second).steps == 2
    assert str(tmp_path) not in json.dumps(store.read_metadata(second))
    assert record.started_from(weights.load(second).training_record) == f"a/{first.name}"
    start = weights.load(second).training_record["start"]
    before = weights.load(first).training_record
    assert start == {
        "sha256": weights.sha256(first),
        "seconds": before["seconds"],
        "read": {"bsds300": 0, "other": 6},
        "learned": [{"task": before["task"], "contrast": [1.0, 1.0]}],
    }
    assert json.loads((tmp_path / "b" / "inputs.json").read_text())["start"] == start
    rescaled = ["model.score_scale=0.1", "model.score_scaling=whitened"]
    other = load_recipe("denoise-gray", overrides=[*overrides, *rescaled])
    third = train(other, paths, options(tmp_path / "rescaled"))
    assert same_bits(load_file(first), load_file(third))
    assert weights.load(third).config.score_scaling == "whitened"
    for number, another in enumerate((["model.link=sigmoid"], NO_FLOOR)):
        other = load_recipe("denoise-gray", overrides=[*overrides, *another])
        with pytest.raises(ValueError, match="does not match the recipe's"):
            train(other, paths, options(tmp_path / f"c{number}"))
    first.unlink()  # a training that goes on needs it no more
    longer = load_recipe("denoise-gray", overrides=[*overrides, "optimizer.updates=5"])
    train(longer, paths, options(tmp_path / "b", resume=True))
    assert weights.load(second).training_record["start"] == start


def test_a_machine_without_a_variance_floor_is_trained_averaged_and_started_from(
    tmp_path: Path, images: Path, overrides: list[str]
) -> None:
    paths = training_paths(images)
    overrides += [*NO_FLOOR, "optimizer.updates=4", "validate_every=2", "task.sigma=[0.5, 55]"]
    recipe = load_recipe("denoise-gray", overrides=overrides)
    first = train(recipe, paths, options(tmp_path / "a"))
    assert all(value.isfinite().all() for value in load_file(first).values())
    assert weights.load(first).variance_floor == 0
    overrides += [f"start_from={first}", "optimizer.rate=1e-30", "optimizer.adamw_rate=1e-30"]
    recipe = load_recipe("denoise-gray", overrides=overrides)
    assert same_bits(load_file(first), load_file(train(recipe, paths, options(tmp_path / "b"))))


def test_a_training_leaves_the_process_as_it_was(
    images: Path, tmp_path: Path, overrides: list[str]
) -> None:
    recipe = load_recipe("denoise-gray", overrides=[*overrides, "optimizer.updates=1"])
    level, filters = logging.getLogger("lightning.pytorch").level, list(warnings.filters)
    state = torch.get_rng_state()
    train(recipe, training_paths(images), options(tmp_path / "run"))
    assert torch.equal(torch.get_rng_state(), state)
    assert logging.getLogger("lightning.pytorch").level == level
    assert list(warnings.filters) == filters
