"""The problems that a machine never saw, on two small images."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="needs rimkit[plot]")

from tests.reproduction.test_figure2 import images, write_model

from rimkit.classical import GradientDescent, TotalVariation
from rimkit.evaluation.transfer import TRANSFERS
from rimkit.reproduction import (
    denoising,
    denoising_methods,
    transfer,
    transfer_cuts,
    tuned,
    walkers,
)
from rimkit.reproduction.method import SolverMethod
from rimkit.reproduction.setup import Setup
from rimkit.trained import never_denoised, saw_less_contrast

SOME = tuple(p for p in TRANSFERS if p.name in ("inpaint-5", "deblur", "frequencies", "counts"))


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.setattr(transfer, "load_test_images", images)
    monkeypatch.setattr(transfer, "STEPS", 3)
    monkeypatch.setattr(transfer, "_LATE", 1)
    monkeypatch.setattr(walkers.weights, "model_names", list)
    for module in (transfer, transfer_cuts):
        monkeypatch.setattr(module, "TRANSFERS", SOME)
    for problem in SOME:
        name = problem.name
        monkeypatch.setitem(tuned.DESCENTS, name, tuned.DESCENTS[name]._replace(steps=2))
        monkeypatch.setitem(tuned.VARIATIONS, name, tuned.VARIATIONS[name]._replace(steps=3))
    model = write_model(tmp_path / "tiny.safetensors", 0)
    output = tmp_path / "results"
    return Setup(output=output, say=lambda _: None, images=2, models=(model,))


def test_every_problem_has_its_classical_solvers() -> None:
    for problem in TRANSFERS:
        assert tuned.gradient_descent(problem).variance_floor == problem.variance_floor
        assert tuned.total_variation(problem).variance_floor == problem.variance_floor


@pytest.mark.usefixtures("one_thread")
def test_transfer(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    text = transfer.transfer(setup)
    assert text == (setup.output / "transfer.txt").read_text()
    assert (setup.output / "transfer.png").stat().st_size > 20_000
    for problem in SOME:
        assert text.count(f"\n{problem.title}  ") == 2
    assert text.count("/2") == len(SOME)
    assert "variance floor 0.000277778" in text
    lines = list(csv.DictReader((setup.output / "transfer-images.csv").read_text().splitlines()))
    assert len(lines) == len(SOME) * 2 * 3
    late = [line["late_db"] for line in lines]
    assert sum(value != "nan" for value in late) == len(SOME)  # of the machine, on one image
    assert text.count("What 3 steps change is of the first 1 images") == 1
    assert any("blur of 1.5 pixels" in line["settings"] for line in lines)  # scores depend on it
    with monkeypatch.context() as patch:  # what is known is not measured again
        patch.setattr(transfer, "psnr_by_step", lambda *_, **__: pytest.fail("measured again"))
        again = transfer.transfer(setup)
    assert _but_for_costs(again) == _but_for_costs(text)


def _but_for_costs(text: str) -> list[str]:
    """Without the version, and what was measured in one run."""
    lines = text.splitlines()
    (first,) = (n for n, line in enumerate(lines) if line.startswith("an image, noise, sigma 15 "))
    assert [line.split("  ")[0] for line in lines[first + 2 :]] == [
        *("gradient descent", "total variation", "tiny")
    ]
    return lines[1:first]


@pytest.mark.usefixtures("one_thread")
def test_every_machine_is_drawn_and_said_where_a_classical_solver_is_better(setup: Setup) -> None:
    (image,) = images(1)
    still, total = GradientDescent(step_size=1e-9, steps=1), TotalVariation(weight=10.0, steps=3)
    methods = [
        SolverMethod(name, lambda _, solver=solver: solver, lambda _: None, parameters)
        for name, solver, parameters in (
            ("gradient descent", still, None),
            ("total variation", total, None),
            ("good", total, 7),
            ("bad", still, 7),
        )
    ]
    figure = transfer_cuts.draw(image, methods)
    assert len(figure.axes) == len(SOME) * 6
    titles = [axis.get_title() for axis in figure.axes[:6]]  # half of the pixels are missing
    assert [title.splitlines()[0] for title in titles[2:]] == [m.name for m in methods]
    assert [title.splitlines()[2:] for title in titles[2:]] == [
        *([], [], [], ["below total variation"])
    ]


@pytest.mark.usefixtures("one_thread")
def test_what_diverges_is_said(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tuned.DESCENTS, "deblur", tuned.Descent(1e9, 30))
    text = transfer.transfer(setup)
    (line, _) = (
        line for line in text.splitlines() if line.startswith("blur of 1.5 pixels, sigma 5 ")
    )
    assert "diverged on 2" in line
    assert "over total variation" in text


@pytest.mark.usefixtures("one_thread")
def test_models_have_names_of_their_own(setup: Setup) -> None:
    twice = dataclasses.replace(setup, models=setup.models * 2)
    with pytest.raises(ValueError, match="a name of its own"):
        transfer.transfer(twice)


@pytest.mark.usefixtures("one_thread")
def test_table_2_has_the_machine_that_never_denoised(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denoising, "load_test_images", images)
    monkeypatch.setattr(denoising_methods.weights, "model_names", list)
    faded = write_model(setup.output.parent / "faded.safetensors", 0, contrast=0.2)
    both = dataclasses.replace(setup, models=(*setup.models, faded), others=False)
    text = denoising.table2(both)
    rows = ["rimkit tiny (RIM-3task)", "rimkit faded (RIM-3task), noise of at most 10 levels"]
    for row in rows:
        assert f"{row}, knows of levels" not in text
    plain, quiet = (
        [cell for cell in line.removeprefix(row).split("  ") if "±" in cell]
        for row in rows
        for line in text.splitlines()
        if line.startswith(f"{row}  ")
    )
    assert len(plain) == len(quiet) == 6  # plain and 8 bits, at three levels
    assert all(one != other for one, other in zip(plain, quiet, strict=True))


@pytest.mark.parametrize(
    ("task", "keeps"),
    [
        ({}, True),
        ({"p": [0.1, 0.8]}, True),
        ({"noisier": 0.5}, False),
        ({"p": [0.1, 1.0]}, False),
        ({"p": [0.1, 1.0], "fourier_most": 0.6}, True),
        ({"p": [0.1, 1.0], "ensembles": ["gaussian", "binary"]}, True),
        ({"name": "denoising"}, False),
    ],
)
def test_a_whole_transform_and_more_noise_are_beyond_the_protocol(
    task: dict[str, object], keeps: bool
) -> None:
    record = {"task": {"name": "random-projections", **task}}
    assert never_denoised(record) == keeps
    strict = {"name": "random-projections", "noisier": 0.0}
    start = {"learned": [record, {"task": strict, "contrast": [1.0, 1.0]}]}
    assert never_denoised({"task": strict, "start": start}) == keeps


def test_faded_patches_are_known_of_a_start_too() -> None:
    assert not saw_less_contrast({"start": {"learned": [{"task": {}, "contrast": [1.0, 1.0]}]}})
    assert saw_less_contrast({"start": {"learned": [{"task": {}, "contrast": [0.2, 1.0]}]}})
    assert saw_less_contrast({"recipe": {"data": {"contrast": [0.2, 1.0]}}})
