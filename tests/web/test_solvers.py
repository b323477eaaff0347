"""What is offered, by which names, and in which memory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.web.conftest import Serve, encoded, pixels, restored, send

from rimkit import weights
from rimkit.files.picture import Picture
from rimkit.operators import Mask
from rimkit.operators.filling import fill
from rimkit.web.inference import Wish, infer
from rimkit.web.limits import Limits
from rimkit.web.looks import values_of
from rimkit.web.problems import Missing, Scratched, measure
from rimkit.web.solvers import offers
from rimkit.weights import models

PEAKS = """
import json, sys
import numpy as np, torch
from rimkit.files.picture import Picture
from rimkit.allocation import keep_large_blocks, most_taken
from rimkit.web.inference import Wish, infer
from rimkit.web.limits import Limits
from rimkit.web.solvers import offers

torch.set_num_threads(1)
keep_large_blocks()  # as the server does
solver, *degradations = sys.argv[1:]
offer = offers([], memory=1e12)[solver]
def run(side, degradation):
    picture = Picture(np.full((side, side, 1), 90, np.uint8))
    wish = Wish(image="", degradation=json.loads(degradation), solver=solver, steps=2)
    for _ in infer(picture, wish, offer, Limits(frames=1e12)):
        pass

for degradation in degradations:
    run(64, degradation)
    print(most_taken(lambda: run(900, degradation)) / 900**2)
"""
KINDS: list[dict[str, object]] = [
    {"kind": "missing"},
    {"kind": "blur", "width": 5},
    {"kind": "smaller", "scale": 1.1},
    {"kind": "projections", "share": 1},
]


def test_every_model_in_the_package_says_what_it_was_trained_for() -> None:
    names = weights.model_names()
    offered = offers(names, memory=1e9)
    assert list(offered) == [*names, "total-variation", "gradient-descent"]
    assert all(offered[name].trained for name in names)
    assert offered["random-projections"].trained == ("projections",)


def test_a_model_for_inpainting_is_offered_for_missing_pixels(fills: str) -> None:
    offer = offers([fills], memory=1e9)["fills"]
    assert offer.trained == ("missing", "scratches", "painted")
    assert (offer.channels, offer.steps, offer.least_sigma) == (3, 3, 0.0)
    values = np.zeros((40, 50, 3), np.uint8)
    assert offer.known_levels(values) is None
    assert offer.together(values) > 1
    assert offers([fills], memory=1e5)["fills"].together(values) == 0


@pytest.mark.parametrize("degradation", [Missing(kind="missing"), Scratched(kind="scratches")])
def test_a_model_for_inpainting_walks_from_what_is_filled_in(
    fills: str, degradation: Missing | Scratched
) -> None:
    offer = offers([fills], memory=1e9)["fills"]
    values = pixels(encoded(40, 50, channels=3))
    wish = Wish(image="", degradation=degradation, solver="fills")
    _, *steps, done = infer(Picture(values), wish, offer, Limits())
    assert [look.facts["number"] for look in steps] == [0, 1, 2, 3]
    measured = measure(values, degradation, channels=3)
    assert isinstance(measured.problem.operator, Mask)
    missing = measured.problem.operator.mask == 0
    assert 0.01 < missing.float().mean() < 0.99
    x = weights.load(fills).solve(measured.y, measured.problem).x
    for look, expected in ((steps[0], fill(measured.y, ~missing)), (steps[-1], x)):
        (name,) = look.files
        assert np.array_equal(pixels(look.files[name]), values_of(expected))
    assert np.array_equal(pixels(done.files["result"]), values_of(x))


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("solver", ["total-variation", "gradient-descent"])
def test_classical_solvers_keep_to_the_memory(solver: str) -> None:
    command = [sys.executable, "-c", PEAKS, solver, *map(json.dumps, KINDS)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    held = max(float(line) for line in text.split())
    values = np.empty((900, 900, 1), np.uint8)
    for share, together in ((1.0, 0), (1.8, 1)):  # of what is held at the most
        assert offers([], memory=share * held * values.size)[solver].together(values) == together


@pytest.mark.parametrize(
    ("solver", "models", "memory"),  # which is enough for the smallest image that must fit
    [
        ("denoise-gray", ("denoise-gray",), 64e6),
        ("total-variation", (), 14e6),
        ("gradient-descent", (), 14e6),
    ],
)
def test_what_does_not_fit_into_the_memory_is_refused(
    serve: Serve, solver: str, models: tuple[str, ...], memory: float
) -> None:
    with serve(models=models, memory=memory) as client:
        status, events, _ = restored(client, "sample-cat", solver=solver)
    assert status == "failed"
    assert f"too large for {solver} here" in events[-1]["detail"]


def test_a_model_of_ones_own_is_called_by_its_name(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["deep" * 20] * 4)
    folder.mkdir(parents=True)
    path = folder / "mine.safetensors"
    shutil.copyfile(models.path_of("denoise-gray"), path)
    with serve(models=(str(path),)) as client:
        offered = [solver["name"] for solver in client.get("/api/about").json()["solvers"]]
        image = send(client, encoded())["name"]
        status, events, _ = restored(client, image, solver="mine", steps=1)
    assert offered == ["mine", "total-variation", "gradient-descent"]
    assert status == "done", events
    (tmp_path / "b").mkdir()
    shutil.copyfile(path, tmp_path / "b" / "mine.safetensors")
    with pytest.raises(ValueError, match="every model must have a name of its own, got mine, mine"):
        offers([str(path), str(tmp_path / "b" / "mine.safetensors")], memory=1e9)
