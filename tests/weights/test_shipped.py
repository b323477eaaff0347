"""What must hold of every model in the package."""

import csv
import dataclasses
import hashlib
import tomllib
from importlib import resources
from pathlib import Path

import pytest
import torch
from torch import Tensor

import rimkit
from rimkit import weights
from rimkit.classical import TotalVariation
from rimkit.data import bsds300
from rimkit.data.images import bytes_to_unit, load_bytes
from rimkit.evaluation.denoising import Condition, score_denoising, solver_restore
from rimkit.evaluation.images import load_test_images
from rimkit.evaluation.inpainting import HOLES, score
from rimkit.evaluation.super_resolution import load_pairs, score_luma
from rimkit.metrics import psnr
from rimkit.noises import GaussianNoise
from rimkit.operators import DenseProjection
from rimkit.pixels import from_unit
from rimkit.problem import Denoising, Problem
from rimkit.reproduction.models import settings_of
from rimkit.restoring.holes import Holed
from rimkit.restoring.inpainter import Inpainter
from rimkit.rim import RIM
from rimkit.trained import knows_levels, trained_sigma
from rimkit.weights import record, store

ROOT = Path(__file__).parents[2]
FOLDER = Path(weights.__file__).parent
DENOISERS = ["denoise-color", "denoise-gray"]


def test_the_models_are_there() -> None:
    assert set(DENOISERS) <= set(weights.model_names())


def test_the_score_that_was_promised() -> None:
    scores = weights.card("denoise-gray").scores
    assert scores["68 images, sigma 25"] >= 28.75
    assert scores.keys() >= {
        f"{images} images, sigma {sigma}" for images in (68, 100) for sigma in (15, 25, 50)
    }


@pytest.mark.data
@pytest.mark.parametrize(("name", "table"), [("denoise-gray", 2), ("denoise-color", 1)])
def test_the_card_of_a_denoiser_says_what_its_weights_do(name: str, table: int) -> None:
    """The card against the committed score of every image; two images against the weights."""
    card, model = weights.card(name), weights.load(name)
    knows = knows_levels(model.training_record)
    committed: dict[Condition, dict[str, float]] = {}
    for row in csv.DictReader((ROOT / f"results/table{table}-images.csv").read_text().splitlines()):
        condition = Condition(float(row["sigma"]), row["quantised"] == "yes")
        settings = settings_of(name, model, knows_levels=knows and condition.quantised)
        if row["settings"] == settings:
            committed.setdefault(condition, {})[row["image"]] = float(row["psnr_db"])
    assert [len(scores) for scores in committed.values()] == 6 * [100]
    restore = solver_restore(model, knows_levels=knows)
    images = load_test_images(2, channels=model.config.network.channels)
    conditions = [Condition(25.0), Condition(25.0, quantised=True)]
    for scored in score_denoising(images, conditions, restore):
        assert scored.psnr == pytest.approx(committed[scored.condition][scored.image], abs=0.01)
    names = [path.stem for path in bsds300.image_paths("test")]
    for images in (68, 100):
        for condition, scores in committed.items():
            key = f"{images} images, sigma {condition.sigma:g}"
            key += ", 8-bit" if condition.quantised else ""
            mean = sum(scores[name] for name in names[:images]) / images
            assert card.scores[key] == pytest.approx(mean, abs=1e-4)
    assert len([key for key in card.scores if "SSIM" not in key]) == 2 * len(committed) == 12


def test_the_card_of_super_resolution_says_what_table_3_does() -> None:
    card = weights.card("super-resolution")
    rows = csv.DictReader((ROOT / "results" / "table3.csv").read_text().splitlines())
    found = {
        (float(row["scale"]), kind): float(row[column])
        for row in rows
        if card.sha256[:16] in row["source"]
        for kind, column in (("PSNR", "psnr_db"), ("SSIM", "ssim"))
    }
    told = {f"100 images, x{scale:g}, {kind}": value for (scale, kind), value in found.items()}
    assert card.scores == pytest.approx(told, abs=1e-4)
    assert len(told) == 10


