"""Problems are drawn as the task says, and y is a measurement of x under them."""

import dataclasses

import numpy as np
import pytest
import torch
from tests.cases import generator, uniform

from rimkit.noises import GaussianNoise, QuantisedGaussianNoise
from rimkit.operators import (
    DenseProjection,
    Downsampling,
    FourierProjection,
    Identity,
    Mask,
    matlab_imresize,
)
from rimkit.tasks import (
    ENSEMBLES,
    DenoisingTask,
    InpaintingTask,
    RandomProjectionsTask,
    SuperResolutionTask,
    Task,
    task_from_table,
)

X = (uniform(4, 3, 24, 36) * 255).round().float() / 255


def test_denoising_draws_a_level_for_every_sample() -> None:
    x = torch.zeros(400, 1, 16, 16)
    problem, y = DenoisingTask(sigma=(10, 50)).draw(x, generator())
    assert isinstance(problem.operator, Identity)
    assert isinstance(problem.noise, GaussianNoise)
    sigma = 255 * problem.noise.sigma
    assert isinstance(sigma, torch.Tensor)
    assert 10 <= sigma.min() < 12
    assert 48 < sigma.max() <= 50
    torch.testing.assert_close(255 * y.flatten(1).std(1), sigma, rtol=0.2, atol=0)


def test_half_of_the_batches_are_rounded_and_the_likelihood_knows() -> None:
    task = DenoisingTask(quantised="half")
    drawn = []
    for seed in range(60):
        problem, y = task.draw(X, generator(seed))
        rounded = torch.equal((y * 255).round() / 255, y)
        assert isinstance(problem.noise, QuantisedGaussianNoise) == rounded
        drawn.append(rounded)
    assert 15 < sum(drawn) < 45
    looks = task.validation()
    assert list(looks) == [
        f"sigma_{s}{ending}" for ending in ("", "_rounded") for s in (15, 25, 50)
    ]
    problem, y = looks["sigma_50_rounded"](X, generator())
    assert problem.noise == QuantisedGaussianNoise(50 / 255)
    assert torch.equal((y * 255).round() / 255, y)
    problem, _ = looks["sigma_50"](X, generator())
    assert problem.noise == GaussianNoise(50 / 255)


def test_every_scale_is_drawn_and_is_the_problem_s() -> None:
    task = SuperResolutionTask()
    drawn = set()
    for seed in range(20):
        problem, y = task.draw(X, generator(seed))
        assert isinstance(problem.operator, Downsampling)
        drawn.add(problem.operator.scale)
        assert y.shape == problem.operator.A(X).shape
        assert torch.equal((y * 255).round(), y * 255) or (y * 255 % 1).abs().max() < 1e-3
        small = 1 / problem.operator.scale
        expected = [
            matlab_imresize((255 * x).byte().permute(1, 2, 0).numpy(), small)
            for x in X + 1e-4  # bytes are cut, not rounded
        ]
        assert np.array_equal((255 * y).round().byte().permute(0, 2, 3, 1).numpy(), expected)
        difference = 255 * (problem.operator.A(X) - y)
        assert difference[..., 2:-2, 2:-2].std() < 0.7  # rounded twice, and clipped
    assert drawn == {2.0, 3.0, 4.0}


def test_images_of_a_batch_are_resized_alone() -> None:
    task = SuperResolutionTask(scales=(3,))
    _, together = task.draw(X, generator())
    for number in range(len(X)):
        _, alone = task.draw(X[number : number + 1], generator())
        assert torch.equal(alone[0], together[number])


