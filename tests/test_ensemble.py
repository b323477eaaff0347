"""The mean over eight orientations: of any solver, for any operator, whole or in tiles."""

import dataclasses

import numpy as np
import pytest
import torch
from tests.cases import uniform
from torch import Tensor

import rimkit
from rimkit.classical import GradientDescent
from rimkit.ensemble import SelfEnsemble
from rimkit.footprint import bytes_per_pixel
from rimkit.networks import PaperConfig
from rimkit.noises import QuantisedGaussianNoise
from rimkit.operators import ORIENTATIONS, Blur, Downsampling, Mask, Operator, Oriented
from rimkit.problem import Denoising, Problem
from rimkit.restoring.denoiser import Denoiser, Noisy
from rimkit.restoring.tiling import reach
from rimkit.rim import RIM, RIMConfig

LOPSIDED: dict[str, Operator] = {
    "mask": Mask((uniform(2, 1, 18, 25) > 0.5).double()),
    "blur": Blur(uniform(1, 5, 3) / 8, padding="replicate"),
    "smaller": Downsampling(2.7, size=(18, 25)),
}


def test_the_orientations_are_all_there_are_and_the_first_is_upright() -> None:
    x = uniform(1, 2, 3, 4)
    turned = [orientation.turn(x) for orientation in ORIENTATIONS]
    assert torch.equal(turned[0], x)
    assert len({tuple(each.flatten().tolist()) for each in turned}) == 8
    for orientation, each in zip(ORIENTATIONS, turned, strict=True):
        assert torch.equal(orientation.upright(each), x)


@pytest.mark.parametrize("operator", LOPSIDED.values(), ids=LOPSIDED)
def test_an_oriented_operator_measures_the_same(operator: Operator) -> None:
    x = uniform(2, 1, 18, 25)
    for orientation in ORIENTATIONS:
        assert torch.equal(Oriented(operator, orientation).A(orientation.turn(x)), operator.A(x))


@pytest.mark.parametrize("operator", LOPSIDED.values(), ids=LOPSIDED)
def test_what_knows_no_direction_gains_nothing(operator: Operator) -> None:
    # Where y was clipped, even a mask has a score at the start.
    problem = Problem(operator, QuantisedGaussianNoise(0.2))
    y = problem.simulate(uniform(2, 1, 18, 25), generator=torch.Generator().manual_seed(0))
    solver = GradientDescent(step_size=0.01, steps=5)
    expected = solver.solve(y, problem).x
    assert (expected - problem.initial(y)).abs().max() > 0.01
    torch.testing.assert_close(SelfEnsemble(solver).solve(y, problem).x, expected)


def test_batch_norm_that_is_not_in_training_is_no_reason_to_refuse() -> None:
    model = RIM(RIMConfig(network=PaperConfig(features=4, hidden=4), steps=2)).eval()
    y = uniform(1, 1, 16, 16, dtype=torch.float32)
    found = SelfEnsemble(model).solve(y, Denoising(0.1))
    assert found.x.shape == y.shape
    with pytest.raises(ValueError, match="training mode"):
        SelfEnsemble(model.train()).solve(y, Denoising(0.1))


def test_it_is_the_mean_of_what_is_done_to_turned_images(model: RIM) -> None:
    y = uniform(2, 1, 18, 25, dtype=torch.float32)
    problem = Denoising(torch.tensor([0.1, 0.3]))
    apart = [o.upright(model.solve(o.turn(y), problem).x) for o in ORIENTATIONS]
    mean = torch.stack(apart).mean(0)
    assert (mean - apart[0]).abs().max() > 1e-3
    ensemble = SelfEnsemble(model)
    iterate = ensemble.solve(y, problem).iterate
    torch.testing.assert_close(iterate.x, mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(iterate.eta, iterate.x)  # the link is the identity
    assert ensemble.steps == model.steps


def test_it_goes_on_from_where_it_stopped(model: RIM) -> None:
    y = uniform(2, 1, 18, 25, dtype=torch.float32)
    ensemble, problem = SelfEnsemble(model), Denoising(0.1)
    first = ensemble.solve(y, problem, steps=3)
    second = ensemble.solve(y, problem, steps=2, start=first.iterate)
    assert torch.equal(second.x, ensemble.solve(y, problem, steps=5).x)


def test_it_looks_at_the_whole_image_where_its_solver_does(model: RIM) -> None:
    whitened = RIM(dataclasses.replace(model.config, score_scaling="whitened"))
    assert SelfEnsemble(whitened).looks_at_all
    assert not SelfEnsemble(model).looks_at_all


def test_tiles_are_as_the_whole(model: RIM) -> None:
    """Turned tiles begin on the turned grid: the network has a stride."""
    assert model.network.stride > 1
    image = uniform(171, 133, 1).float().numpy()
    whole, tiled = image.copy(), image.copy()
    Denoiser(model, self_ensemble=True).denoise([Noisy(whole, 0.1)])
    ensemble = SelfEnsemble(model)
    pixels = (2 * reach(ensemble, 0.1) + 56) ** 2
    memory = image.nbytes + 2.2 * pixels * bytes_per_pixel(ensemble, channels=1)
    cut = Denoiser(model, self_ensemble=True, memory=memory)
    assert cut.capacity(image) == 0
    cut.denoise([Noisy(tiled, 0.1)])
    np.testing.assert_allclose(tiled, whole, atol=0.5 / 255)
    alone = image.copy()
    Denoiser(model).denoise([Noisy(alone, 0.1)])
    assert np.abs(alone - whole).max() > 1e-3


def test_the_memory_that_is_counted_is_what_is_taken(model: RIM) -> None:
    ensemble = SelfEnsemble(model)
    counted = bytes_per_pixel(ensemble, channels=1)
    seen = bytes_per_pixel.dispatch(object)(ensemble, channels=1)
    assert seen <= counted <= 1.3 * seen


def test_a_photograph_is_restored_better(photograph: Tensor) -> None:
    x = photograph[..., :96, :120]
    problem = Denoising(25 / 255)
    y = problem.simulate(x, generator=torch.Generator().manual_seed(0))
    model = rimkit.load("denoise-gray")
    alone = rimkit.psnr(model.solve(y, problem).x, x)
    noisy = y[0, 0, ..., None].numpy().copy()
    x_hat = rimkit.restore(noisy[..., 0], sigma=25 / 255, self_ensemble=True)
    assert rimkit.psnr(torch.from_numpy(x_hat)[None, None], x) > alone + 0.02
