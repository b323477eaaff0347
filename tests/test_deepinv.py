"""Operators and noise models as deepinv has them."""

import importlib.abc
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from unittest.mock import MagicMock

import pytest
import torch
from tests.cases import normal, uniform
from torch import nn

from rimkit.deepinv import as_problem
from rimkit.networks import CompactConfig
from rimkit.noises import GaussianNoise, PoissonNoise
from rimkit.operators import Mask
from rimkit.problem import Denoising, Problem
from rimkit.rim import RIM, RIMConfig


def fake_deepinv(noise: str, physics: nn.Module | None = None, **settings: object) -> nn.Module:
    """A physics as deepinv lays it out; deepinv itself needs a torchvision that imports."""
    kind = type(noise, (nn.Module,), {"__module__": "deepinv.physics.noise"})
    model = kind()
    for name, value in settings.items():
        setattr(model, name, value)
    physics = physics or Decimate()
    physics.noise_model = model
    return physics


class Decimate(nn.Module):
    """Keeps every other row, in the signatures of deepinv's LinearPhysics."""

    def A(self, x: torch.Tensor, **_: object) -> torch.Tensor:
        return x[..., ::2, :]

    def A_adjoint(self, y: torch.Tensor, **_: object) -> torch.Tensor:
        x = y.new_zeros(*y.shape[:2], 2 * y.shape[2], y.shape[3])
        x[..., ::2, :] = y
        return x

    def A_vjp(self, x: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return self.A_adjoint(v)


def test_a_physics_of_deepinv_works_as_it_stands() -> None:
    problem = as_problem(fake_deepinv("GaussianNoise", sigma=torch.tensor([0.1])))
    x = normal(2, 1, 8, 6, dtype=torch.float32)
    y = problem.simulate(x, generator=torch.Generator().manual_seed(0))
    assert y.shape == (2, 1, 4, 6)
    assert problem.initial(y).shape == x.shape
    torch.testing.assert_close(
        problem.score(x, y)[..., ::2, :], (y - x[..., ::2, :]) / 0.1**2, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("name", ["Inpainting", "Demosaicing"])
def test_masks_of_deepinv_start_as_ours_do(name: str) -> None:
    mask = (uniform(1, 1, 16, 18, seed=1) > 0.5).float()
    physics = type(
        name, (nn.Module,), {"__module__": "deepinv.physics.x", "A": lambda self, x: self.mask * x}
    )()
    physics.register_buffer("mask", mask)
    problem = as_problem(fake_deepinv("GaussianNoise", physics, sigma=0.1))
    y = mask * uniform(2, 1, 16, 18).float()
    ours = Problem(Mask(mask), GaussianNoise(0.1))
    torch.testing.assert_close(problem.initial(y), ours.initial(y))
    assert problem.initial(y)[..., mask[0, 0] == 0].min() > 0
    physics.register_buffer("mask", 0.5 * mask)  # of weights: as it stands
    assert as_problem(physics).operator is physics


def test_poisson_of_deepinv() -> None:
    problem = as_problem(fake_deepinv("PoissonNoise", gain=torch.tensor(0.5), normalize=True))
    assert isinstance(problem.noise, PoissonNoise)
    with pytest.raises(ValueError, match="normalize"):
        as_problem(fake_deepinv("PoissonNoise", gain=0.5, normalize=False))


def test_noise_without_likelihood_is_refused_even_with_a_sigma() -> None:
    with pytest.raises(ValueError, match="RicianNoise"):
        as_problem(fake_deepinv("RicianNoise", sigma=0.1))
    with pytest.raises(ValueError, match="deepinv"):
        as_problem(object())


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for torchvision, which deepinv imports and its physics does not use."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.startswith("torchvision") else None

    def create_module(self, spec: ModuleSpec) -> MagicMock:
        return MagicMock(name=spec.name, __path__=[], __spec__=spec)

    def exec_module(self, module: object) -> None:
        pass


@pytest.mark.filterwarnings("ignore")
def test_the_real_deepinv(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("torchvision") is None:
        monkeypatch.setattr(sys, "meta_path", [StandIn(), *sys.meta_path])
    deepinv = pytest.importorskip("deepinv", reason="deepinv is absent", exc_type=ImportError)
    x = uniform(2, 1, 16, 18).float()
    problem = as_problem(deepinv.physics.Denoising(deepinv.physics.GaussianNoise(0.1)))
    y = problem.simulate(x, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(problem.score(x, y), Denoising(0.1).score(x, y))

    mask = (uniform(1, 1, 16, 18, seed=1) > 0.5).float()
    noise = deepinv.physics.GaussianNoise(0.05)
    physics = deepinv.physics.Inpainting((1, 16, 18), mask=mask[0], noise_model=noise)
    ours = Problem(Mask(mask), GaussianNoise(0.05))
    as_it_stands = Problem(physics, GaussianNoise(0.05))
    torch.testing.assert_close(as_it_stands.score(x, mask * x), ours.score(x, mask * x))
    torch.manual_seed(0)
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=3)).eval()
    torch.testing.assert_close(model(mask * x, as_problem(physics)), model(mask * x, ours))