@pytest.mark.data
def test_super_resolution_scores_what_was_committed() -> None:
    card = weights.card("super-resolution")
    lines = (ROOT / "results" / "table3-images.csv").read_text().splitlines()
    committed = {
        (row["image"], float(row["scale"])): float(row["psnr"])
        for row in csv.DictReader(lines)
        if card.sha256[:16] in row["settings"]
    }
    assert len(committed) == 500
    model = weights.load("super-resolution")
    sigma = trained_sigma(model.training_record)
    for scale in (2.0, 3.7):
        (pair,) = load_pairs(scale, 1)
        x = from_unit(model.solve(pair.y, pair.problem(sigma)).x[0])
        found = score_luma(x, pair)[0]
        assert found == pytest.approx(committed[pair.image, scale], abs=0.01)


@pytest.mark.data
def test_inpainting_scores_what_was_committed() -> None:
    card = weights.card("inpainting")
    lines = (ROOT / "results" / "inpainting-images.csv").read_text().splitlines()
    committed = {
        (row["image"], row["holes"]): float(row["psnr_db"])
        for row in csv.DictReader(lines)
        if card.sha256[:16] in row["settings"]
    }
    assert len(committed) == 4 * 68
    (image,) = load_test_images(1, channels=3)
    for holes in HOLES[-2:]:
        seen = holes.measure(image)
        model = weights.load("inpainting")
        values = seen.y[0].permute(1, 2, 0).contiguous().numpy()
        Inpainter(model, sigma=holes.sigma / 255).fill([Holed(values, seen.missing)])
        x = seen.settle(torch.from_numpy(values).permute(2, 0, 1)[None])
        assert score(x, seen)[0] == pytest.approx(committed[image.name, holes.name], abs=0.01)


