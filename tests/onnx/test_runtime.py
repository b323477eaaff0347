"""A machine in onnxruntime stands wherever a machine in torch can."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.cases import ComplexRotation, uniform
from torch import Tensor

from rimkit import weights
from rimkit.footprint import bytes_per_pixel
from rimkit.noises import GaussianNoise
from rimkit.onnx import runtime
from rimkit.onnx.cache import place
from rimkit.onnx.runtime import OnnxRIM, load
from rimkit.operators import Blur, Mask, gaussian_kernel
from rimkit.problem import Denoising, Problem
from rimkit.restoring import restorer
from rimkit.restoring.arrays import restore
from rimkit.restoring.denoiser import Denoiser, Noisy
from rimkit.rim import RIM

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(weights_file: Path) -> RIM:
    return weights.load(weights_file)


@pytest.fixture(scope="module")
def graph(onnx_file: Path) -> OnnxRIM:
    return load(onnx_file)


MASK = Mask((uniform(1, 1, 21, 26) > 0.5).float())

CASES = {
    "denoising": Denoising(0.1),
    "a level for each": Denoising(torch.tensor([0.05, 0.2])),
    "mask": Problem(MASK, GaussianNoise(0.2)),
    "blur": Problem(Blur(gaussian_kernel(1.0)), GaussianNoise(0.2)),
    "complex": Problem(
        ComplexRotation(torch.polar(torch.ones(1), torch.ones(1))), GaussianNoise(1)
    ),
}


@pytest.mark.parametrize("problem", CASES.values(), ids=CASES)
def test_every_problem_is_solved_alike(model: RIM, graph: OnnxRIM, problem: Problem) -> None:
    y = problem.simulate(uniform(2, 1, 21, 26).float(), generator=torch.Generator().manual_seed(0))
    ours, theirs = (solver.solve(y, problem, keep=True) for solver in (model, graph))
    assert ours.trajectory is not None
    assert theirs.trajectory is not None
    torch.testing.assert_close(theirs.trajectory, ours.trajectory, rtol=0, atol=2e-5)
    assert (ours.x - ours.trajectory[0]).abs().max() > 1e-3


def test_one_by_one_stops_and_starts_go_as_with_any_solver(model: RIM, graph: OnnxRIM) -> None:
    y, problem = uniform(3, 1, 9, 12).float(), Denoising(torch.tensor([0.01, 0.2, 1.0]))
    one, two = (model.solve(y, problem, steps=steps).x for steps in (1, 2))
    moved = (two - one).square().mean((1, 2, 3)).sqrt()
    tolerance = moved.sort().values[:2].mean().item()  # one stops after the second step
    ours, theirs = (s.solve(y, problem, tolerance=tolerance) for s in (model, graph))
    assert sorted(ours.steps_taken.tolist()) == [2, 3, 3]
    assert theirs.steps_taken.tolist() == ours.steps_taken.tolist()
    half = graph.solve(y, problem, steps=2)
    again = graph.solve(y, problem, steps=3, start=half.iterate)
    assert torch.equal(again.x, graph.solve(y, problem, steps=5).x)
    alone = graph.solve(y[1:2], Denoising(0.2)).x
    torch.testing.assert_close(graph.solve(y, problem).x[1:2], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_the_estimate_has_the_dtype_of_y(graph: OnnxRIM, dtype: torch.dtype) -> None:
    y = uniform(1, 1, 9, 10).to(dtype)
    x = graph.solve(y, Denoising(0.1)).x
    assert x.dtype == dtype
    float32 = graph.solve(y.float(), Denoising(0.1)).x
    torch.testing.assert_close(x.float(), float32, rtol=0, atol=1e-3)


def test_it_is_for_inference_in_float32_alone(graph: OnnxRIM) -> None:
    y = uniform(1, 1, 16, 16).float()
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ValueError, match="in float32"):
        graph.solve(y, Denoising(0.1))
    with pytest.raises(ValueError, match="has no gradients"):
        graph(y.requires_grad_(), Denoising(0.1))
    assert not graph.training
    assert not any(parameter.requires_grad for parameter in graph.parameters())


def test_threads_are_those_of_torch(onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = load(onnx_file)
    opened: list[int] = []
    original = runtime._open

    def spied(*arguments: object) -> object:
        session = original(*arguments)
        opened.append(session.get_session_options().intra_op_num_threads)
        return session

    monkeypatch.setattr(runtime, "_open", spied)
    y = uniform(1, 1, 9, 10).float()
    one = graph.solve(y, Denoising(0.1)).x
    assert opened == []
    torch.set_num_threads(2)
    two = graph.solve(y, Denoising(0.1)).x
    assert opened == [2]
    torch.testing.assert_close(one, two, rtol=0, atol=1e-6)


def test_loading_leaves_the_random_numbers_alone(onnx_file: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    assert bytes_per_pixel(load(onnx_file), channels=1) > 0
    assert torch.equal(torch.rand(1), expected)


def test_there_is_one_set_of_weights(graph: OnnxRIM, model: RIM) -> None:
    assert {leaf.device.type for leaf in graph.network.parameters()} == {"meta"}
    held = bytes_per_pixel(model, channels=1)
    assert bytes_per_pixel(graph, channels=1) == pytest.approx(1.15 * held)


def ramp(height: int, width: int) -> np.ndarray:
    clean = np.add.outer(np.linspace(0, 0.5, height), np.linspace(0, 0.5, width))[..., None]
    noisy = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape)
    return np.rint(noisy.clip(0, 1) * 255).astype(np.uint8)


def test_large_images_are_solved_in_tiles(
    model: RIM, graph: OnnxRIM, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = ramp(300, 211)
    whole, tiled = image.copy(), image.copy()
    Denoiser(model).denoise([Noisy(whole, 0.1)])
    sizes: list[int] = []
    original = OnnxRIM.iterate

    def spied(self: OnnxRIM, y: Tensor, *arguments: object, **options: object) -> object:
        sizes.append(y.shape[-1] * y.shape[-2])
        return original(self, y, *arguments, **options)

    monkeypatch.setattr(OnnxRIM, "iterate", spied)
    Denoiser(graph, memory=image.nbytes + 1.5e6).denoise([Noisy(tiled, 0.1)])
    assert len(sizes) > 3
    assert max(sizes) * restorer._MARGIN * bytes_per_pixel(graph, channels=1) < 1.5e6
    assert np.abs(tiled.astype(int) - whole).max() <= 1
    assert np.abs(tiled.astype(int) - image).max() > 1


def test_the_shipped_model_gives_the_same_photograph(
    exported: Path, photograph: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIMKIT_CACHE", str(exported))
    grey = photograph[0, 0, :96, :111].numpy()
    noise = np.random.default_rng(0).normal(0, 25 / 255, grey.shape)
    image = np.rint((grey + noise).clip(0, 1) * 255).astype(np.uint8)
    ours = restore(image, sigma=25 / 255)
    theirs = restore(image, sigma=25 / 255, model=load(place("denoise-gray")))
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert (ours != theirs).mean() < 1e-3
    assert np.abs(ours.astype(int) - image).mean() > 5
