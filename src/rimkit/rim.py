"""The Recurrent Inference Machine (Putzky & Welling 2017)."""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rimkit import settings
from rimkit.links import LINKS, LinkName
from rimkit.measurement import at_least_single, check_measurement
from rimkit.networks import CompactConfig, NetworkConfig, network_from_table
from rimkit.problem import Problem
from rimkit.solver import Iterate, Solver, check_start, check_state

SMALLEST_SIDE = 8

_PROBE = 0.01  # in x: small compared with the effect of any noise
_PROBE_SEED = 3_141_592_653  # unusual: a probe must not equal a row that an operator drew from 0
_LOST = 12.0  # log-likelihood per measurement: Gaussian residuals of five sigma
_FAR = 0.1  # in x: more than the variance floor permits at small sigma
_TOO_BRIGHT = 32.0  # in x: for an image with white 1, whatever its noise


@dataclasses.dataclass(frozen=True)
class RIMConfig:
    """Everything needed, besides the weights, to run a machine; saved with them.

    Attributes
    ----------
    network
        The update network and its settings.
    link
        Psi of equation 9.
    steps
        Default number of steps.
    score_scale
        Factor that keeps the score's magnitude near one at the network's input. It is constant so
        that the score still encodes sigma, which the network learns from nothing else.
    score_scaling
        ``"raw"``: no other scaling. ``"whitened"``: also divided by its standard deviation at the
        truth (`score_spread`), which is 1 / sigma in denoising and sqrt(m) / sigma for m Gaussian
        projections. The score then has the same magnitude in every problem, and no longer encodes
        sigma.
    variance_floor
        Epsilon (equation 15); its initial value if it is trained. It must be small compared with
        sigma^2, or it masks sigma.
    variance_floor_trained
        Whether epsilon is trained with the rest, as in the paper; else it is fixed and may be 0:
        then sigma = 0 is an error, since its score is not finite.
    start
        eta_0: ``"initial"`` is Psi^-1 of ``problem.initial(y)``, ``"zeros"`` is zero.
    """

    network: NetworkConfig = dataclasses.field(
        default_factory=CompactConfig, metadata={"table": network_from_table}
    )
    link: LinkName = "identity"
    steps: int = 8
    score_scale: float = 0.05
    score_scaling: Literal["raw", "whitened"] = "raw"
    variance_floor: float = 1e-4
    variance_floor_trained: bool = True
    start: Literal["initial", "zeros"] = "initial"

    def __post_init__(self) -> None:
        settings.check_types(self, where="model")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if not (math.isfinite(self.score_scale) and self.score_scale > 0):
            raise ValueError(f"score_scale must be positive and finite, got {self.score_scale}")
        none = self.variance_floor == 0 and not self.variance_floor_trained
        if not (none or (math.isfinite(self.variance_floor) and self.variance_floor > 0)):
            raise ValueError(
                "variance_floor must be positive and finite, or 0 if it is not trained "
                f"(variance_floor_trained = false), got {self.variance_floor}"
            )


