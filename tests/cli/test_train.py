from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rimkit.cli.main import main

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
