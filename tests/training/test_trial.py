"""What is wrong with a task of one's own is found before anything is trained."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from rimkit import Denoising, tree
from rimkit.data.splits import training_paths
from rimkit.noises import GaussianNoise
from rimkit.problem import Problem
from rimkit.tasks import Measure
from rimkit.training.recipe import load_recipe
from rimkit.training.run import train
from rimkit.training.trainer import RunOptions
from rimkit.training.trial import measured, try_task

PROBLEM = Denoising(0.1)


@dataclasses.dataclass(frozen=True)
class Given:
    """A task that draws what it is given for training, and denoises where it is watched."""

    drawn: Callable[[Tensor], Any]
    table_name: ClassVar[str] = "given"

    def draw(self, x: Tensor, generator: torch.Generator) -> Any:
        return self.drawn(x)

    def validation(self) -> dict[str, Measure]:
        return {"noise": lambda x, generator: (PROBLEM, PROBLEM.simulate(x, generator=generator))}


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (lambda x: x, "a task must return a problem and its y, got Tensor"),
        (lambda x: (PROBLEM, x, x), "a task must return a problem and its y, got tuple"),
        (lambda x: (x, PROBLEM), "a rimkit.Problem and its y, a tensor: got Tensor and Problem"),
        (lambda x: (PROBLEM, x[0, 0, 0, 0]), r"for 1 signals a task returned a y of shape \(\)"),
        (lambda x: (PROBLEM, torch.cat([x, x])), r"for 1 signals a task .* shape \(2, 1, 16, 16\)"),
        (lambda x: (PROBLEM, x[..., :8]), r"A\(x\) has shape .*, but y has shape \(1, 1, 16, 8\)"),
        (lambda x: (PROBLEM, x @ torch.ones(3, 3)), "Expected size for first two dimensions"),
    ],
)
def test_what_a_task_draws(
    drawn: Callable[[Tensor], Any],
    message: str,
    images: Path,
    overrides: list[str],
    tmp_path: Path,
) -> None:
    recipe = dataclasses.replace(
        load_recipe("denoise-gray", overrides=overrides), task=Given(drawn)
    )
    with pytest.raises((ValueError, RuntimeError), match=message) as found:
        train(recipe, training_paths(images), RunOptions(tmp_path / "run", progress=False))
    assert found.value.__notes__ == ["while measuring training patches (1, 1, 16, 16)"]
    assert not (tmp_path / "run").exists()


@tree.register
@dataclasses.dataclass(frozen=True)
class Gain:
    """Of somebody who has not read that tensors lead with N or 1."""

    gain: Any

    def A(self, x: Tensor) -> Tensor:
        return self.gain * x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return self.gain * y


@pytest.mark.parametrize("shape", [(), (16,), (16, 16), (1, 16, 1)])
def test_problems_that_change_where_samples_are_joined(
    shape: tuple[int, ...], images: Path, overrides: list[str], tmp_path: Path
) -> None:
    problem = Problem(Gain(0.5 + torch.rand(shape)), GaussianNoise(0.1))
    recipe = dataclasses.replace(
        load_recipe("denoise-gray", overrides=[*overrides, "unroll.continued=0.25"]),
        task=Given(lambda x: (problem, problem.simulate(x))),
    )
    assert recipe.places
    with pytest.raises(ValueError, match=r"with Gain cannot be joined with others.*must be N or 1"):
        train(recipe, training_paths(images), RunOptions(tmp_path / "run", progress=False))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("gain", [2.0, torch.full((1, 1, 1, 1), 2.0)])
def test_problems_that_do_not(gain: Any) -> None:
    problem = Problem(Gain(gain), GaussianNoise(0.1))
    x = torch.rand(1, 1, 16, 16)
    task = Given(lambda x: (problem, problem.simulate(x)))
    try_task(task, batch=x, watched=x, joined=True)
    flat = Given(lambda x: (Problem(Gain(torch.tensor(2.0)), GaussianNoise(0.1)), x))
    try_task(flat, batch=x, watched=x, joined=False)  # none is joined


def test_settings_that_no_file_could_hold(
    images: Path, overrides: list[str], tmp_path: Path
) -> None:
    task = Given(lambda x: (PROBLEM, PROBLEM.simulate(x)))
    recipe = dataclasses.replace(load_recipe("denoise-gray", overrides=overrides), task=task)
    with pytest.raises(ValueError, match="the recipe or its task cannot be stored as JSON"):
        train(recipe, training_paths(images), RunOptions(tmp_path / "run", progress=False))
    assert not list(tmp_path.glob("run/*"))


def test_what_is_watched_has_names() -> None:
    class Unnamed(Given):
        def validation(self) -> Any:
            return [lambda x, generator: (PROBLEM, x)]

    x = torch.rand(1, 1, 16, 16)
    with pytest.raises(ValueError, match=r"validation\(\) must return a dict .* by name, got list"):
        try_task(Unnamed(lambda x: (PROBLEM, x)), batch=x, watched=x, joined=False)


def test_what_is_right_is_handed_on() -> None:
    x = torch.rand(2, 1, 4, 4)
    drawn = (PROBLEM, x)
    problem, y = measured(lambda x, generator: drawn, x, torch.Generator())
    assert problem is PROBLEM
    assert y is x
