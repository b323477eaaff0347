import csv
import dataclasses
import math
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cases import uniform
from torch import Tensor

import rimkit
from rimkit.cli.main import main
from rimkit.evaluation.images import CleanImage
from rimkit.evaluation.own_images import score_task, to_text
from rimkit.metrics import HIGHEST, psnr
from rimkit.networks import CompactConfig
from rimkit.provenance import version
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import DivergenceError
from rimkit.tasks import DenoisingTask, RandomProjectionsTask

IMAGE = CleanImage("a photo", 0.4 + 0.2 * uniform(1, 1, 40, 51).float())


def test_the_problems_are_those_that_the_task_is_watched_on() -> None:
    task = DenoisingTask(validation_sigmas=(15.0, 25.0, 50.0), quantised="half")
    solver = rimkit.TotalVariation(weight=0.0, steps=1)
    scores = list(score_task(solver, task, [IMAGE]))
    assert [score.problem for score in scores] == list(task.validation())
    for score, sigma in zip(scores, (15, 25, 50), strict=False):
        assert score.start == pytest.approx(-20 * np.log10(sigma / 255), abs=0.5)
        assert score.psnr == pytest.approx(score.start, abs=0.01)
        assert 0 < score.ssim < 1
    assert list(score_task(solver, task, [IMAGE])) == scores
    renamed = dataclasses.replace(IMAGE, name="b")
    assert next(iter(score_task(solver, task, [renamed]))).start != scores[0].start
    head, _, first, *_ = to_text(scores).splitlines()
    assert head.split() == ["problem", "start", "PSNR", "SSIM"]
    assert first.split()[:3] == ["sigma_15", f"{scores[0].start:.2f}", f"{scores[0].psnr:.2f}"]


def test_tasks_for_patches_get_patches() -> None:
    task = RandomProjectionsTask(ensembles=("gaussian",), p=(0.4,))
    seen = []

    class Spy(rimkit.GradientDescent):
        def init(self, y: torch.Tensor, problem: rimkit.Problem) -> rimkit.Iterate:
            seen.append(y.shape[0])
            return super().init(y, problem)

    (score,) = score_task(Spy(step_size=1e-3, steps=2), task, [IMAGE], patch=16)
    assert seen == [2 * 3]
    assert score.psnr > score.start
    with pytest.raises(ValueError, match="a photo is smaller than a patch of 41x41"):
        list(score_task(Spy(step_size=1e-3), task, [IMAGE], patch=41))


class Overshoots(rimkit.GradientDescent):
    """Ends beyond white."""

    def step(self, iterate: rimkit.Iterate, y: Tensor, problem: rimkit.Problem) -> rimkit.Iterate:
        return rimkit.Iterate(iterate.eta, torch.full_like(iterate.x, 1.01), ())


def test_a_patch_without_any_error_makes_no_mean_infinite() -> None:
    task = RandomProjectionsTask(ensembles=("gaussian",), p=(0.4,))
    white = CleanImage("white", torch.ones(1, 1, 40, 51))
    (score,) = score_task(Overshoots(step_size=1e-3, steps=1), task, [white], patch=16)
    assert score.psnr == pytest.approx(HIGHEST) == pytest.approx(58.92, abs=0.01)
    first, *_ = score_task(Overshoots(step_size=1e-3, steps=1), DenoisingTask(), [white])
    assert first.psnr == math.inf  # an image that is met is met


def test_what_goes_wrong_is_said_of_its_image() -> None:
    class Diverges(rimkit.GradientDescent):
        def step(
            self, iterate: rimkit.Iterate, y: Tensor, problem: rimkit.Problem
        ) -> rimkit.Iterate:
            raise DivergenceError("far away")

    with pytest.raises(DivergenceError) as caught:
        list(score_task(Diverges(step_size=1e-3, steps=1), DenoisingTask(), [IMAGE]))
    (note,) = caught.value.__notes__
    assert note.startswith("while solving a photo (1, 1, 40, 51) for 'sigma_")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b"):
        Image.fromarray((255 * uniform(30, 40)).numpy().astype(np.uint8)).save(
            folder / f"{name}.png"
        )
    return folder


def test_a_model_is_scored_on_images_of_ones_own(
    tmp_path: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=2)).eval()
    file, table = tmp_path / "small.safetensors", tmp_path / "scores.csv"
    trained = {"task": {"name": "super-resolution", "scales": [2.0, 3.0]}}
    rimkit.save(model, file, training=trained)
    arguments = ["evaluate", str(file), "--data", str(own)]
    assert main([*arguments, "--per-image", str(table)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert set(printed.pop(1)) == {"-"}
    assert [line.split()[0] for line in printed] == ["problem", "x2", "x3", "means", "rimkit"]
    assert printed[-1].startswith(f"rimkit evaluate: {version()}; ")
    with table.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["image"], row["problem"]) for row in rows] == [
        (image, problem) for image in ("a", "b") for problem in ("x2", "x3")
    ]
    assert float(rows[0]["psnr"]) == pytest.approx(float(rows[0]["start"]), abs=1e-3)  # untrained
    (own / "deep").mkdir()
    (own / "a.png").rename(own / "deep" / "b.png")
    assert main([*arguments, "--per-image", str(table)]) == 0
    with table.open() as lines:
        named = {row["image"]: row["psnr"] for row in csv.DictReader(lines)}
    assert sorted(named) == ["b", "deep/b"]
    capsys.readouterr()
    Image.new("L", (8, 40)).save(own / "small.png")
    assert main(arguments) == 1
    assert "small.png: images must have at least 11x11 pixels" in capsys.readouterr().err
    for option in (["--quantised"], ["--images", "68"], ["--csv", str(table)]):
        assert main([*arguments, *option]) == 1
        assert "are for the test images" in capsys.readouterr().err


@dataclasses.dataclass(frozen=True)
class Unknown(DenoisingTask):
    table_name: ClassVar[str] = "unknown"


def test_a_task_that_is_not_known_is_said(
    tmp_path: Path, own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.safetensors"
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=2))
    rimkit.save(model, file, training={"task": {"name": Unknown.table_name}})
    assert main(["evaluate", str(file), "--data", str(own)]) == 1
    assert "--import" in capsys.readouterr().err


def test_the_start_is_that_of_the_solver() -> None:
    black = RIM(
        RIMConfig(network=CompactConfig(features=8, blocks=1), start="zeros", steps=1)
    ).eval()
    expected = psnr(torch.zeros_like(IMAGE.x), IMAGE.x).item()
    starts = [score.start for score in score_task(black, DenoisingTask(), [IMAGE])]
    assert starts == pytest.approx(3 * [expected])
