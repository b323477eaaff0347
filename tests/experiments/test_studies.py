"""Studies are read strictly, run once, and say what their trainings reached."""

import csv
import math
import re
import signal
import sys
import time
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("lightning", reason="needs rimkit[train]")

from tests.processes import started
from tests.training.conftest import SMALL, images  # noqa: F401

from rimkit import weights
from rimkit.benchmarks.updates import UpdateTime
from rimkit.cli.main import main
from rimkit.data.splits import training_paths
from rimkit.experiments import run
from rimkit.experiments.report import from_csv, summarise, to_csv, to_text
from rimkit.experiments.result import Look, Result, read_log
from rimkit.experiments.run import run_study
from rimkit.experiments.study import Choice, Study, load_study, study_names
from rimkit.solver import DivergenceError
from rimkit.training.recipe import Recipe
from rimkit.training.run import train
from rimkit.training.trainer import RunOptions
from rimkit.weights import store

TINY = tuple(setting for setting in SMALL if "updates" not in setting and "every=20" not in setting)


SETTINGS = ", ".join(f'"{setting}"' for setting in TINY)
HEAD = f'title = "mine"\nrecipe = "denoise-gray"\nminutes = 1\nset = [{SETTINGS}]\n'
"""How a study in a file begins."""

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


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that needs ten seconds for an update: six fit into a minute."""
    monkeypatch.setattr(run, "time_update", lambda *_, **__: UpdateTime(1, 3, 5, 1))


@pytest.mark.parametrize("name", study_names())
def test_studies_of_the_package(name: str) -> None:
    study = load_study(name)
    for choice in study.choices:
        assert study.recipe_of(choice, updates=10 * study.looks).validate_every == 10


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ((Choice("a"), Choice("a")), "their names must differ"),
        ((Choice("a", set=("optimizer.raet=1",)),), 'did you mean "rate"'),
        ((Choice("a", updates_of="b"),), 'has no "b"'),
        ((Choice("a", updates_of="a"),), 'has no "a"'),
        ((Choice("a b"), Choice("a-b")), "their names must differ"),
        ((), "a study must have choices"),
        ((Choice("a", seeds=0),), '"a" must have at least one seed'),
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
    with pytest.raises(ValueError, match="looks must be at least 1, got 0"):
        tiny(looks=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": ("train/floor",)}, 'log has no "train/floor"; did you mean'),
        ({"columns": ("train/motion",)}, "has no train/motion: its loss.rest is 0"),
        (
            {"choices": (Choice("a", updates=7),)},
            "takes 7 updates, which must be a multiple of .* 2 looks",
        ),
        (
            {"choices": (Choice("a"), Choice("b", set=("task.validation_sigmas=[5, 15, 25]",)))},
            '"b" and "a" are scored on different problems',
        ),
        *(
            ({"choices": (Choice("a"), Choice("b", set=(other,)))}, '"b" and "a" are scored on')
            for other in ('task.quantised="known"', "data.held_out_every=7")
        ),
    ],
)
def test_what_no_table_can_show_is_found_before_hours_are_spent(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_precision_is_one_that_is_timed(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(
        'title = "t"\nrecipe = "denoise-gray"\nminutes = 1\n[[choices]]\n'
        'name = "a"\nprecision = "bf16"\n'
    )
    with pytest.raises(
        ValueError, match="precision must be one of 'auto', '32-true', 'bf16-mixed'"
    ):
        load_study(str(file))
    for choices in ('["a"]', "3"):
        file.write_text(f'title = "t"\nrecipe = "denoise-gray"\nminutes = 1\nchoices = {choices}\n')
        with pytest.raises(ValueError, match="choices"):
            load_study(str(file))


def test_a_problem_may_be_called_late() -> None:
    look = Look(1, {"night_late": 20.0, "night_late_late": 10.0})
    assert (look.mean, look.late_mean) == (20.0, 10.0)


@pytest.mark.usefixtures("slow")
def test_a_study_is_run_once(tmp_path: Path, images: Path) -> None:  # noqa: F811
    output = tmp_path / "study"
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
    assert len(said) == 3 + 3  # three passes of costs

    written = {path: path.stat().st_mtime_ns for path in output.glob("*/weights.safetensors")}
    assert len(written) == 3
    again = run_study(tiny(), training_paths(images), output, jobs=2, say=said.append)
    assert again == results
    assert written == {path: path.stat().st_mtime_ns for path in written}

    other = tiny(set=(*TINY, "optimizer.rate=0.5"))
    with pytest.raises(ValueError, match="holds a different training than"):
        run_study(other, training_paths(images), output, say=said.append)
    with pytest.raises(ValueError, match="training differs"):
        run_study(tiny(), training_paths(images)[1:], output, say=said.append)


def test_costs_are_measured_once_for_a_recipe(tmp_path: Path, images: Path) -> None:  # noqa: F811
    said: list[str] = []
    known: dict[str, float] = {}

    def measured(*choices: Choice) -> dict[str, float]:
        said.clear()
        study = tiny(choices=choices, looks=1)
        return run._costs(
            study, choices, training_paths(images), tmp_path, known=known, say=said.append
        )

    first = measured(Choice("a"), Choice("b", updates_of="a"), Choice("c", updates=5))
    assert first.keys() == {"a"}
    assert 0 < first["a"] < 10
    assert len(said) == 3
    assert measured(Choice("a")) == first
    assert not said
    larger = Choice("a", set=("data.batch=8",))
    other = measured(larger)
    assert len(said) == 3
    assert other != first
    known.update(a=60.0, b=60.0)  # the folder knows better
    assert measured(larger, Choice("b")) == {**other, "b": 60.0}
    assert not said


def test_an_update_costs_what_it_takes_when_nothing_else_is_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(run, "_seconds_per_update", lambda *_: next(times))
    study = tiny(choices=(Choice("a"),))
    costs = run._costs(study, study.choices, [], tmp_path, known={}, say=lambda _: None)
    assert costs == {"a": 1.0}


@pytest.mark.parametrize(
    ("minutes", "updates"),
    [
        (0.0, 6),  # the study's one minute, in which 7.5 fit: as many for each of two looks
        (3.0, 22),  # 22.5 fit
        (0.01, 2),  # none fits, and one is taken for each look
    ],
)
def test_a_choice_takes_the_updates_that_fit_into_its_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: float, updates: int
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(run, "train", lambda recipe, *_: seen.append(recipe.optimizer.updates))
    choice = Choice("a", minutes=minutes)
    with pytest.raises(KeyboardInterrupt):  # nothing has been trained
        run._train(tiny(), choice, seed=0, cost=8.0, paths=[], output=tmp_path)
    assert seen == [updates]


def test_a_choice_with_updates_costs_what_its_training_took(
    tmp_path: Path,
    images: Path,  # noqa: F811
) -> None:
    study = tiny(choices=(Choice("only", updates=2),))
    (result,) = run_study(study, training_paths(images), tmp_path / "study", say=lambda _: None)
    assert not (tmp_path / "study" / "seconds-per-update.json").exists()
    training = store.read_metadata(tmp_path / "study" / "only-0" / "weights.safetensors")[
        "training"
    ]
    assert result.seconds_per_update == training["seconds"] / 2


def test_what_was_interrupted_goes_on(tmp_path: Path, images: Path) -> None:  # noqa: F811
    (choice,) = choices = (Choice("only", updates=6, precision="32-true"),)
    study, paths = tiny(choices=choices), training_paths(images)
    (whole,) = run_study(study, paths, tmp_path / "whole", say=print)
    train(
        study.recipe_of(choice, updates=6),
        paths,
        RunOptions(
            output=tmp_path / "cut" / "only-0",
            minutes=1e-9,
            accelerator="cpu",
            precision="32-true",
            progress=False,
        ),
    )
    assert (tmp_path / "cut" / "only-0" / "last.ckpt").exists()
    (cut,) = run_study(study, paths, tmp_path / "cut", say=print)
    assert cut.looks[-1] == whole.looks[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_request_to_end_reaches_the_trainings(
    tmp_path: Path,
    images: Path,  # noqa: F811
    number: signal.Signals,
) -> None:
    """And where the study is killed, they end by themselves."""
    file, place = tmp_path / "my.toml", tmp_path / "out" / "long-0"
    file.write_text(HEAD + '[[choices]]\nname = "long"\nupdates = 100000\n')
    arguments = ["experiments", str(file), "--data", str(images), "--output", str(place.parent)]
    with started([sys.executable, "-m", "rimkit", *arguments]) as process:
        deadline = time.monotonic() + 120
        while not list(place.glob("log/*/metrics.csv")):
            assert time.monotonic() < deadline, "no training within two minutes"
            assert process.poll() is None
            time.sleep(0.05)
        trainings = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        assert process.wait(timeout=60) != 0
        assert psutil.wait_procs(trainings, timeout=30)[1] == []
    assert (place / "last.ckpt").exists()


def test_what_diverges_is_told_and_the_study_goes_on(
    tmp_path: Path,
    images: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def diverging(recipe: Recipe, *arguments: Any) -> Path:
        if recipe.optimizer.name == "adamw" and recipe.seed == 0:
            raise DivergenceError("gradients are not finite")
        return train(recipe, *arguments)

    monkeypatch.setattr(run, "train", diverging)
    monkeypatch.setattr(run, "ProcessPoolExecutor", InThisProcess)
    choices = (
        Choice("good", updates=2),
        Choice("bad", set=("optimizer.name=adamw",), updates=2, seeds=2),
    )
    study = tiny(choices=choices)
    results = run_study(study, training_paths(images), tmp_path, say=print)
    good, bad, other = results
    assert math.isnan(bad.looks[-1].mean)
    assert not math.isnan(good.looks[-1].mean + other.looks[-1].mean)
    good, bad = summarise(results)
    assert math.isnan(bad.mean)
    assert bad.deviation is not None
    assert "nan" in to_text("t", [good, bad])
    assert [math.isnan(each.looks[-1].mean) for each in from_csv(study, to_csv(results))] == [
        False,
        True,
        False,
    ]


class InThisProcess(Executor):
    """Runs what it is given at once."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(self, work: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments, **options))
        return future