@pytest.mark.parametrize("name", weights.model_names())
def test_card_and_weights_agree(name: str) -> None:
    path = FOLDER / f"{name}.safetensors"
    card = weights.card(name)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == card.sha256
    assert path.stat().st_size <= 2_000_000
    model = weights.load(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == card.parameters
    assert card.parameters <= 500_000
    metadata = store.read_metadata(path)
    training = metadata["training"]
    assert training["finished"] or "unfinished" in card.recipe
    assert not record.beyond_protocol(training)
    seconds = record.seconds_of(training)
    assert seconds is not None
    if record.started_from(training) and "start" not in training:
        assert card.seconds >= round(seconds)
    else:
        assert card.seconds == round(seconds)
    unsaved = {field.name for field in dataclasses.fields(model.config)} - metadata["config"].keys()
    # What came after weights has the format's value.
    values = {"score_scaling": "raw", "variance_floor_trained": True}
    assert unsaved <= values.keys()
    assert all(getattr(model.config, key) == values[key] for key in unsaved)
    assert (model.phi_epsilon is not None) == model.config.variance_floor_trained
    tomllib.loads((FOLDER / f"{name}.toml").read_text())


def suited(model: RIM, photograph: Tensor) -> Tensor:
    """The photograph, or one in colour for a model of colour."""
    if model.config.network.channels == 1:
        return photograph
    with resources.as_file(resources.files("rimkit.web") / "static/samples/coffee.png") as path:
        return bytes_to_unit(load_bytes(path, channels=3))[None]


def measure(photograph: Tensor, sigma: float) -> tuple[Denoising, Tensor]:
    problem = Denoising(sigma / 255)
    return problem, problem.simulate(photograph, generator=torch.Generator().manual_seed(1))


def run(model: RIM, problem: Denoising, y: Tensor, *, score: bool, state: bool) -> Tensor:
    """Run the machine, the score or the state taken away at every step."""
    with torch.no_grad():
        iterate = model.init(y, problem)
        nothing = iterate.state
        for _ in range(model.steps):
            seen = iterate if state else dataclasses.replace(iterate, state=nothing)
            # Where the measurement is the estimate, the score is zero.
            iterate = model.step(seen, y if score else seen.x, problem)
    return iterate.x


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_it_needs_its_score_and_its_state(name: str, sigma: int, photograph: Tensor) -> None:
    model = rimkit.load(name)
    photograph = suited(model, photograph)
    problem, y = measure(photograph, sigma)
    whole = psnr(run(model, problem, y, score=True, state=True), photograph)
    assert torch.equal(run(model, problem, y, score=True, state=True), model.solve(y, problem).x)
    assert whole - psnr(run(model, problem, y, score=False, state=True), photograph) >= 0.5
    assert whole - psnr(run(model, problem, y, score=True, state=False), photograph) >= 0.5


def test_random_projections_beat_total_variation_and_need_score_and_state(
    photograph: Tensor,
) -> None:
    model = rimkit.load("random-projections")
    patches = photograph[..., 40:168, 60:188].unfold(2, 32, 32).unfold(3, 32, 32)
    x = patches.reshape(-1, 1, 32, 32)
    generator = torch.Generator().manual_seed(0)
    operator = DenseProjection.gaussian(0.4, (32, 32), samples=len(x), generator=generator)
    problem = Problem(operator, GaussianNoise(1.0))
    y = problem.simulate(x, generator=generator)

    def reached(*, score: bool = True, state: bool = True) -> float:
        with torch.no_grad():
            iterate = model.init(y, problem)
            *nothing, spread = iterate.state
            for _ in range(model.steps):
                own = iterate.state if state else (*nothing, spread)
                seen = y if score else operator.A(iterate.x)
                iterate = model.step(dataclasses.replace(iterate, state=own), seen, problem)
        return psnr(iterate.x, x).mean().item()

    whole = reached()
    assert whole == pytest.approx(psnr(model.solve(y, problem).x, x).mean().item(), abs=1e-3)
    tuned = TotalVariation(weight=20.0, steps=200).solve(y, problem).x
    assert whole > psnr(tuned, x).mean().item() + 0.3
    assert whole > reached(score=False) + 0.5
    assert whole > reached(state=False) + 0.5


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("sigma", [15, 25, 50])
def test_three_times_the_steps_cost_nothing(name: str, sigma: int, photograph: Tensor) -> None:
    model = rimkit.load(name)
    photograph = suited(model, photograph)
    problem, y = measure(photograph, sigma)
    solution = model.solve(y, problem, steps=10 * model.steps, keep=True)
    assert solution.trajectory is not None
    scores = [psnr(x, photograph).item() for x in solution.trajectory]
    assert scores[model.steps] - scores[0] > 4
    assert scores[3 * model.steps] >= scores[model.steps] - 0.05
    assert scores[-1] >= scores[model.steps] - 0.05


@pytest.mark.parametrize("name", DENOISERS)
def test_it_stops_by_itself(name: str, photograph: Tensor) -> None:
    model = rimkit.load(name)
    photograph = suited(model, photograph)
    problem, y = measure(photograph, 25)
    solution = model.solve(y, problem, steps=50, tolerance=2e-3)
    assert solution.reason == ("converged",)
    assert solution.steps_taken.item() < 50
    full = psnr(model.solve(y, problem).x, photograph)
    assert (psnr(solution.x, photograph) - full).abs() < 0.1


@pytest.mark.parametrize("name", DENOISERS)
def test_a_clean_image_comes_back_all_but_unchanged(name: str, photograph: Tensor) -> None:
    model = rimkit.load(name)
    photograph = suited(model, photograph)
    x = model(photograph, Denoising(0.0))
    assert psnr(x, photograph).item() > 40


@pytest.mark.parametrize("name", DENOISERS)
def test_sigma_is_heeded(name: str, photograph: Tensor) -> None:
    model = rimkit.load(name)
    photograph = suited(model, photograph)
    problem, y = measure(photograph, 25)
    right = psnr(model(y, problem), photograph)
    assert right > psnr(model(y, Denoising(12 / 255)), photograph) + 0.3
    assert right > psnr(model(y, Denoising(50 / 255)), photograph) + 0.3


@pytest.mark.parametrize("name", DENOISERS)
def test_bf16_costs_little(name: str, photograph: Tensor) -> None:
    model = rimkit.load(name)
    photograph = suited(model, photograph)
    problem, y = measure(photograph, 25)
    with torch.autocast("cpu", torch.bfloat16):
        fast = model(y, problem)
    assert (psnr(fast, photograph) - psnr(model(y, problem), photograph)).abs() < 0.05
