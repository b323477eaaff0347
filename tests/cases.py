"""Every operator, noise, link, network and solver once; the laws run over all of them.

A new one is a line here.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from rimkit import tree
from rimkit.classical import GradientDescent, TotalVariation
from rimkit.contrast import AtContrast
from rimkit.ensemble import SelfEnsemble
from rimkit.links import LINKS, Link
from rimkit.networks import NETWORKS, CompactConfig, NetworkConfig, ablated
from rimkit.noises import GaussianNoise, Noise, PoissonNoise, QuantisedGaussianNoise
from rimkit.operators import (
    ORIENTATIONS,
    Blur,
    DenseProjection,
    Downsampling,
    DownsamplingPart,
    FastProjection,
    FourierMask,
    FourierProjection,
    Identity,
    Mask,
    Operator,
    Oriented,
    SaturatingSensor,
    gaussian_kernel,
    line_mask,
)
from rimkit.problem import Problem
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import Solver

SHAPE = (3, 2, 11, 14)
"""Of x: batch above one, several channels, not square, odd."""


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def uniform(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@dataclasses.dataclass(frozen=True)
class ComplexRotation:
    """A test operator with complex measurements: A x = phase * x, another for every pixel."""

    phase: Tensor

    def A(self, x: Tensor) -> Tensor:
        return self.phase * x

    def A_adjoint(self, y: Tensor) -> Tensor:
        return (self.phase.conj() * y).real


def machine(channels: int) -> RIM:
    """Small, for likelihoods that are sharp: little noise, large scores."""
    torch.manual_seed(0)
    network = CompactConfig(channels=channels, features=8, blocks=1)
    model = RIM(RIMConfig(network=network, steps=2, score_scale=0.001)).eval()
    torch.nn.init.normal_(model.network.out.weight, std=0.1)
    return model


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def machine_for_solving(scaling: Literal["raw", "whitened"]) -> RIM:
    """Small, in double precision, and moves the image in every step."""
    torch.manual_seed(0)
    network = CompactConfig(features=4, blocks=1)
    model = RIM(RIMConfig(network, steps=3, score_scale=0.02, score_scaling=scaling)).double()
    for parameter in model.network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model.eval()


_KERNELS = uniform(3, 5, 3, seed=1)
_SIZE = (11, 14)

# Their measurements may be negative or complex: neither rates of Poisson nor values of a file.
_SIGNED: dict[str, Operator] = {
    "complex": ComplexRotation(torch.polar(uniform(1, 2, 11, 14), normal(1, 2, 11, 14))),
    "gaussian": DenseProjection.gaussian(0.3, _SIZE, samples=3, generator=generator()),
    "gaussian-shared": DenseProjection.gaussian(0.3, _SIZE, generator=generator()),
    "binary": DenseProjection.binary(0.3, _SIZE, samples=3, generator=generator()),
    "fourier": FourierProjection.draw(0.4, _SIZE, samples=3, generator=generator()),
    "fourier-shared": FourierProjection.draw(0.4, _SIZE, generator=generator()),
    "fourier-all": FourierProjection.draw(1.0, _SIZE, generator=generator()),
    "fast": FastProjection.draw(0.4, _SIZE, samples=3, generator=generator()),
    "fast-shared": FastProjection.draw(0.4, _SIZE, generator=generator()),
    "fourier-mask": FourierMask(line_mask(0.4, _SIZE, samples=3, generator=generator())),
    "fourier-mask-channels": FourierMask((uniform(1, 2, 11, 14) > 0.5).double()),
}

OPERATORS: dict[str, Operator] = {
    "identity": Identity(),
    "mask": Mask((uniform(3, 1, 11, 14) > 0.5).double()),
    "mask-shared": Mask((uniform(1, 2, 11, 14) > 0.3).double()),
    "blur-circular": Blur(_KERNELS, padding="circular"),
    "blur-replicate": Blur(_KERNELS, padding="replicate"),
    "blur-shared": Blur(gaussian_kernel(1.0).double(), padding="replicate"),
    # Wider than the image: the border repeats more than once.
    "blur-wide": Blur(uniform(1, 25, 31, seed=2), padding="circular"),
    "blur-wide-replicate": Blur(uniform(1, 25, 31, seed=2), padding="replicate"),
    "smaller-2": Downsampling(2, size=(11, 14)),
    "smaller-3": Downsampling(3, size=(11, 14)),
    "smaller-2.7": Downsampling(2.7, size=(11, 14)),
    # The kernel is wider than the image.
    "smaller-8": Downsampling(8, size=(11, 14)),
    "smaller-1": Downsampling(1),
    "smaller-part": DownsamplingPart(2.7, size=(40, 37), window=((9, 20), (23, 37))),
    "oriented": Oriented(Blur(_KERNELS, padding="replicate"), ORIENTATIONS[6]),
    "oriented-sensor": Oriented(SaturatingSensor(), ORIENTATIONS[3]),
    "sensor": SaturatingSensor(),
    "sensor-linear-light": SaturatingSensor(gain=0.5, gamma=1.0),
    **{name: tree.move(operator, dtype=torch.float64) for name, operator in _SIGNED.items()},
}

_PER_SAMPLE = torch.tensor([0.1, 0.5, 2.0], dtype=torch.float64)

NOISES: dict[str, Noise] = {
    "gaussian": GaussianNoise(0.3),
    "gaussian-per-sample": GaussianNoise(_PER_SAMPLE),
    "quantised": QuantisedGaussianNoise(0.3),
    "quantised-per-sample": QuantisedGaussianNoise(_PER_SAMPLE, levels=100),
    "poisson": PoissonNoise(0.25),
    "poisson-per-sample": PoissonNoise(_PER_SAMPLE),
}

PROBLEMS: dict[str, Problem] = {
    f"{operator_name} {noise_name}": Problem(operator, noise)
    for operator_name, operator in OPERATORS.items()
    for noise_name, noise in NOISES.items()
    if not (operator_name in _SIGNED and noise_name.startswith(("poisson", "quantised")))
}

SOLVERS: dict[str, Callable[[], Solver]] = {
    "descent": lambda: GradientDescent(step_size=0.002, steps=3),
    "total-variation": lambda: TotalVariation(weight=5.0, steps=3),
    "rim": lambda: machine_for_solving("raw"),
    "rim-whitened": lambda: machine_for_solving("whitened"),
    "ensemble": lambda: SelfEnsemble(machine_for_solving("raw")),
    "ensemble-of-descent": lambda: SelfEnsemble(GradientDescent(step_size=0.002, steps=3)),
    "contrast": lambda: AtContrast(machine_for_solving("whitened"), 0.4),
    "contrast-of-descent": lambda: AtContrast(GradientDescent(step_size=0.002, steps=3), 0.4),
}

LINK_CASES: dict[str, Link] = {str(name): link for name, link in LINKS.items()}

NETWORK_CASES: dict[str, Callable[[int], NetworkConfig]] = {
    name: lambda channels, config=config: config(channels=channels)
    for name, config in NETWORKS.items()
}

ABLATION_CASES: dict[str, Callable[[int], NetworkConfig]] = {
    f"{name}-{part}": lambda channels, config=config, part=part: ablated(
        config(channels=channels), part
    )
    for name, config in NETWORKS.items()
    for part in ("gdn", "ffn")
}
"""Networks without one of their parts; those of the GDN have a state, those of the FFN see eta."""
