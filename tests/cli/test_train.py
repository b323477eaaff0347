from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rimkit.cli.main import main
from rimkit.weights import load

pytest.importorskip("lightning", reason="needs rimkit[train]")


def test_train_then_restore_with_what_was_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clean").mkdir()
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / "clean" / f"{number}.png")
    settings = ["optimizer.updates=2", "validate_every=2", "data.patch=16", "model.steps=2"]
    overrides = [part for setting in settings for part in ("--set", setting)]
    arguments = ["train", "denoise-gray", "--data", "clean", "--quiet", "--accelerator", "cpu"]
    assert main([*arguments, *overrides]) == 0
    weights = capsys.readouterr().out.strip().splitlines()[-1]
    assert weights == "runs/denoise-gray/weights.safetensors"
    assert main(["restore", "clean/0.png", "--model", weights, "--sigma", "10"]) == 0
    assert (tmp_path / "clean" / "0-restored.png").exists()
    assert main([*arguments, *overrides]) == 1
    assert "--resume" in capsys.readouterr().err
    for other in ("denoise-color", "denoise-paper"):
        again = ["train", other, *arguments[2:], "--output", "runs/denoise-gray", "--resume"]
        assert main(again) == 1
        assert "holds a different training: for denoising, with Compact" in capsys.readouterr().err
    (tmp_path / "runs" / "denoise-gray" / "last.ckpt").unlink()
    before = Path(weights).read_bytes()
    assert main([*arguments, *overrides]) == 1
    assert "holds the weights of a training" in capsys.readouterr().err
    assert Path(weights).read_bytes() == before


def test_a_training_stops_when_its_minutes_are_over_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 256, (24, 24), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    settings = ["optimizer.updates=3", "validate_every=3", "data.patch=16", "data.batch=8"]
    settings += ["model.network.features=8", "model.network.blocks=1"]
    arguments = ["train", "denoise-gray", "--data", str(tmp_path), "--output", str(tmp_path / "r")]
    arguments += ["--quiet", "--accelerator", "cpu"]
    arguments += [part for setting in settings for part in ("--set", setting)]
    assert main([*arguments, "--minutes", "1e-9"]) == 0
    printed = capsys.readouterr()
    assert "stopped before the end; continue with --resume" in printed.err
    weights = printed.out.split()[-1]
    assert load(weights).training_record["updates"] == 1
    assert main([*arguments, "--resume"]) == 0
    assert "stopped" not in capsys.readouterr().err
    assert load(weights).training_record["finished"]


def test_several_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a/0", "a/1", "b/2", "b/101085"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        values = np.random.default_rng(0).integers(0, 256, (24, 24), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / f"{name}.png")
    settings = ["optimizer.updates=1", "data.patch=16", "data.batch=2", "unroll.continued=0"]
    settings += ["model.network.features=8", "model.network.blocks=1"]
    overrides = [part for setting in settings for part in ("--set", setting)]
    folders = ["--data", str(tmp_path / "a"), "--data", str(tmp_path / "b")]
    arguments = ["train", "denoise-gray", *folders, "--quiet", "--accelerator", "cpu"]
    arguments += ["--output", str(tmp_path / "run"), *overrides]
    assert main(arguments) == 1
    assert "training images must not be test images" in capsys.readouterr().err
    (tmp_path / "b" / "101085.png").unlink()
    assert main(arguments) == 0
    model = load(capsys.readouterr().out.strip().splitlines()[-1])
    assert model.training_record["read"] == {"bsds300": 0, "other": 3}


@pytest.mark.parametrize("model", ["gdn", "ffn-wide"])
def test_a_model_without_a_part(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clean").mkdir()
    for number in range(2):
        values = np.random.default_rng(number).integers(0, 256, (24, 24), dtype=np.uint8)
        Image.fromarray(values).save(tmp_path / "clean" / f"{number}.png")
    settings = ["optimizer.updates=1", "data.patch=16", "data.batch=2", "unroll.steps=[2, 2]"]
    settings += ["model.network.features=8", "model.network.blocks=1"]
    overrides = [part for setting in settings for part in ("--set", setting)]
    arguments = ["train", "random-projections", "--model", model, "--data", "clean", "--quiet"]
    assert main([*arguments, "--accelerator", "cpu", *overrides]) == 0
    path = capsys.readouterr().out.strip().splitlines()[-1]
    assert path == f"runs/random-projections-{model}/weights.safetensors"
    network = load(path).config.network
    assert network.sees_estimate == (model != "gdn")
    assert network.recurrent == (model == "gdn")
    assert network.features == (8 if model == "gdn" else 10)  # type: ignore[attr-defined]
    for other in (["denoise-gray"], ["random-projections", "--model", "rim"]):
        again = ["train", *other, "--output", str(Path(path).parent), *arguments[4:]]
        assert main([*again, "--resume"]) == 1
        assert "holds a different training: for random-projections, with" in capsys.readouterr().err
    longer = ["--resume", "--set", "optimizer.updates=2", "--accelerator", "cpu"]
    assert main([*arguments, *longer]) == 0
