"""One inference, from a visitor's file to the file that is handed back, look by look."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from rimkit import weights
from rimkit.files.metadata import colours_alone
from rimkit.files.picture import Picture, write_picture
from rimkit.files.ways import noisy_parts
from rimkit.metrics import psnr
from rimkit.pixels import LEVELS, Array, write_unit
from rimkit.restoring.denoiser import Denoiser, Noisy
from rimkit.rim import RIM
from rimkit.solver import Iterate, Solver
from rimkit.web import looks
from rimkit.web.limits import Limits
from rimkit.web.problems import Degradation, Measured, Painted, Photograph, measure
from rimkit.web.solvers import Offer

_GREY = "denoise-gray"


class Wish(BaseModel):
    """What a visitor asks for.

    Attributes
    ----------
    image
        Name that the image was given when it was uploaded.
    degradation
        What is done to it first.
    solver
        The name of an offer.
    steps
        Number of steps; None: the solver's own.
    inspect
        Whether score and state are shown, too.
    visitor
        Who asks: visitors take turns.
    """

    model_config = ConfigDict(extra="forbid")

    image: str = Field(max_length=80)
    degradation: Degradation
    solver: str = Field(max_length=255)
    steps: int | None = Field(default=None, ge=1, strict=True)
    inspect: bool = False
    visitor: str = Field(default="", max_length=80)

    @property
    def painted_bytes(self) -> int:
        """Bytes that the painted runs take."""
        return 4 * len(self.degradation.runs) if isinstance(self.degradation, Painted) else 0


@dataclasses.dataclass(frozen=True)
class Look:
    """Something that a visitor gets to see.

    Attributes
    ----------
    facts
        What happened, to be sent as JSON.
    files
        The resulting pictures, by name.
    """

    facts: dict[str, Any]
    files: dict[str, bytes]


def infer(
    picture: Picture,
    wish: Wish,
    offer: Offer,
    limits: Limits,
    *,
    check: Callable[[], None] = lambda: None,
) -> Iterator[Look]:
    """Yield a look at the measurement, at the estimate after every step, and at the result.

    Every look is made on demand: a caller that stops iterating stops the work. ``check`` is called
    from time to time during long looks; an exception that it raises ends the work, too.

    Raises
    ------
    ValueError
        If the image is too large for the server, or the solver cannot take it.
    """
    values = picture.colours
    steps = offer.steps if wish.steps is None else wish.steps
    _check(values, steps, offer, limits, wish)
    levels = offer.known_levels(values)
    measured = measure(
        values,
        wish.degradation,
        channels=offer.channels,
        levels=levels,
        seen_sigma=offer.seen_sigma,
        hidden=picture.hidden,
    )
    solver = offer.build(measured.sigma or 1 / LEVELS)
    least = offer.least_sigma if isinstance(wish.degradation, Photograph) else 0.0
    if measured.sigma == 0 or measured.sigma < least:
        steps = 0  # nothing to do: the image stays
    files = {"measurement": looks.png(looks.values_of(measured.shown))}
    if measured.truth is not None:
        files["truth"] = looks.png(looks.values_of(measured.truth))
    height, width = values.shape[:2]
    size = {"steps": steps, "width": width, "height": height, "sigma": measured.sigma * LEVELS}
    yield Look({"kind": "started", **size}, files)
    before = None
    for number, iterate in enumerate(_walk(solver, measured, steps, offer.together(values))):
        x = _estimate(iterate, measured)
        facts = {"kind": "step", "number": number, **_numbers(x, before, measured.truth)}
        before = x
        files = {f"estimate-{number}": looks.png(looks.values_of(x))}
        if wish.inspect and measured.sigma > 0:
            files |= _inside(solver, iterate, measured, number)
        yield Look(facts, files)
    name, content = _result(picture, x, wish, _alpha_by(solver, limits, check))
    yield Look({"kind": "done", "name": name}, {"result": content})


def _check(values: Array, steps: int, offer: Offer, limits: Limits, wish: Wish) -> None:
    height, width, channels = values.shape
    each = height * width * (channels + 3 * wish.inspect) + looks.SHEET_BYTES * wish.inspect
    thrice = channels == 1 and isinstance(wish.degradation, Painted)
    if offer.channels > 1 and channels != offer.channels and not thrice:
        raise ValueError(f"{offer.name} takes {offer.channels} channels, the image has {channels}")
    if steps > limits.steps:
        raise ValueError(f"at most {limits.steps} steps are allowed here, not {steps}")
    most = int(limits.frames // each) - 1
    if steps > most:
        raise ValueError(f"at {width}x{height} at most {most} steps can be kept here, not {steps}")
    if offer.together(values) < 1:
        raise ValueError(
            f"an image of {width}x{height} is too large for {offer.name} here; "
            "`rimkit restore` takes any size"
        )


@torch.no_grad()
def _advance(generators: list[Iterator[Iterate]]) -> list[Iterate] | None:
    made = [next(generator, None) for generator in generators]
    return None if None in made else [each for each in made if each is not None]


def _walk(solver: Solver, measured: Measured, steps: int, together: int) -> Iterator[Iterate]:
    """Yield the start and the iterate after every step; samples run in groups of ``together``."""
    groups = torch.split(measured.y, max(1, together))
    with torch.no_grad():
        starts = [solver.init(y, measured.problem) for y in groups] if steps else []
    if not steps:
        yield Iterate(measured.y, measured.y, ())
        return
    yield _joined(starts)
    walks = [
        solver.iterate(y, measured.problem, steps=steps, start=start)
        for y, start in zip(groups, starts, strict=True)
    ]
    while (made := _advance(walks)) is not None:
        yield _joined(made)


def _joined(iterates: list[Iterate]) -> Iterate:
    """Join all estimates; of the states keep the first, since only that is shown."""
    if len(iterates) == 1:
        return iterates[0]
    eta = torch.cat([each.eta for each in iterates])
    return Iterate(eta, torch.cat([each.x for each in iterates]), iterates[0].state)


def _estimate(iterate: Iterate, measured: Measured) -> Tensor:
    """Return the estimate with the channels of the image, and with its unchanged pixels."""
    x = iterate.x
    if x.shape[1] > measured.shown.shape[1]:
        x = x.mean(1, keepdim=True)
    return x if measured.still is None else torch.where(measured.still, measured.shown, x)


def _numbers(x: Tensor, before: Tensor | None, truth: Tensor | None) -> dict[str, float | None]:
    """PSNR in dB if the truth is known, and the RMS change of the step, in grey levels."""
    moved = None if before is None else float((x - before).square().mean().sqrt()) * LEVELS
    if truth is None:
        return {"psnr": None, "change": moved}
    planes = (1, -1, *x.shape[-2:])
    score = float(psnr(x.clamp(0, 1).reshape(planes), truth.reshape(planes)))
    return {"psnr": score if math.isfinite(score) else None, "change": moved}


def _inside(solver: Solver, iterate: Iterate, measured: Measured, number: int) -> dict[str, bytes]:
    floor = solver.variance_floor if isinstance(solver, RIM) else 0.0
    with torch.no_grad():
        score = measured.problem.score(iterate.x, measured.y, variance_floor=floor)
    files = {f"score-{number}": looks.png(looks.signed(score))}
    channels = looks.sheet(iterate.state)
    if channels is not None:
        files[f"state-{number}"] = looks.png(channels)
    return files


def _alpha_by(
    solver: Solver, limits: Limits, check: Callable[[], None]
) -> Callable[[Sequence[Noisy]], None]:
    """Return a function that denoises noisy alpha; for a classical solver it does nothing."""
    if not isinstance(solver, RIM):
        return lambda _: None

    def denoise(alpha: Sequence[Noisy]) -> None:
        if alpha:
            grey = solver if solver.config.network.channels == 1 else weights.load(_GREY)
            Denoiser(grey, memory=limits.memory).denoise(alpha, on_progress=lambda _: check())

    return denoise


def _result(
    picture: Picture, x: Tensor, wish: Wish, denoise_alpha: Callable[[Sequence[Noisy]], None]
) -> tuple[str, bytes]:
    """Extension and content of the file that is handed back."""
    if isinstance(wish.degradation, Photograph | Painted):
        restored = Picture(picture.values.copy(), picture.metadata)
    else:
        restored = Picture(picture.colours.copy(), colours_alone(picture.metadata))
    if isinstance(wish.degradation, Photograph):
        denoise_alpha(noisy_parts(restored, wish.degradation.sigma and "auto")[1:])
    write_unit(restored.colours, x.reshape(-1, *x.shape[-2:]))
    if isinstance(wish.degradation, Painted) and picture.hidden is not None:
        restored.colours[picture.hidden] = picture.colours[picture.hidden]
    ending = ".tif" if restored.values.dtype == np.float32 else ".png"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"result{ending}"
        write_picture(restored, path)
        return ending, path.read_bytes()
