"""What it costs not to know sigma, with an estimate of our own."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch
from tests.cases import uniform
from torch import Tensor

from rimkit import weights
from rimkit.evaluation.denoising import Condition, Restore, score_denoising, solver_restore
from rimkit.evaluation.images import CleanImage
from rimkit.reproduction import blind
from rimkit.reproduction.setup import Setup

IMAGES = [CleanImage(str(n), uniform(1, 1, 24, 28, seed=n).float()) for n in range(2)]
COLOURS = [CleanImage(str(n), 0.3 + 0.4 * uniform(1, 3, 24, 28, seed=n).float()) for n in range(2)]
TRUE, ESTIMATE = Condition(25.0), Condition(40.0)


@pytest.mark.usefixtures("one_thread")
def test_the_gain_is_that_of_the_estimate_over_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_channels = {1: IMAGES, 3: COLOURS}
    monkeypatch.setattr(blind, "load_test_images", lambda _, channels: of_channels[channels])
    monkeypatch.setattr(blind, "_CONDITIONS", [TRUE])
    monkeypatch.setattr(blind, "estimate_sigma", lambda _: torch.tensor([ESTIMATE.sigma / 255]))
    text = blind.blind(Setup(output=tmp_path, say=lambda _: None))
    rows = [line.split() for line in text.splitlines() if line.startswith("25 ")]

    for row, name, images in zip(
        rows, ("denoise-gray", "denoise-color"), (IMAGES, COLOURS), strict=True
    ):
        restore = solver_restore(weights.load(name), knows_levels=True)

        def misled(y: Tensor, _: Condition, restore: Restore = restore) -> Tensor:
            return restore(y, ESTIMATE)

        known, estimated = (
            statistics.mean(score.psnr for score in score_denoising(images, [TRUE], method))
            for method in (restore, misled)
        )
        assert row[:5] == ["25", "40.00", "0.00", "+60.0%", f"{known:.2f}"]
        assert abs(estimated - known) > 0.1
        assert float(row[5]) == pytest.approx(estimated - known, abs=2e-3)