def test_every_ensemble_and_share_is_drawn_with_rows_for_every_sample() -> None:
    x = uniform(3, 1, 10, 10).float()
    task = RandomProjectionsTask(p=(0.2, 0.5))
    drawn = set()
    for seed in range(40):
        problem, y = task.draw(x, generator(seed))
        operator = problem.operator
        assert problem.noise == GaussianNoise(1.0)
        assert y.shape[:2] == (3, 1)
        if isinstance(operator, FourierProjection):
            name, rows = "fourier", operator.rows
        else:
            assert isinstance(operator, DenseProjection)
            name = "binary" if (operator.matrix.abs() == 1).all() else "gaussian"
            rows = operator.matrix
        assert not torch.equal(rows[0], rows[1])
        drawn.add((name, y.shape[2]))
        residual = y - operator.A(x)
        assert 0.5 < residual.abs().square().mean() / (1 + residual.is_complex()) < 1.6
    assert drawn == {(name, m) for name in ENSEMBLES for m in (20, 50)}
    assert list(task.validation()) == [f"{name}_{p}" for name in ENSEMBLES for p in (0.2, 0.5)]


def test_the_largest_share_of_fourier_rows_is_a_setting_for_all_of_them_are_the_noisy_image() -> (
    None
):
    x = uniform(2, 1, 8, 8).float()
    task = RandomProjectionsTask(p=(0.25, 1.0), fourier_most=0.25)
    drawn = set()
    for seed in range(40):
        problem, y = task.draw(x, generator(seed))
        drawn.add((type(problem.operator), y.shape[2]))
    whole = [(DenseProjection, 16), (DenseProjection, 64), (FourierProjection, 16)]
    assert drawn == set(whole)
    assert [name for name in task.validation() if name.startswith("fourier")] == ["fourier_0.25"]
    with pytest.raises(ValueError, match="fourier_most must be at least the smallest p"):
        dataclasses.replace(task, fourier_most=0.2)
    operator = FourierProjection.draw(1.0, (8, 8), samples=2, generator=generator())
    torch.testing.assert_close(operator.A_adjoint(operator.A(x)), 64 * x)


def test_some_projections_have_more_noise_but_not_beyond_what_is_worth_the_least_rows() -> None:
    x = uniform(400, 1, 10, 10).float()
    task = RandomProjectionsTask(("gaussian",), p=(0.8,), sigma=2.0, noisier=0.25, least_rows=5)
    problem, y = task.draw(x, generator())
    sigma = problem.noise.sigma
    assert isinstance(sigma, torch.Tensor)
    assert (sigma == 2.0).float().mean() == pytest.approx(0.75, abs=0.06)
    assert 7 < sigma.max() <= 2 * (80 / 5) ** 0.5
    assert ((y - problem.operator.A(x)) / sigma[:, None, None]).std() == pytest.approx(1, abs=0.02)
    few = dataclasses.replace(task, p=(0.04,))
    problem, _ = few.draw(x, generator())
    assert (problem.noise.sigma == 2.0).all()
    for measure in task.validation().values():
        problem, _ = measure(x, generator())
        assert problem.noise == GaussianNoise(2.0)


def test_holes_and_noise_are_drawn_for_every_sample() -> None:
    x = torch.full((600, 3, 16, 18), 0.5)
    task = InpaintingTask(share=(0.6, 0.9), width=(1.0, 2.0), density=4.0, sigma=(1.0, 16.0))
    problem, y = task.draw(x, generator())
    assert isinstance(problem.operator, Mask)
    mask = problem.operator.mask
    missing = 1 - mask.mean((1, 2, 3))
    assert 0.4 < (missing > 0.5).float().mean() < 0.6  # scattered ones; few strokes hide half
    assert 0.85 < missing.max() < 0.98
    assert (missing < 0.2).float().mean() > 0.2
    sigma = 255 * problem.noise.sigma
    assert 1 <= sigma.min() < 1.1
    assert 14 < sigma.max() <= 16
    assert (sigma < 4).float().mean() == pytest.approx(0.5, abs=0.07)
    seen = mask.expand_as(x) == 1
    off = (y - x)[seen] / (problem.noise.sigma.view(-1, 1, 1, 1).expand_as(x))[seen]
    assert off.std() == pytest.approx(1, abs=0.02)


