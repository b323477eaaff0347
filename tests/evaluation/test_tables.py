import csv
from pathlib import Path

import pytest

from rimkit.cli.main import main
from rimkit.evaluation import published
from rimkit.evaluation.protocols import ImageScore
from rimkit.evaluation.tables import Row, format_rows, measured_row, published_rows, write_rows


def test_published_rows_are_those_of_the_paper() -> None:
    rows = {row.method: row for row in published_rows(published.denoise_gray())}
    assert rows["RIM-denoise"].psnr == {
        (68, 15.0): 31.31, (68, 25.0): 28.91, (68, 50.0): 26.06,
        (100, 15.0): 31.10, (100, 25.0): 28.72, (100, 50.0): 25.88,
    }  # fmt: skip
    assert rows["BM3D"].psnr[68, 25.0] == 28.56
    assert all(score.source for score in published.denoise_gray())


def test_a_measured_row_counts_parameters_time_and_memory() -> None:
    scores = [
        ImageScore(str(n), sigma, 30.0 + n, 0.9, 9.0 if n == 0 else 0.5)
        for n in range(70)
        for sigma in (15.0, 25.0)
    ]
    row = measured_row("ours", scores, parameters=1234567, memory=321.0)
    assert row.psnr[68, 15.0] == pytest.approx(30 + 67 / 2)
    assert row.psnr[70, 25.0] == pytest.approx(30 + 69 / 2)
    assert row.seconds == pytest.approx(0.5)
    text = format_rows([row], sigmas=(15, 25))
    assert "1,234,567" in text
    assert "63.50" in text
    assert "321" in text


def test_what_is_not_known_stays_empty() -> None:
    lines = format_rows([Row("a", {(68, 25.0): 28.5}), Row("b", {})]).splitlines()
    assert lines[2].split() == ["a", "28.50"]
    assert lines[3].split() == ["b"]


def test_csv_has_one_line_a_score(tmp_path: Path) -> None:
    write_rows([Row("a", {(68, 25.0): 28.5, (100, 25.0): 28.25}, parameters=5)], tmp_path / "t.csv")
    rows = list(csv.DictReader((tmp_path / "t.csv").read_text().splitlines()))
    assert [(row["images"], row["psnr_db"], row["parameters"]) for row in rows] == [
        ("68", "28.5", "5"),
        ("100", "28.25", "5"),
    ]


@pytest.mark.data
def test_evaluate_prints_the_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rimkit.cli import evaluate

    few = list(evaluate.load_test_images(2))
    monkeypatch.setattr(evaluate, "load_test_images", lambda count: few)
    table, images = tmp_path / "table.csv", tmp_path / "images.csv"
    arguments = ["evaluate", "denoise-gray", "--csv", str(table), "--per-image", str(images)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "RIM-denoise" in printed
    assert "rimkit denoise-gray" in printed
    assert len(images.read_text().splitlines()) == 1 + 2 * 3
    assert "measured in this run" in table.read_text()