def test_after_an_error_nothing_else_is_trained(tmp_path: Path, images: Path) -> None:  # noqa: F811
    choices = [Choice(name, updates=2) for name in "abcd"]
    (tmp_path / "a-0").mkdir()
    (tmp_path / "a-0" / "recipe.json").write_text("{}")
    with pytest.raises(ValueError, match="holds a different training than"):
        run_study(tiny(choices=tuple(choices)), training_paths(images), tmp_path, say=print)
    assert [path.name for path in tmp_path.glob("?-0")] == ["a-0"]


def test_a_line_of_the_log_that_was_cut_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "log" / "from-0000000" / "metrics.csv"
    log.parent.mkdir(parents=True)
    log.write_text("step,train/loss,val/psnr_sigma_25\n1,,20.5\n3,,21.5\n5,,2")
    assert [(look.update, look.own) for look in read_log(tmp_path, ())] == [
        (2, {"sigma_25": 20.5}),
        (4, {"sigma_25": 21.5}),
    ]


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

    text = to_csv(results)
    for cut in (text.rstrip().rpartition(",")[0], text.rstrip() + ",7"):
        with pytest.raises(ValueError, match="does not have the columns of the first one"):
            from_csv(study, cut)
    with pytest.raises(ValueError, match="also shows train/variance_floor, which is missing"):
        from_csv(study, text.replace("train/variance_floor", "sigma_25"))
    for name, cell in (("sigma_24", "20.5"), ("sigma_25", "")):
        lines = text.splitlines()
        lines[0] += f",{name}"
        with pytest.raises(ValueError, match=f"'{name}' holds no PSNR of a problem of this study"):
            from_csv(study, "\n".join([lines[0], *(f"{line},{cell}" for line in lines[1:])]))
    again = from_csv(study, text)
    assert [r.choice.name for r in again] == [r.choice.name for r in results]
    assert again[0].looks[-1].logged == pytest.approx(results[0].looks[-1].logged, rel=1e-4)
    assert summarise(again)[1].psnr == pytest.approx(summarise(results)[1].psnr, abs=1e-4)
    (log,) = (tmp_path / "study" / "none-0").glob("log/*/metrics.csv")
    log.write_text(log.read_text().replace("train/variance_floor", "train/floor"))  # an older one
    with pytest.raises(ValueError, match=r"the log in .* has no train/variance_floor"):
        run_study(study, training_paths(images), tmp_path / "study", say=lambda _: None)


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
    # The gain is that over the same seed, which has 28.0, not over the mean.
    assert row.split() == ["b", "10", "0.600", "28.40", "28.40", "1", "+0.40", "+0.00"]
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


