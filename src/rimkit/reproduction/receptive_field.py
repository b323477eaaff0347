"""The receptive field of a machine, step by step, with and without its state."""

from __future__ import annotations

import dataclasses

import torch
from matplotlib.figure import Figure
from torch import Tensor

from rimkit import weights
from rimkit.data.images import bytes_to_unit, load_bytes
from rimkit.data.patches import seeded
from rimkit.data.splits import held_out_paths
from rimkit.pixels import LEVELS
from rimkit.problem import Denoising, Problem
from rimkit.reproduction.setup import Setup
from rimkit.rim import RIM
from rimkit.sheets import columns

_MODEL = "denoise-gray"
_SIDE = 129
_SIGMAS = (15.0, 50.0)
_STEPS = 8
_SHARES = (0.5, 0.9, 0.99)


def receptive_field(setup: Setup) -> str:
    """Measure by gradients from which pixels of y the estimate at one place comes."""
    model = weights.load(_MODEL)
    clean = _crops()
    lines = [["sigma", "state", "share", *(f"step {step}" for step in range(1, _STEPS + 1))]]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, len(_SIGMAS), sharey=True)
    for axis, sigma in zip(axes, _SIGMAS, strict=True):
        problem = Denoising(sigma / LEVELS)
        y = problem.simulate(clean, generator=seeded(0, round(sigma)))
        for keeps, style in ((True, "o-"), (False, "s--")):
            radii = [_radii(gradient) for gradient in _gradients(model, y, problem, keeps=keeps)]
            word = "kept" if keeps else "reset"
            for place, share in enumerate(_SHARES):
                values = [radius[place] for radius in radii]
                lines.append([f"{sigma:g}", word, f"{share:.0%}", *(f"{r:.1f}" for r in values)])
                axis.plot(
                    range(1, _STEPS + 1),
                    values,
                    style,
                    color=f"C{place}",
                    label=f"{share:.0%}, state {word}",
                )
            setup.say(f"sigma {sigma:g}, state {word}")
        axis.set(title=f"sigma {sigma:g}", xlabel="step")
    axes[0].set_ylabel("radius in pixels")
    axes[0].legend(fontsize=7)
    setup.save(figure, "receptive-field.png")
    title = (
        f"{_MODEL}: radius in pixels of the disc around a pixel of the estimate from which a\n"
        f"share of the squared gradient with respect to y comes; mean over {len(clean)} held-out\n"
        "training images. State reset: every step starts with the state of the first.\n\n"
    )
    return setup.write("receptive-field.txt", title + columns(lines) + "\n")


def _crops() -> Tensor:
    held_out = held_out_paths()
    corner = slice(96, 96 + _SIDE)
    return torch.stack(
        [bytes_to_unit(load_bytes(path, channels=1))[:, corner, corner] for path in held_out]
    )


def _gradients(model: RIM, y: Tensor, problem: Problem, *, keeps: bool) -> list[Tensor]:
    """By step: gradient of the middle pixel of x_t with respect to y (N, side, side)."""
    y = y.clone().requires_grad_()
    iterate = model.init(y, problem)
    first = iterate.state
    middle = _SIDE // 2
    gradients = []
    for _ in range(_STEPS):
        iterate = model.step(iterate, y, problem)
        (gradient,) = torch.autograd.grad(
            iterate.x[..., middle, middle].sum(), y, retain_graph=True
        )
        gradients.append(gradient[:, 0])
        if not keeps:
            iterate = dataclasses.replace(iterate, state=first)
    return gradients


def _radii(gradient: Tensor) -> list[float]:
    """Radii of the discs that hold each share of the squared gradient, mean over images."""
    offset = torch.arange(_SIDE) - _SIDE // 2
    distance = (offset[:, None] ** 2 + offset**2).sqrt().flatten()
    order = distance.argsort()
    energy = gradient.flatten(1).square().double()[:, order].cumsum(1)
    energy = energy / energy[:, -1:]
    return [distance[order][(energy < share).sum(1)].mean().item() for share in _SHARES]
