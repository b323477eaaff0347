"""Scores are measured once."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rimkit.evaluation.denoising import Condition
from rimkit.evaluation.images import CleanImage
from rimkit.reproduction.scores import DenoisingMethod, KeptScores

CONDITIONS = [Condition(25), Condition(25, quantised=True)]


def images(count: int) -> list[CleanImage]:
    return [CleanImage(str(n), torch.full((1, 1, 16, 16), 0.1 + 0.2 * n)) for n in range(count)]


class Counted:
    """Returns y, and counts how often."""

    def __init__(self) -> None:
        self.calls: list[Condition] = []

    def __call__(self, y: Tensor, condition: Condition) -> Tensor:
        self.calls.append(condition)
        return y


def test_what_is_there_is_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    said: list[str] = []
    restore = Counted()
    method = DenoisingMethod("as it is", restore, "nothing, version 1")
    first = KeptScores(file, say=said.append).of(method, images(2), CONDITIONS)
    assert [(s.image, s.condition) for s in first] == [
        (name, condition) for name in ("0", "1") for condition in CONDITIONS
    ]
    assert len(restore.calls) == 4
    assert said == ["as it is: 1 of 2", "as it is: 2 of 2"]
    again = KeptScores(file, say=said.append).of(method, images(3), [*CONDITIONS, Condition(50)])
    assert len(restore.calls) == 4 + 2 + 3
    kept = [s for s in again if s.image != "2" and s.sigma == 25]
    assert [(s.psnr, s.condition) for s in kept] == [(round(s.psnr, 4), s.condition) for s in first]
    assert len(KeptScores(file, say=said.append).of(method, images(3), CONDITIONS)) == 6
    assert len(restore.calls) == 9


def test_two_runs_on_one_file_keep_each_others_scores(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    one, other = (KeptScores(file, say=lambda _: None) for _ in range(2))
    restore = Counted()
    one.of(DenoisingMethod("one", restore, "of one"), images(2), CONDITIONS)
    other.of(DenoisingMethod("other", restore, "of another"), images(1), CONDITIONS)
    one.of(DenoisingMethod("one", restore, "of one"), images(3), CONDITIONS)
    methods = [line["method"] for line in csv.DictReader(file.read_text().splitlines())]
    assert (methods.count("one"), methods.count("other"), len(restore.calls)) == (6, 2, 8)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "method,image,sigma\nas it is,1\n"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"scores\.csv: not every line has the columns method"):
        KeptScores(file, say=lambda _: None)
    assert file.read_text() == text


def test_lines_of_an_older_file_do_not_say_what_measured_them(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(
        "method,image,sigma,quantised,psnr_db,ssim,settings\nold,0,25,no,30,0.9,older\n"
    )
    KeptScores(file, say=print).of(
        DenoisingMethod("as it is", Counted(), "newer"), images(1), CONDITIONS
    )
    first, *others = csv.DictReader(file.read_text().splitlines())
    assert first["measured_by"] == ""
    assert all(line["measured_by"] for line in others)


def test_another_protocol_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "scores.csv"
    file.write_text(
        "method,image,sigma,quantised,psnr_db,ssim,settings\n"
        "as it is,0,25,no,30,0.9,version 1\nas it is,0,25,yes,29,0.8,version 1\n"
    )
    restore = Counted()
    for protocol, calls in ((1, 0), (2, 2), (2, 2)):
        monkeypatch.setattr("rimkit.reproduction.scores._PROTOCOL", protocol)
        method = DenoisingMethod("as it is", restore, "version 1")
        found = KeptScores(file, say=lambda _: None).of(method, images(1), CONDITIONS)
        assert len(restore.calls) == calls
        assert (found[0].psnr == 30) == (protocol == 1)


def test_other_settings_are_measured_and_both_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    restore = Counted()
    for settings in ("version 1", "version 2", "version 1"):
        method = DenoisingMethod("as it is", restore, settings)
        KeptScores(file, say=lambda _: None).of(method, images(1), CONDITIONS)
    assert len(restore.calls) == 4
    lines = list(csv.DictReader(file.read_text().splitlines()))
    assert [line["settings"] for line in lines] == ["version 1"] * 2 + ["version 2"] * 2
    assert all("rimkit" in line["measured_by"] for line in lines)


def test_weights_that_get_another_name_keep_their_scores(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    restore = Counted()
    for name in ("run", "other", "in the package"):
        settings = "other" if name == "other" else "version 1"
        method = DenoisingMethod(name, restore, settings)
        KeptScores(file, say=lambda _: None).of(method, images(1), CONDITIONS)
    assert len(restore.calls) == 4
    lines = list(csv.DictReader(file.read_text().splitlines()))
    assert [line["method"] for line in lines] == ["in the package"] * 2 + ["other"] * 2
