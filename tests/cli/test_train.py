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
    longer = ["--resume", "--set", "optimizer.updates=2", "--accelerator", "cpu"]
    assert main([*arguments, *longer]) == 0