@pytest.mark.usefixtures("slow")
def test_the_command(
    tmp_path: Path,
    images: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "my.toml"
    file.write_text(HEAD + '[[choices]]\nname = "default"\n')
    output = tmp_path / "out"
    arguments = [str(file), "--data", str(images), "--output", str(output)]
    assert main(["experiments", *arguments, "--csv", str(tmp_path / "my.csv")]) == 0
    printed = capsys.readouterr().out
    assert re.match(r"rimkit experiments my: rimkit [\d.]+.*\n\nmine\n", printed)
    assert (tmp_path / "my.csv").read_text().startswith("group,choice")
    again = ["experiments", str(file), "--from", str(tmp_path / "my.csv")]
    assert main(again) == 0
    drawn = capsys.readouterr().out
    assert drawn.startswith("rimkit experiments my --from my.csv: ")
    assert drawn.splitlines()[1:] == printed.splitlines()[1:]
    assert main(["experiments", "recipe", *again[2:]]) == 0  # it has a choice of that name, too
    assert main(["experiments", "winners", *again[2:]]) == 1
    assert "this study has no default" in capsys.readouterr().err
    assert main(["experiments", "nothing"]) == 1


def test_a_figure_that_cannot_be_drawn_is_refused_before_hours_of_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    figure = tmp_path / "curves.xyz"
    assert main(["experiments", "curves", "--figure", str(figure)]) == 1
    assert "a figure must end in one of" in capsys.readouterr().err


@pytest.mark.usefixtures("slow")
def test_a_choice_can_be_trained_again(
    tmp_path: Path,
    images: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, table = tmp_path / "my.toml", tmp_path / "my.csv"
    file.write_text(
        HEAD + '[[choices]]\nname = "first"\n[[choices]]\nname = "of old"\n'
        '[[choices]]\nname = "last"\nupdates_of = "first"\n'
    )
    data = ["--data", str(images), "--output", str(tmp_path / "out")]
    old = [result(name, 0, 10.0, 10.0) for name in ("first", "of old", "last")]
    table.write_text(to_csv(old))
    where = ["experiments", str(file), "--from", str(table), "--csv", str(table)]
    assert main([*where, "--again", "of old", *data]) == 0
    assert "--from my.csv --again 'of old': " in capsys.readouterr().out
    first, new, last = from_csv(load_study(str(file)), table.read_text())
    assert [first.choice.name, new.choice.name, last.choice.name] == ["first", "of old", "last"]
    assert first.looks == old[0].looks
    assert last.looks == old[2].looks
    assert new.looks[-1].psnr != old[1].looks[-1].psnr
    assert [place.name for place in (tmp_path / "out").glob("*-0")] == ["of-old-0"]
    assert main([*where, "--again", "young", *data]) == 1
    assert 'no "young"' in capsys.readouterr().err
    assert main([*where, "--again", "last", *data]) == 0
    _, _, last = from_csv(load_study(str(file)), table.read_text())
    assert last.updates == int(60 / first.seconds_per_update) == 100
    assert main(["experiments", str(file), "--again", "first"]) == 1
    assert "--from" in capsys.readouterr().err


@pytest.mark.usefixtures("slow")
def test_some_choices_can_be_trained_alone(
    tmp_path: Path,
    images: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, table = tmp_path / "my.toml", tmp_path / "my.csv"
    file.write_text(
        HEAD
        + '[[choices]]\nname = "first"\n[[choices]]\nname = "second one"\nupdates_of = "first"\n'
    )
    where = ["experiments", str(file), "--data", str(images), "--output", str(tmp_path / "out")]
    assert main([*where, "--only", "second one", "--csv", str(table)]) == 0
    assert "my --only 'second one': " in capsys.readouterr().out
    (alone,) = from_csv(load_study(str(file)), table.read_text())
    assert alone.choice.name == "second one"
    assert [place.name for place in (tmp_path / "out").glob("*-0")] == ["second-one-0"]
    assert main([*where, "--only", "third"]) == 1
    assert 'no "third"' in capsys.readouterr().err
    assert main([*where, "--only", "first", "--from", str(table)]) == 1
    assert "--again" in capsys.readouterr().err


def test_figures_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs rimkit[plot]")
    from rimkit.experiments.figures import curves_figure, gains_figure

    results = [result("a", 0, 28.0, 27.5, 2), result("a", 1, 28.2, 27.9, 2), result("b", 0, 20, 20)]
    figure = gains_figure("t", summarise(results))
    (axis,) = figure.axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["b", "a"]
    assert {text.get_text() for text in axis.texts} == {"+0.00", "-8.00"}
    pairs = {"a": (28.0, 29.0), "b": (28.1, 29.5)}
    lines = [result(name, n, psnr, psnr) for name in pairs for n, psnr in enumerate(pairs[name])]
    (bars,) = gains_figure("t", summarise(lines)).axes[0].containers[0].lines[2]
    (low, _), (high, _) = bars.get_segments()[0]
    assert (low + high) / 2 == pytest.approx(0.3)  # of gains 0.1 and 0.5, whatever seeds do to both
    assert (high - low) / 2 == pytest.approx(0.2)
    figure = curves_figure("t", results)
    (axis,) = figure.axes
    assert len(axis.lines) == 3
    assert [float(v) for v in axis.lines[0].get_ydata()] == [27.0, 28.0]
    assert [float(v) for v in axis.lines[0].get_xdata()] == pytest.approx([0.05, 0.1])
    assert axis.get_ylim()[0] == pytest.approx(28.2 - 3)  # the third is far below
    nan = float("nan")
    lost = [result("lost", 0, nan, nan), *results]
    assert curves_figure("t", lost).axes[0].get_ylim()[0] == pytest.approx(28.2 - 3)
    gains_figure("t", summarise(lost))
    gains_figure("t", summarise([*results, lost[0]]))
    figure.savefig(tmp_path / "curves.png")
