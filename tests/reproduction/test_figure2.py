"""Figure 2 on two small images: measured once, seeds together, what diverges is said."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cases import uniform
from torch import Tensor

pytest.importorskip("matplotlib", reason="needs rimkit[plot]")

from rimkit.classical import GradientDescent
from rimkit.evaluation.images import CleanImage, load_test_images
from rimkit.evaluation.projections import PANELS, Measured, Panel, measure, psnr_by_step
from rimkit.networks import CompactConfig
from rimkit.precision import Precision
from rimkit.reproduction import figure2, kept_curves, tuned, walkers
from rimkit.reproduction.curves import Curve, Walks, average
from rimkit.reproduction.figure2_panels import draw
from rimkit.reproduction.figure2_text import report
from rimkit.reproduction.kept_curves import Curves
from rimkit.reproduction.method import Settings
from rimkit.reproduction.models import load_grey
from rimkit.reproduction.setup import Setup
from rimkit.reproduction.walkers import Walker
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import Solver
from rimkit.weights import store

ROOT = Path(__file__).parents[2]
TWO = (PANELS[0], PANELS[-1])


def write_model(
    path: Path, seed: int, task: str = "random-projections", *, contrast: float = 1.0
) -> str:
    torch.manual_seed(seed)
    model = RIM(RIMConfig(CompactConfig(features=8, blocks=1), steps=2, score_scale=0.02))
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    recipe = {"data": {"contrast": [contrast, 1.0]}}
    store.save(model, path, training={"task": {"name": task}, "recipe": recipe})
    return str(path)


def images(count: int, **_: int) -> list[CleanImage]:
    smooth = torch.nn.functional.interpolate(
        uniform(3, 1, 5, 6).float(), size=(36, 40), mode="bicubic"
    ).clamp(0, 1)
    return [CleanImage(str(n), smooth[n : n + 1]) for n in range(min(count, 3))]


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.setattr(figure2, "load_test_images", images)
    monkeypatch.setattr(figure2, "PANELS", TWO)
    monkeypatch.setattr(walkers.weights, "model_names", list)
    monkeypatch.setattr(kept_curves, "measure", lambda *which: measure(*which, count=3))
    for panel, size in zip(TWO, (1e-4, 2e-4), strict=True):
        monkeypatch.setitem(tuned.DESCENTS, panel.name, tuned.Descent(size, 3))
        monkeypatch.setitem(tuned.VARIATIONS, panel.name, tuned.Variation(20.0, 4))
    models = [
        write_model(tmp_path / f"{name}.safetensors", seed)
        for seed, name in enumerate(["rim-seed0", "rim-seed1", "gdn"])
    ]
    output = tmp_path / "results"
    return Setup(output=output, say=lambda _: None, images=2, models=tuple(models))


def test_every_panel_has_its_classical_solvers() -> None:
    for panel in PANELS:
        assert tuned.gradient_descent(panel).steps > 0
        assert tuned.total_variation(panel).weight > 0
        for walker in walkers.classical():
            assert walkers.steps_of(walker, panel) == walker.solver(panel).steps


def test_classical_solvers_have_the_settings_that_were_found() -> None:
    said = (ROOT / "results" / "tune-projections.txt").read_text()
    for name, descent in tuned.DESCENTS.items():
        assert f'"{name}": Descent({descent.step_size:g}, {descent.steps}),' in said
    for name, variation in tuned.VARIATIONS.items():
        assert f'"{name}": Variation({variation.weight:g}, {variation.steps}),' in said


@pytest.mark.data
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    "panel", [Panel("fourier", 0.2), Panel("gaussian", 0.1)], ids=lambda panel: panel.title
)
def test_curves_are_those_that_were_committed(panel: Panel, tmp_path: Path) -> None:
    walker, *_ = walkers.classical()
    found = Curves(tmp_path, say=lambda _: None).of(walker, [panel], list(load_test_images(1)))
    curve = found.curves[panel]
    with np.load(ROOT / "results" / "figure2" / f"{walker.label}.npz") as kept:
        committed = kept[panel.name][:, :1]
    for values, expected in zip((curve.means, curve.squares), committed, strict=True):
        np.testing.assert_allclose(values[:, [0, -1]], expected[:, [0, -1]], rtol=1e-4)


@pytest.mark.usefixtures("one_thread")
def test_figure2(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    text = figure2.figure2(setup)
    assert text == (setup.output / "figure2.txt").read_text()
    for name in ("figure2", "figure2-deviation"):
        assert (setup.output / f"{name}.png").stat().st_size > 20_000
    assert "gaussian, p = 0.1: 102 rows, 102 independent real numbers of 1024" in text
    assert "fourier, p = 0.6: 614 rows, 859 independent real numbers of 1024" in text
    assert text.count("order at step 20: ") == 2
    assert "rim, seed 1: weights " in text
    assert "\ntotal variation, weight 20, 4 steps from grey of 0.43, float32\n" in text
    assert "fourier, p = 0.6: gradient descent, step_size 0.0002, 3 steps from grey" in text
    lines = list(csv.DictReader((setup.output / "figure2.csv").read_text().splitlines()))
    assert len(lines) == 3 * 2 * 100 + 2 * 2
    assert {line["patches"] for line in lines} == {"100"}  # as many as there would be
    assert {(line["method"], line["seed"]) for line in lines} == {
        ("gradient descent", ""),
        ("total variation", ""),
        ("rim", "0"),
        ("rim", "1"),
        ("gdn", ""),
    }
    with monkeypatch.context() as patch:  # what is known is not measured again
        patch.setattr(kept_curves, "psnr_by_step", lambda *_, **__: pytest.fail("measured again"))
        again = figure2.figure2(setup)
        figure2.figure2(dataclasses.replace(setup, images=1))
        for name in setup.models:
            Path(name).unlink()
        alone = figure2.figure2(dataclasses.replace(setup, models=()))
    (known, asked), *others = (_but_for_costs(found) for found in (text, again, alone))
    assert [lines for lines, _ in others] == [known] * 2
    assert asked == [*("gradient descent", "total variation"), *("rim-seed0", "rim-seed1", "gdn")]
    assert others[1][1] == asked[:2]


def _but_for_costs(text: str) -> tuple[list[str], list[str]]:
    """Without the version, and what was measured in one run, of which the names are returned."""
    lines = text.splitlines()
    (first,) = (n for n, line in enumerate(lines) if line.startswith("50 patches of gaussian, "))
    return lines[1:first], [line.split("  ")[0] for line in lines[first + 2 :]]


def test_more_images_go_on_where_fewer_ended(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    few = images(3)
    walker = walkers.classical()[1]
    kept = Curves(setup.output / "figure2", say=setup.say)
    first = kept.of(walker, TWO, few[:1])
    seen: list[str] = []
    spied = kept_curves.measure
    monkeypatch.setattr(
        kept_curves, "measure", lambda image, where: seen.append(image.name) or spied(image, where)
    )
    whole = kept.of(walker, TWO, few)
    assert seen == ["1", "2"] * 2
    for panel in TWO:
        means = whole.curves[panel].means
        assert np.array_equal(means[:1], first.curves[panel].means, equal_nan=True)
        assert means.shape == (3, 5)
        assert np.isfinite(means[:, [0, -1]]).all()  # of a classical solver the ends are kept
        assert np.isnan(means[:, 1:-1]).all()
    fewer = kept.of(walker, TWO, few[:2])
    for panel in TWO:
        means = whole.curves[panel].means[:2]
        assert np.array_equal(fewer.curves[panel].means, means, equal_nan=True)
    other = dataclasses.replace(walker, settings=lambda _: Settings("another weight", "float32"))
    kept.of(other, TWO[:1], few[:1])  # what has other settings takes the place of what was there
    assert seen == ["1", "2"] * 2 + ["0"]


def test_curves_say_which_versions_measured_them(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    walker = walkers.classical()[0]
    folder = setup.output / "figure2"
    for count, here in ((1, "version 1"), (2, "version 2"), (2, "version 3")):
        monkeypatch.setattr(kept_curves, "version", lambda here=here: here)
        walks = Curves(folder, say=setup.say).of(walker, TWO, images(count))
    (line,) = walkers.versions_of([walks])
    assert line == "gradient descent: measured by version 1, version 2"
    # Files of before say nothing of it.
    file = folder / "gradient descent.npz"
    with np.load(file) as stored:
        content = dict(stored)
    about = json.loads(str(content["about"]))
    del about["measured_by"]
    np.savez(file, **(content | {"about": np.array(json.dumps(about))}))
    walks = Curves(folder, say=setup.say).of(walker, TWO, images(3))
    (line,) = walkers.versions_of([walks])
    assert line == "gradient descent: measured by a version that was not kept, version 3"


def test_two_processes_on_one_walker_lose_nothing(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = images(3)
    walker = walkers.classical()[1]
    kept = Curves(setup.output / "figure2", say=setup.say)
    measured: list[str] = []

    def meanwhile(image: CleanImage, where: Panel) -> object:
        """Another process has the second panel and one image more of the first."""
        if not measured:
            measured.append("elsewhere")
            kept.of(walker, TWO[1:], few)
            kept.of(walker, TWO[:1], few[:2])
        measured.append(f"{where.p:g} {image.name}")
        return measure(image, where)

    measure = kept_curves.measure
    monkeypatch.setattr(kept_curves, "measure", meanwhile)
    found = kept.of(walker, TWO, few)
    there = len(measured)
    again = kept.of(walker, TWO, few)
    assert len(measured) == there  # the file holds all
    for panel in TWO:
        means = found.curves[panel].means
        assert means.shape == (3, 5)
        assert np.array_equal(means, again.curves[panel].means, equal_nan=True)
    fresh = Curves(setup.output / "alone", say=setup.say).of(walker, TWO, few)
    for panel in TWO:
        means = fresh.curves[panel].means
        assert np.array_equal(means, found.curves[panel].means, equal_nan=True)


def test_curves_stay_on_a_processor_with_another_precision(setup: Setup) -> None:
    kept = Curves(setup.output / "figure2", say=setup.say)
    one, other = (
        dataclasses.replace(
            walkers.classical()[1], settings=lambda _, said=said: Settings("a model", said)
        )
        for said in ("network in bfloat16", "float32")
    )
    first = kept.of(one, TWO[:1], images(2))
    again = kept.of(other, TWO[:1], images(2))
    assert str(again.settings[TWO[0]]) == "a model, network in bfloat16"
    assert np.array_equal(again.curves[TWO[0]].means, first.curves[TWO[0]].means, equal_nan=True)
    for walker in (other, one):  # the second measures nothing
        more = kept.of(walker, TWO[:1], images(3))
        assert str(more.settings[TWO[0]]) == "a model, network in bfloat16 or float32"


def test_curves_of_a_machine_do_not_give_way_to_another_of_its_name(setup: Setup) -> None:
    kept = Curves(setup.output / "figure2", say=setup.say)
    one, other = (
        dataclasses.replace(
            walkers.classical()[1],
            settings=lambda _, digest=digest: Settings(f"weights {digest}", "float32"),
            parameters=7,
        )
        for digest in ("0a", "0b")
    )
    first = kept.of(one, TWO[:1], images(1))
    with pytest.raises(ValueError, match=r"variation\.npz holds another machine of this name"):
        kept.of(other, TWO[:1], images(1))
    assert kept.of(one, TWO[:1], images(1)).settings == first.settings


def test_what_is_kept_stands_in_the_figure_where_it_is_whole(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    kept = Curves(setup.output / "figure2", say=said.append)
    walker = dataclasses.replace(walkers.classical()[0], name="late", seed=3)
    kept.of(walker, TWO, images(1))
    (found,) = kept.besides(["other"], TWO, images(1))
    assert (found.name, found.seed, found.parameters) == ("late", 3, None)
    assert kept.besides(["late-seed3"], TWO, images(1)) == []
    said.clear()
    for panels, count in [(TWO, 2), (PANELS, 1)]:
        assert kept.besides([], panels, images(count)) == []
        assert "late-seed3 is left out" in said.pop()
    with monkeypatch.context() as patch:
        patch.setattr(kept_curves, "_PROTOCOL", "; protocol 0")
        assert kept.besides([], TWO, images(1)) == []
    file = setup.output / "figure2" / "late-seed3.npz"
    file.write_bytes(file.read_bytes()[:-9])
    for read in (lambda: kept.besides([], TWO, images(1)), lambda: kept.of(walker, TWO, images(1))):
        with pytest.raises(ValueError, match=r"late-seed3\.npz holds no curves"):
            read()


def test_machines_walk_in_bfloat16_and_classical_solvers_from_grey(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rimkit.precision.computes_in_bfloat16", lambda: True)
    monkeypatch.setattr(walkers, "STEPS", 2)
    seen: list[tuple[str, Precision]] = []

    def spied(solver: Solver, which: Measured, *, steps: int, precision: Precision) -> Tensor:
        seen.append((type(which.problem.operator).__name__, precision))
        return psnr_by_step(solver, which, steps=steps)

    monkeypatch.setattr(kept_curves, "psnr_by_step", spied)
    kept = Curves(setup.output / "figure2", say=setup.say)
    for walker in (walkers.learned(setup)[0], *walkers.classical()):
        kept.of(walker, TWO[:1], images(1))
    assert seen == [
        ("DenseProjection", "bfloat16"),
        ("FromGrey", "float32"),
        ("FromGrey", "float32"),
    ]


def test_means_and_deviations_are_those_over_all_patches() -> None:
    patches = np.random.default_rng(0).normal(25, 4, (6, 50, 11))
    curve = Curve(patches.mean(1), (patches**2).mean(1))
    np.testing.assert_allclose(curve.mean, patches.mean((0, 1)))
    np.testing.assert_allclose(curve.deviation, patches.std((0, 1)))
    assert curve.best == patches.mean((0, 1))[1:].argmax() + 1
    above = patches + 2
    both = average([curve, Curve(above.mean(1), (above**2).mean(1))])
    np.testing.assert_allclose(both.mean, curve.mean + 1)
    np.testing.assert_allclose(both.deviation, curve.deviation)  # of patches, not of seeds


def test_a_solver_that_diverges_is_not_a_crash(setup: Setup) -> None:
    wild = Walker(
        "wild",
        lambda _: GradientDescent(step_size=1e6),
        lambda _: Settings("wild, for a test", "float32"),
        parameters=7,
    )
    walks = Curves(setup.output / "figure2", say=setup.say).of(wild, TWO[:1], images(2))
    curve = walks.curves[TWO[0]]
    assert np.isnan(curve.mean[-1])
    assert np.isfinite(curve.mean[1])


def synthetic(level: float, fall: float = 0.0, steps: int = 100) -> Curve:
    """Rises to a level in 20 steps, then falls; images differ."""
    step = np.arange(steps + 1)
    mean = level - 5 * np.exp(-step / 4) - fall * np.maximum(0, step - 20) / 80
    means = mean + np.linspace(-2, 2, 10)[:, None]
    return Curve(means, means**2 + 9)


def test_the_tables_say_who_is_above_whom_and_who_falls() -> None:
    gone = synthetic(10.0)
    gone.means[:, 90:] = np.nan
    gone_early = synthetic(10.0)
    gone_early.means[:, 10:] = np.nan
    found = {
        panel: {
            "gradient descent": [synthetic(14.0, steps=7)],
            "total variation": [synthetic(20.0, steps=200)],
            "rim": [synthetic(25.0), synthetic(25.2)],
            "gdn": [synthetic(22.0, fall=3.0)],
            "wild": [gone],
            "luck": [synthetic(23.0), synthetic(23.4), gone_early],
        }
        for panel in TWO
    }
    names = ("rim", "gdn", "wild", "luck")
    machine = Walks("", parameters=7, seed=None, settings={}, measured_by=[], curves={})
    text = "\n".join(report(found, {name: [machine] for name in names}, patches=500))
    assert "rim > gdn > wild > luck: 2 of 2" in text
    (order, _) = (line for line in text.splitlines() if line.startswith("order at"))
    assert order.startswith("order at step 20: rim (+3.10 ± ")
    rim, *_ = (line.split() for line in text.splitlines() if line.startswith("rim  "))
    assert "2 of 2" in " ".join(rim)
    gdn = [line for line in text.splitlines() if line.startswith("gdn ")]
    assert "-2.966 ± 0.000" in gdn[-1]
    assert "+1.97 ± 0.00" in gdn[-1]
    assert any(line.startswith("wild ") and "diverged" in line for line in text.splitlines())
    assert any(line.startswith("luck ") and "diverged" in line for line in text.splitlines())
    assert len(draw(found, names).axes) == 4
    axis = draw(found, names, deviations=True).axes[0]
    curve = average(found[TWO[0]][names[0]])
    top = axis.collections[0].get_paths()[0].vertices[:, 1].max()
    assert top == pytest.approx((curve.mean[1:] + curve.deviation[1:]).max())


def test_orders_tell_what_luck_of_seeds_may_have_done() -> None:
    classical = {"gradient descent": [synthetic(14.0)], "total variation": [synthetic(20.0)]}
    rim, ffn = [synthetic(25.0), synthetic(25.2)], [synthetic(24.0), synthetic(24.4)]
    found = {TWO[0]: {**classical, "rim": rim, "ffn": ffn}}

    def order(*seeds_of_ffn: int) -> str:
        seeds = {"rim": (0, 1), "ffn": seeds_of_ffn}
        machines = {
            name: [
                Walks("", parameters=7, seed=s, settings={}, measured_by=[], curves={})
                for s in numbers
            ]
            for name, numbers in seeds.items()
        }
        return "\n".join(report(found, machines, patches=500))

    # Variances over seeds are 0.02 and 0.08, of two each; differences are 1.0 and 0.8.
    apart, paired = math.sqrt(0.02 / 2 + 0.08 / 2), math.sqrt(0.02 / 2)
    assert f"rim (+0.90 ± 0.00, ± {apart:.2f} by seeds) > ffn" in order(2, 3)
    assert f"rim (+0.90 ± 0.00, ± {paired:.2f} by seeds) > ffn" in order(0, 1)


def test_an_order_is_confirmed_refuted_or_open() -> None:
    classical = {"gradient descent": [synthetic(14.0)], "total variation": [synthetic(20.0)]}
    sure = {"rim": [synthetic(25.0)], "ffn": [synthetic(24.0)], "gdn": [synthetic(23.0)]}
    turned = {**sure, "gdn": [synthetic(24.5)]}
    by_seeds = {**sure, "ffn": [synthetic(24.0), synthetic(22.9)]}  # one of them below the gdn
    lost = {**sure, "rim": [synthetic(math.nan)]}

    def claims(curves: dict[str, list[Curve]], prefix: str = "") -> list[str]:
        named = {prefix + name: seeds for name, seeds in curves.items()}
        machines = {
            name: [
                Walks("", parameters=7, seed=seed, settings={}, measured_by=[], curves={})
                for seed, _ in enumerate(seeds)
            ]
            for name, seeds in named.items()
        }
        lines = report({TWO[0]: {**classical, **named}}, machines, patches=500)
        text = "\n".join(lines).partition("as the paper says?")[2].partition("\n\n")[0]
        return text.splitlines()[-1].removeprefix(TWO[0].title).split() if text else []

    assert " ".join(claims(sure)) == "+1.00 ± 0.00 yes +1.00 ± 0.00 yes confirmed"
    assert " ".join(claims(turned)) == "+1.00 ± 0.00 yes -0.50 ± 0.00 no refuted"
    twice = {name: seeds * 2 for name, seeds in by_seeds.items()}
    twice["ffn"] = by_seeds["ffn"]
    found = claims(twice)
    assert found[-1] == "open"
    assert found.count("open") == 2  # ffn over gdn, and so both
    assert claims(lost)[-1] == "open"
    assert claims(sure, "paper-")[-1] == "confirmed"
    assert not claims({name: sure[name] for name in ("rim", "ffn")})


@pytest.mark.usefixtures("one_thread")
def test_models_that_cannot_stand_in_the_figure(setup: Setup, tmp_path: Path) -> None:
    (tmp_path / "else").mkdir()
    twin = write_model(tmp_path / "else" / "gdn.safetensors", 5)
    with pytest.raises(ValueError, match="two methods are called gdn"):
        figure2.figure2(dataclasses.replace(setup, models=(*setup.models, twin)))
    whole = write_model(tmp_path / "rim.safetensors", 5)
    for models in [(whole, *setup.models), (*setup.models, whole)]:
        with pytest.raises(ValueError, match="two methods are called rim"):
            figure2.figure2(dataclasses.replace(setup, models=models))
    classical = write_model(tmp_path / "total variation.safetensors", 5)
    with pytest.raises(ValueError, match="two methods are called total variation"):
        figure2.figure2(dataclasses.replace(setup, models=(classical,)))
    other = write_model(tmp_path / "other.safetensors", 5, task="denoising")
    with pytest.raises(ValueError, match="trained for denoising, not for random-projections"):
        figure2.figure2(dataclasses.replace(setup, models=(other,)))
    with pytest.raises(ValueError, match="3 channels, not grey"):
        load_grey("denoise-color")
    with pytest.raises(ValueError, match="with --add"):
        figure2.figure2(dataclasses.replace(setup, models=()))


def test_a_panel_has_a_title() -> None:
    assert Panel("fourier", 0.25).title == "fourier, p = 0.25"
