import csv
from pathlib import Path

import pytest
import torch

from rimkit.cli.main import main
from rimkit.evaluation import published
from rimkit.evaluation.denoising import Condition, ImageScore, score_denoising, solver_restore
from rimkit.evaluation.images import CleanImage
from rimkit.evaluation.statistics import Comparison, Mean
from rimkit.evaluation.tables import (
    SIGMAS,
    Row,
    difference_cell,
    format_rows,
    measured_row,
    published_rows,
    write_rows,
)
from rimkit.networks import CompactConfig
from rimkit.provenance import version
from rimkit.rim import RIM, RIMConfig
from rimkit.weights import store


def known(psnr: float) -> Mean:
    return Mean(psnr, float("nan"))


def test_published_rows_are_those_of_the_paper() -> None:
    rows = {row.method: row for row in published_rows(published.denoise_gray())}
    found = {place: mean.value for place, mean in rows["RIM-denoise"].psnr.items()}
    for quantised, values in {
        False: {68: (31.31, 28.91, 26.06), 100: (31.10, 28.72, 25.88)},
        True: {68: (31.25, 28.76, 25.27), 100: (31.05, 28.58, 25.14)},
    }.items():
        for images, psnr in values.items():
            for sigma, value in zip((15, 25, 50), psnr, strict=True):
                assert found.pop((images, Condition(sigma, quantised))) == value
    assert not found
    assert rows["BM3D"].psnr[68, Condition(25)].value == 28.56
    assert all(score.source for score in published.denoise_gray())
    colour = {row.method: row for row in published_rows(published.denoise_color())}
    assert colour["RIM"].psnr[100, Condition(25, quantised=True)].value == 30.67


def test_a_measured_row_counts_parameters_time_and_memory() -> None:
    scores = [
        ImageScore(str(n), sigma, False, 30.0 + n, 0.9) for n in range(70) for sigma in (15.0, 25.0)
    ]
    row = measured_row("ours", scores, parameters=1234567, seconds=0.5, memory=321.0)
    assert row.psnr[68, Condition(15)].value == pytest.approx(30 + 67 / 2)
    assert row.psnr[70, Condition(25)].value == pytest.approx(30 + 69 / 2)
    spread = (sum((n - 69 / 2) ** 2 for n in range(70)) / 70) ** 0.5
    assert row.psnr[70, Condition(25)].deviation == pytest.approx(spread / 70**0.5, rel=0.05)
    text = format_rows([row], conditions=[Condition(15), Condition(25)], deviations=True)
    assert "1,234,567" in text
    assert "63.50 ±" in text
    assert text.splitlines()[-1].split()[-2:] == ["0.50", "321"]


def test_what_is_not_known_stays_empty() -> None:
    rows = [Row("a", {(68, Condition(25)): known(28.5)}), Row("b", {})]
    lines = format_rows(rows, conditions=[Condition(15), Condition(25)]).splitlines()
    assert lines[0].split() == ["PSNR", "in", "dB", "parameters", "68:", "25"]
    assert lines[2].split() == ["a", "28.50"]
    assert lines[3].split() == ["b"]


def test_csv_has_one_line_a_score(tmp_path: Path) -> None:
    psnr = {
        (68, Condition(25)): Mean(30.0, 0.1),
        (100, Condition(25, quantised=True)): known(28.25),
    }
    write_rows([Row("a", psnr, parameters=5)], tmp_path / "t.csv")
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    names = ("images", "quantised", "psnr_db", "deviation", "parameters")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("68", "no", "30", "0.1000", "5"),
        ("100", "yes", "28.25", "", "5"),
    ]


@pytest.mark.data
def test_evaluate_prints_the_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rimkit.cli import evaluate

    few = list(evaluate.load_test_images(2))
    monkeypatch.setattr(evaluate, "load_test_images", lambda count, channels: few)
    table, images = tmp_path / "table.csv", tmp_path / "images.csv"
    arguments = ["evaluate", "denoise-gray", "--csv", str(table), "--per-image", str(images)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "RIM-denoise" in printed
    assert "rimkit denoise-gray" in printed
    assert printed.splitlines()[-1].startswith(f"rimkit evaluate: {version()}; ")
    assert len(images.read_text().splitlines()) == 1 + 2 * 3
    assert "measured here" in table.read_text()


@pytest.mark.parametrize("learned", ["half", "unknown"])
def test_evaluate_gives_the_likelihood_that_a_model_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, learned: str
) -> None:
    from rimkit.cli import evaluate

    torch.manual_seed(0)
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=2))
    torch.nn.init.normal_(model.network.out.weight, std=1.0)
    path = tmp_path / "tiny.safetensors"
    store.save(model, path, training={"task": {"name": "denoising", "quantised": learned}})
    image = CleanImage("1", torch.rand(1, 1, 16, 16).round())  # much of it is clipped
    monkeypatch.setattr(evaluate, "load_test_images", lambda count, channels: [image])
    table, images = tmp_path / "table.csv", tmp_path / "images.csv"
    files = ["--csv", str(table), "--per-image", str(images)]
    assert main(["evaluate", str(path), "--quantised", *files]) == 0
    found = [float(row["psnr"]) for row in csv.DictReader(images.read_text().splitlines())]
    conditions = [Condition(sigma, quantised) for quantised in (False, True) for sigma in SIGMAS]
    plain, knowing = (
        [
            score.psnr
            for score in score_denoising(
                [image], conditions, solver_restore(model.eval(), knows_levels=knows)
            )
        ]
        for knows in (False, True)
    )
    assert max(abs(a - b) for a, b in zip(plain, knowing, strict=True)) > 0.01
    assert found == pytest.approx(knowing if learned == "half" else plain, abs=1e-3)
    assert ("knows of levels" in table.read_text()) == (learned == "half")


def test_a_difference_says_its_interval_and_the_images_won() -> None:
    result = Comparison(Mean(0.1234, 0.05), -0.011, 0.3, wins=2, images=3)
    assert difference_cell(result) == "+0.12 [-0.01, +0.30] 2/3"
    assert difference_cell(result, digits=3) == "+0.123 [-0.011, +0.300] 2/3"
