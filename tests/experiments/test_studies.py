"""Studies are read strictly, run once, and say what their trainings reached."""

import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("lightning", reason="needs rimkit[train]")

from tests.training.conftest import SMALL, images  # noqa: F401

from rimkit import weights
from rimkit.cli.main import main
from rimkit.experiments.report import summarise, to_csv, to_text
from rimkit.experiments.run import Look, Result, run_study
from rimkit.experiments.study import Choice, Study, load_study, study_names
from rimkit.training.data import training_paths

TINY = tuple(setting for setting in SMALL if "updates" not in setting and "every=20" not in setting)


NO_FLOOR = ("model.variance_floor=0", "model.variance_floor_trained=false")
FROM_HALF = "task.sigma=[0.5, 55]"


def tiny(**changes: object) -> Study:
    settings: dict[str, object] = {
        "title": "tiny",
        "recipe": "denoise-gray",
        "minutes": 1.0,
        "set": TINY,
        "looks": 2,
        "choices": (
            Choice("default", seeds=2),
            Choice("adamw", group="optimiser", set=("optimizer.name=adamw",), updates_of="default"),
        ),
    }
    return Study(**(settings | changes))  # type: ignore[arg-type]


def costs(output: Path) -> None:
    """A machine that needs ten seconds for an update: six fit into a minute."""
    output.mkdir()
    (output / "seconds-per-update.json").write_text(json.dumps({"default": 10.0}))


