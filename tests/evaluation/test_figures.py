from pathlib import Path

import pytest
import torch

pytest.importorskip("matplotlib", reason="needs rimkit[plot]")

from rimkit.evaluation.figures import demo_figure


def test_demo_figure_shows_images_and_the_path(tmp_path: Path) -> None:
    truth = torch.rand(1, 1, 40, 40)
    y = truth + 0.1
    trajectory = torch.stack([y, (y + truth) / 2, truth + 0.01])
    window = (slice(0, 20), slice(0, 30))
    figure = demo_figure(y, trajectory, truth, steps=2, baselines={"other": 25.0}, window=window)
    noisy, restored, clean, plot = figure.axes
    assert noisy.get_title() == "noisy, 20.32 dB" or noisy.get_title().startswith("noisy, 2")
    assert restored.get_title().startswith("restored, 4")
    assert clean.images[0].get_array().shape == (20, 30)
    values = plot.lines[0].get_ydata()
    assert len(values) == 3
    assert values[0] < values[1] < values[2]
    assert plot.get_ylabel() == "PSNR (dB)"
    figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