def test_inpainting_is_watched_with_little_noise_and_with_some() -> None:
    looks = InpaintingTask(sigma=(0.5, 20.0)).validation()
    assert list(looks) == ["pixels_0.5", "pixels_0.8", "pixels_0.5_noisy", "strokes"]
    x = uniform(2, 3, 90, 100).float()
    missing = {}
    for name, measure in looks.items():
        problem, y = measure(x, generator())
        assert problem.noise == GaussianNoise((10 if "noisy" in name else 0.5) / 255)
        missing[name] = 1 - problem.operator.mask.mean().item()
        assert y.shape == x.shape
    assert missing["pixels_0.8"] == pytest.approx(0.8, abs=0.02)
    assert missing["pixels_0.5"] == missing["pixels_0.5_noisy"] == pytest.approx(0.5, abs=0.02)
    assert 0.1 < missing["strokes"] < 0.4


TASKS = [
    DenoisingTask(),
    SuperResolutionTask(),
    InpaintingTask(),
    RandomProjectionsTask(p=(0.1, 0.4)),
]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.table_name)
def test_validation_is_fixed(task: Task) -> None:
    for measure in task.validation().values():
        _, first = measure(X, generator())
        _, second = measure(X, generator())
        assert torch.equal(first, second)


def test_tasks_are_read_from_tables() -> None:
    assert task_from_table({}) == DenoisingTask()
    assert task_from_table({"name": "denoising", "sigma": [5, 10]}) == DenoisingTask((5.0, 10.0))
    table = {"name": "super-resolution", "scales": [2, 2.5]}
    assert task_from_table(table) == SuperResolutionTask((2.0, 2.5))
    table = {"name": "random-projections", "ensembles": ["fourier"], "p": [1, 0.5]}
    assert task_from_table(table) == RandomProjectionsTask(("fourier",), (1.0, 0.5))
    for wrong, message in (
        ({"name": "denoisng"}, 'did you mean "denoising"'),
        ({"name": "super-resolution", "sigma": 0}, "sigma must be positive"),
        ({"name": "super-resolution", "scales": [0.5]}, "scales must be at least 1"),
        ({"sigma": [10, 5]}, "sigma must be a range"),
        ({"sigma": [0, 2000]}, r"sigma must be a range 0 <= low <= high <= 1020 \(grey levels\)"),
        ({"name": "random-projections", "p": [0.0]}, r"p must lie in \(0, 1\]"),
        ({"name": "random-projections", "ensembles": ["gauss"]}, "'gaussian', 'binary'"),
        (
            {"name": "random-projections", "ensembles": []},
            "one or more of gaussian, binary, fourier",
        ),
        ({"name": "random-projections", "sigma": 0}, "sigma must be positive"),
        ({"name": "random-projections", "noisier": 2}, "noisier must lie in"),
        ({"name": "random-projections", "least_rows": 0}, "least_rows must be at least 1"),
        ("denoising", "a task must be a table"),
    ):
        with pytest.raises(ValueError, match=message):
            task_from_table(wrong)  # type: ignore[arg-type]


def test_what_learns_from_projections_can_be_watched_as_a_denoiser() -> None:
    x = uniform(64, 1, 16, 16).float()
    task = RandomProjectionsTask(p=(0.25,), validation_sigmas=(15.0, 50.0))
    measures = task.validation()
    assert list(measures) == [*(f"{name}_0.25" for name in ENSEMBLES), "sigma_15", "sigma_50"]
    for sigma in (15, 50):
        problem, y = measures[f"sigma_{sigma}"](x, generator())
        torch.testing.assert_close(problem.initial(y), y)
        assert float((y - x).std()) == pytest.approx(sigma / 255, rel=0.05)
        score = problem.score(x, y)
        torch.testing.assert_close(score, (y - x) * (255 / sigma) ** 2)
    for seed in range(20):  # and never in training
        assert task.draw(x[:2], generator(seed))[1].shape[2] == 64
    fewer = dataclasses.replace(task, validation_p=(0.5,), validation_sigmas=())
    assert list(fewer.validation()) == [f"{name}_0.5" for name in ENSEMBLES]
    with pytest.raises(ValueError, match=r"p must lie in \(0, 1\]"):
        dataclasses.replace(task, validation_p=(1.5,))
    with pytest.raises(ValueError, match="validation_sigmas must be positive"):
        dataclasses.replace(task, validation_sigmas=(15.0, 0.0))