@pytest.mark.parametrize("name", study_names())
def test_studies_of_the_package(name: str) -> None:
    study = load_study(name)
    for choice in study.choices:
        assert study.recipe_of(choice, updates=10 * study.looks).validate_every == 10


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ((Choice("a"), Choice("a")), "a name of its own"),
        ((Choice("a", set=("optimizer.raet=1",)),), 'did you mean "rate"'),
        ((Choice("a", updates_of="b"),), 'has no "b"'),
        ((Choice("a", updates_of="a"),), 'has no "a"'),
        ((Choice("a b"), Choice("a-b")), "a name of its own"),
        ((), "a study has choices"),
        ((Choice("a", seeds=0),), '"a" has at least one seed'),
        ((Choice("a", minutes=-1.0),), '"a" has neither minutes nor updates'),
        ((Choice("a", minutes=float("nan")),), '"a" has neither'),
    ],
)
def test_mistakes_are_found_before_hours_are_spent(
    choices: tuple[Choice, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(choices=choices)


def test_a_study_looks_at_least_once() -> None:
    with pytest.raises(ValueError, match="looks at least once"):
        tiny(looks=0)


def test_a_misspelt_column_is_found_before_hours_are_spent() -> None:
    with pytest.raises(ValueError, match='log has no "train/floor"; did you mean'):
        tiny(columns=("train/floor",))


def test_a_study_is_run_once(tmp_path: Path, images: Path) -> None:  # noqa: F811
    output = tmp_path / "study"
    costs(output)
    said: list[str] = []
    results = run_study(tiny(), training_paths(images), output, say=said.append)
    assert [(r.choice.name, r.seed) for r in results] == [
        ("default", 0),
        ("default", 1),
        ("adamw", 0),
    ]
    for result in results:
        assert result.updates == 6
        assert [look.update for look in result.looks] == [3, 6]
        assert {"sigma_15", "sigma_25_late"} < result.looks[-1].psnr.keys()
    assert results[0].looks != results[1].looks
    assert not list(output.glob("*/last.ckpt"))
    assert len(said) == 3

    written = {path: path.stat().st_mtime_ns for path in output.glob("*/weights.safetensors")}
    assert len(written) == 3
    again = run_study(tiny(), training_paths(images), output, jobs=2, say=said.append)
    assert again == results
    assert written == {path: path.stat().st_mtime_ns for path in written}

    other = tiny(set=(*TINY, "optimizer.rate=0.5"))
    with pytest.raises(ValueError, match="holds another training"):
        run_study(other, training_paths(images), output, say=said.append)


def test_costs_are_measured_and_kept(tmp_path: Path, images: Path) -> None:  # noqa: F811
    study = tiny(choices=(Choice("only", updates=2),))
    run_study(study, training_paths(images), tmp_path / "study", say=lambda _: None)
    kept = json.loads((tmp_path / "study" / "seconds-per-update.json").read_text())
    assert 0 < kept["only"] < 10


def test_other_columns_of_the_log_are_reported(tmp_path: Path, images: Path) -> None:  # noqa: F811
    choices = (
        Choice("trained", updates=50),
        Choice("none", updates=50, set=NO_FLOOR, updates_of="trained"),
    )
    study = tiny(choices=choices, columns=("train/variance_floor",), set=(*TINY, FROM_HALF))
    results = run_study(study, training_paths(images), tmp_path / "study", say=lambda _: None)
    ends = [result.looks[-1].logged["train/variance_floor"] for result in results]
    model = weights.load(tmp_path / "study" / "trained-0" / "weights.safetensors")
    assert ends == [pytest.approx(model.variance_floor.item(), rel=0.01), 0.0]
    assert ends[0] != pytest.approx(1e-4, rel=1e-5)
    head, *_, last = to_text("t", summarise(results)).splitlines()[2:]
    assert head.split()[-1] == "variance_floor"
    assert last.split()[-1] == "0"
    assert len(head) == len(last)
    rows = list(csv.DictReader(to_csv(results).splitlines()))
    assert float(rows[1]["train/variance_floor"]) == pytest.approx(ends[0], rel=1e-4)

    missing = tiny(choices=choices, columns=("train/motion",), set=(*TINY, FROM_HALF))
    with pytest.raises(ValueError, match=r"the log in .* has no train/motion"):
        run_study(missing, training_paths(images), tmp_path / "study", say=lambda _: None)


def result(name: str, seed: int, db: float, late: float, seeds: int = 1) -> Result:
    looks = [Look(5, {"sigma_25": db - 1, "sigma_25_late": late - 1})]
    looks += [Look(10, {"sigma_25": db, "sigma_25_late": late})]
    return Result(Choice(name, group="g", seeds=seeds), seed, 0.6, 10, looks)


def test_seeds_can_be_limited() -> None:
    study = tiny().with_seeds(1)
    assert [choice.seeds for choice in study.choices] == [1, 1]
    assert [choice.seeds for choice in tiny().with_seeds(5).choices] == [2, 1]


def test_a_choice_may_have_a_recipe_of_its_own() -> None:
    study = tiny(set=(), choices=(Choice("paper", recipe="denoise-paper"),))
    assert study.recipe_of(study.choices[0], updates=2).model.network.table_name == "paper"


def test_the_table_says_mean_spread_gain_and_what_later_steps_do() -> None:
    results = [
        result("a", 0, 28.0, 27.5, 2),
        result("a", 1, 28.2, 27.9, 2),
        result("b", 0, 28.4, 28.4),
    ]
    first, second = summarise(results)
    assert first.mean == pytest.approx(28.1)
    assert first.deviation == pytest.approx(0.1 * 2**0.5)
    assert first.late == pytest.approx(-0.4)
    assert second.deviation is None
    row = next(line for line in to_text("t", [first, second]).splitlines() if line.startswith("b"))
    assert row.split() == ["b", "10", "0.600", "28.40", "28.40", "1", "+0.30", "+0.00"]
    rows = to_csv(results).splitlines()
    assert len(rows) == 1 + 6
    assert rows[2].startswith("g,a,,0,10,0.10,28.0000,27.5000")


def test_titles_of_columns_stand_apart_over_their_numbers() -> None:
    look = Look(10, dict.fromkeys((*TITLES, *(f"{title}_late" for title in TITLES)), 20.0))
    lines = summarise([Result(Choice("a", group="g", seeds=1), 0, 0.6, 10, [look])])
    head, *_, row = to_text("t", lines).splitlines()[2:]
    assert [title for title in head.split() if title in TITLES] == TITLES
    assert all(row[: head.index(title) + len(title)].endswith("20.00") for title in TITLES)


TITLES = ["binary_0.025", "fourier_0.1"]


def test_the_command(
    tmp_path: Path,
    images: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "my.toml"
    settings = ", ".join(f'"{setting}"' for setting in TINY)
    file.write_text(
        f'title = "mine"\nrecipe = "denoise-gray"\nminutes = 1\nset = [{settings}]\n'
        '[[choices]]\nname = "default"\n'
    )
    output = tmp_path / "out"
    costs(output)
    arguments = [str(file), "--data", str(images), "--output", str(output)]
    assert main(["experiments", *arguments, "--csv", str(tmp_path / "my.csv")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("mine\n")
    assert (tmp_path / "my.csv").read_text().startswith("group,choice")
    assert main(["experiments", "nothing"]) == 1


def test_figures_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    from rimkit.experiments.figures import curves_figure, gains_figure

    results = [result("a", 0, 28.0, 27.5, 2), result("a", 1, 28.2, 27.9, 2), result("b", 0, 20, 20)]
    figure = gains_figure("t", summarise(results))
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["b", "a"]
    assert {text.get_text() for text in axis.texts} == {"+0.00", "-8.10"}
    figure = curves_figure("t", results)
    (axis,) = figure.axes
    assert len(axis.lines) == 3
    assert [float(v) for v in axis.lines[0].get_ydata()] == [27.0, 28.0]
    assert [float(v) for v in axis.lines[0].get_xdata()] == pytest.approx([0.05, 0.1])
    figure.savefig(tmp_path / "curves.png")