class RIM(Solver):
    """A learned solver: a recurrent network that receives the score at each step.

    Iterate, link and likelihood are computed in y's precision (at least float32), outside
    autocast; only the network runs in the precision of its weights or of autocast.

    ``training_record``: what a loaded model was trained for and how, as saved with its weights.

    Raises
    ------
    ValueError
        If ``config`` is not a `RIMConfig`; None is the default one.
    """

    phi_epsilon: nn.Parameter | None
    """Of epsilon = softplus(phi_epsilon); None if epsilon is not trained."""

    def __init__(self, config: RIMConfig | None = None) -> None:
        super().__init__()
        if not isinstance(config, RIMConfig | None):
            raise ValueError(f"config must be a RIMConfig, got {type(config).__name__}")
        self.config = config if config is not None else RIMConfig()
        self.steps = self.config.steps
        self.training_record: dict[str, Any] = {}
        self.looks_at_all = self._whitens
        self.link = LINKS[self.config.link]
        self.network = self.config.network.build()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        trained, floor = self.config.variance_floor_trained, self.config.variance_floor
        phi = nn.Parameter(torch.tensor(_softplus_inverse(floor))) if trained else None
        self.register_parameter("phi_epsilon", phi)

    @property
    def variance_floor(self) -> Tensor:
        """Epsilon, a scalar: softplus(phi_epsilon), or the value of the configuration."""
        if self.phi_epsilon is None:
            return torch.full((), self.config.variance_floor, device=self._weight.device)
        return F.softplus(self.phi_epsilon)

    @property
    def _weight(self) -> Tensor:
        """One of the weights, whose device all share."""
        return next(self.parameters(), torch.zeros(()))

    @property
    def _dtype(self) -> torch.dtype:
        """The precision of the network's weights."""
        return next(self.network.parameters(), torch.zeros(())).dtype

    @property
    def _whitens(self) -> bool:
        """Whether the state ends with the spread of the score."""
        return self.config.score_scaling == "whitened"

    def init(self, y: Tensor, problem: Problem) -> Iterate:
        """Return eta_0, x_0 and a state of zeros.

        With trained weights, warns if the start seems to be in grey levels of 255.

        Raises
        ------
        ValueError
            If y is not finite, is on another device than the weights, or belongs to images that are
            smaller than 8x8 or have another number of channels than the machine was built for; if
            the score at the start or near it is not finite.
        """
        check_measurement(y)
        y = at_least_single(y)
        if y.device != self._weight.device:
            raise ValueError(
                f"y {tuple(y.shape)} is on {y.device}, but the model is on {self._weight.device}"
            )
        x = problem.initial(y)
        floor = self.variance_floor.to(x)
        check_start(x, problem.score(x, y, variance_floor=floor))
        if self.training_record and (most := x.abs().amax().item()) > _TOO_BRIGHT:
            warnings.warn(
                f"the start reaches {most:g} where white is 1; are these grey levels of 255?",
                stacklevel=2,
            )
        spread = [score_spread(problem, x, variance_floor=floor)] if self._whitens else []
        if spread and not spread[0].isfinite().all():
            raise ValueError(
                "the score is not finite near the start: counts with A(x) close to zero need a "
                "model with a positive variance floor"
            )
        channels, *sides = x.shape[1:]
        if channels != self.config.network.channels:
            raise ValueError(
                f"this model takes {self.config.network.channels} channel(s), "
                f"got {channels} in shape {tuple(x.shape)}"
            )
        if min(sides) < SMALLEST_SIDE:
            raise ValueError(
                f"images must be at least {SMALLEST_SIDE}x{SMALLEST_SIDE}, "
                f"got {sides[0]}x{sides[1]}"
            )
        eta = self.link.inverse(x) if self.config.start == "initial" else torch.zeros_like(x)
        state = self.network.init_state(self._pad(eta).to(self._dtype))
        return Iterate(eta, self.link(eta), (*state, *spread))

    def check_iterate(self, iterate: Iterate, y: Tensor, problem: Problem) -> None:
        """Raise ``ValueError`` unless the state has the shapes of this network's state."""
        hidden = self.network.init_state(self._pad(iterate.eta).to(self._dtype))
        spread = [iterate.eta.new_empty(len(iterate.eta), 1, 1, 1)] * self._whitens
        check_state(iterate, [*hidden, *spread])

    def step(self, iterate: Iterate, y: Tensor, problem: Problem) -> Iterate:
        """Take one step: `update` with the score of equation 15."""
        y = at_least_single(y)
        floor = self.variance_floor.to(iterate.eta)
        score = problem.score(iterate.x, y, variance_floor=floor)
        if self._whitens:
            score = score / iterate.state[-1]
        return self.update(iterate, score)

    def update(self, iterate: Iterate, score: Tensor) -> Iterate:
        """Take one step given the score, whatever the problem: equations 10 to 12.

        Parameters
        ----------
        iterate
            The current iterate.
        score
            Gradient of the log-likelihood in x (N, C, H, W), as ``problem.score`` gives it with
            the machine's ``variance_floor``; divided by the last part of the state where
            ``score_scaling`` is "whitened".
        """
        eta = iterate.eta
        own = len(iterate.state) - self._whitens
        hidden, spread = iterate.state[:own], iterate.state[own:]
        score_eta = self.config.score_scale * self.link.pullback(eta, iterate.x, score)
        weights = self._dtype
        delta, state = self.network(
            self._pad(eta).to(weights), self._pad(score_eta).to(weights), hidden
        )
        eta = eta + delta[..., : eta.shape[-2], : eta.shape[-1]].to(eta)
        return Iterate(eta, self.link(eta), (*(part.to(weights) for part in state), *spread))

    def warning(self, first: Tensor, last: Tensor, y: Tensor, problem: Problem) -> str | None:
        """Warn if trained weights end far from the measurement, and farther than they began.

        There is no warning if they began at the measurement itself, which they are meant to leave.
        """
        if not self.training_record or torch.equal(problem.predict(first), y):
            return None
        began, ended = (problem.log_prob(x, y) for x in (first, last))
        apart = problem.noise.log_prob(y, y) - began > 0.5 * y[0].numel()  # by more than the noise
        lost = began - ended
        moved = (last - first).square().flatten(1).mean(1).sqrt()
        far = (apart & (lost > _LOST * y[0].numel()) & (moved > _FAR)).nonzero()[:, 0].tolist()
        if not far:
            return None
        return (
            f"the estimate fits y much worse than the start did (samples {far} of "
            f"{len(lost)}): the problem is unlike those that the model was trained for"
        )

    def _pad(self, image: Tensor) -> Tensor:
        """Pad the image at the right and bottom to multiples of the network's stride."""
        stride = self.network.stride
        if stride == 1:
            return image
        # Written like this, torch.export sees that the stride divides the padded size.
        bottom, right = ((n + stride - 1) // stride * stride - n for n in image.shape[-2:])
        if not (torch.compiler.is_exporting() or bottom or right):  # a graph serves any size
            return image
        return F.pad(image, (0, right, 0, bottom), mode="replicate")


def score_spread(problem: Problem, x: Tensor, *, variance_floor: Tensor | float = 0.0) -> Tensor:
    """Standard deviation of the score per pixel if x were the truth, per sample: (N, 1, 1, 1).

    Its square is the mean Fisher information of a pixel: the curvature of -log p(y | x) at
    y = A(x), where no residual multiplies the second derivative of A. It is estimated with one
    probe of random signs (Hutchinson 1990): for Gaussian noise, exactly if the operator acts on
    every pixel separately, within about a tenth for random projections. It is differentiable with
    respect to the problem, x and the floor.
    """
    y = problem.predict(x)
    generator = torch.Generator().manual_seed(_PROBE_SEED)
    signs = torch.randint(2, x.shape[1:], generator=generator, device="cpu").to(x) * 2 - 1
    low, high = (
        problem.score(x + step * signs, y, variance_floor=variance_floor)
        for step in (-_PROBE, _PROBE)
    )
    curvature = (signs * (low - high)).flatten(1).mean(1) / (2 * _PROBE)
    return curvature.clamp(min=torch.finfo(x.dtype).tiny).sqrt().view(-1, 1, 1, 1)


def _softplus_inverse(value: float) -> float:
    return value + math.log(-math.expm1(-value))  # which overflows for no value
