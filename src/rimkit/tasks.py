"""Named tasks: how the operator, the noise and so y are drawn, for training and for validation."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from rimkit import settings, tree
from rimkit.noises import GaussianNoise
from rimkit.operators import DenseProjection, FourierProjection, LinearOperator, matlab_imresize
from rimkit.operators.rows import row_count
from rimkit.problem import Denoising, Problem, SuperResolution

T = TypeVar("T")

LEVELS = 255
"""Grey levels between black and white: sigma = 25 on the outside is 25 / LEVELS inside."""

Measure = Callable[[Tensor, torch.Generator], tuple[Problem, Tensor]]
"""From clean images x (N, C, H, W) in [0, 1] to a problem and its y."""


class Task(Protocol):
    """What a machine is trained for; a frozen dataclass whose fields are read from recipes.

    ``table_name`` is its name there, once the class is known (`register`). Optional: ``on_patches =
    True`` where the problem is for patches alone, and so the held-out images are cut into some.
    """

    table_name: ClassVar[str]

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw the problem of a training batch x (N, C, H, W) in [0, 1], and measure it."""
        ...

    def validation(self) -> dict[str, Measure]:
        """What the training is watched on, by the name under which its PSNR is logged."""
        ...


TASKS: dict[str, type[Any]] = {}
"""Those that recipes may name."""


def register(task: type[T]) -> type[T]:
    """Let recipes, and the weights of what is trained for it, know a task by its ``table_name``.

    A decorator. The module of a task of one's own must be imported wherever it is named.

    Raises
    ------
    ValueError
        If another task has that name.
    """
    name: str = task.table_name  # type: ignore[attr-defined]
    other = TASKS.get(name, task)
    if (other.__module__, other.__qualname__) != (task.__module__, task.__qualname__):
        raise ValueError(
            f"a task is called {name!r} already: {other.__qualname__} of {other.__module__}"
        )
    TASKS[name] = task  # written again, as in a notebook
    return task


Quantised = Literal["no", "unknown", "known", "half"]


@register
@dataclasses.dataclass(frozen=True)
class DenoisingTask:
    """Additive Gaussian noise, sigma uniform in a range, one value per sample.

    Attributes
    ----------
    sigma
        Smallest and largest sigma in training, in grey levels (of 255).
    validation_sigmas
        The levels at which a training is watched.
    quantised
        Whether y is clipped and rounded to 8 bits, as in a file: "no"; "unknown", to the
        likelihood; "known"; or "half": known, in every other batch in the mean, and not rounded in
        the others, so that one machine learns both likelihoods.
    """

    table_name: ClassVar[str] = "denoising"

    sigma: tuple[float, float] = (0.0, 55.0)
    validation_sigmas: tuple[float, float, float] = (15.0, 25.0, 50.0)
    quantised: Quantised = "no"

    def __post_init__(self) -> None:
        settings.check_types(self, where="task")
        low, high = self.sigma
        if not 0 <= low <= high < float("inf"):
            raise ValueError(f"sigma is a range 0 <= low <= high, got {low} to {high}")
        if not all(0 <= sigma < float("inf") for sigma in self.validation_sigmas):
            raise ValueError(f"validation_sigmas are not negative, got {self.validation_sigmas}")

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw sigma for every sample, and noise; for the batch, whether it is rounded."""
        quantised = self.quantised
        if quantised == "half":
            quantised = "known" if torch.rand((), generator=generator) < 0.5 else "no"
        low, high = self.sigma
        sigma = torch.rand(x.shape[0], generator=generator) * (high - low) + low
        return _noisy(quantised, sigma, x, generator)

    def validation(self) -> dict[str, Measure]:
        """Fixed levels; of "half" both, those that are rounded called so."""
        kinds: dict[str, Quantised] = {"": self.quantised}
        if self.quantised == "half":
            kinds = {"": "no", "_rounded": "known"}
        return {
            f"sigma_{sigma:g}{ending}": functools.partial(_noisy, quantised, sigma)
            for ending, quantised in kinds.items()
            for sigma in self.validation_sigmas
        }


def _noisy(
    quantised: Quantised, sigma: Tensor | float, x: Tensor, generator: torch.Generator
) -> tuple[Problem, Tensor]:
    true = Denoising(sigma / LEVELS, levels=None if quantised == "no" else LEVELS)
    assumed = true if quantised == "known" else Denoising(sigma / LEVELS)
    return assumed, true.simulate(x, generator=generator)


@register
@dataclasses.dataclass(frozen=True)
class SuperResolutionTask:
    """Images made smaller by MATLAB's ``imresize``, rounded to 8 bits; one scale a batch.

    Attributes
    ----------
    scales
        From which that of a batch is drawn.
    sigma
        How far the files are from the linear operator, in grey levels.
    """

    table_name: ClassVar[str] = "super-resolution"

    scales: tuple[float, ...] = (2.0, 3.0, 4.0)
    sigma: float = 0.4

    def __post_init__(self) -> None:
        settings.check_types(self, where="task")
        if not self.scales or not all(1 <= scale < float("inf") for scale in self.scales):
            raise ValueError(f"scales are at least 1, got {self.scales}")
        if not 0 < self.sigma < float("inf"):
            raise ValueError(f"sigma is positive, got {self.sigma}")

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw a scale for the batch."""
        place = int(torch.randint(len(self.scales), (), generator=generator))
        return self._smaller(self.scales[place], x, generator)

    def validation(self) -> dict[str, Measure]:
        """Every scale."""
        return {f"x{scale:g}": functools.partial(self._smaller, scale) for scale in self.scales}

    def _smaller(
        self, scale: float, x: Tensor, generator: torch.Generator
    ) -> tuple[Problem, Tensor]:
        n, channels, height, width = x.shape
        # All images as channels of one: they are resized alike.
        planes = (x * LEVELS).round().byte().flatten(0, 1).permute(1, 2, 0).cpu().numpy()
        small = matlab_imresize(np.ascontiguousarray(planes), 1 / scale)
        y = torch.from_numpy(small).to(x).permute(2, 0, 1) / LEVELS
        y = y.reshape(n, channels, *y.shape[1:])
        return SuperResolution(scale, size=(height, width), sigma=self.sigma / LEVELS), y


Ensemble = Literal["gaussian", "binary", "fourier"]

ENSEMBLES: dict[Ensemble, Callable[..., LinearOperator]] = {
    "gaussian": DenseProjection.gaussian,
    "binary": DenseProjection.binary,
    "fourier": FourierProjection.draw,
}
"""How the operators of the paper's Section 4.4 are drawn."""


@register
@dataclasses.dataclass(frozen=True)
class RandomProjectionsTask:
    """Random projections of patches (Section 4.4): one ensemble and one p a batch.

    The rows are fresh for every sample.

    Attributes
    ----------
    ensembles, p
        From which those of a batch are drawn; p is the share of rows, in (0, 1].
    sigma
        Noise in the units of y, whose rows are not normalised.
    noisier, least_rows
        Share of the samples that have more noise in training, up to that with which all rows
        together say as much as ``least_rows`` do at ``sigma``.
    """

    table_name: ClassVar[str] = "random-projections"
    on_patches: ClassVar[bool] = True

    ensembles: tuple[Ensemble, ...] = ("gaussian", "binary", "fourier")
    p: tuple[float, ...] = (0.1, 0.2, 0.4, 0.6)
    sigma: float = 1.0
    noisier: float = 0.0
    least_rows: int = 20

    def __post_init__(self) -> None:
        settings.check_types(self, where="task")
        if not self.ensembles or not set(self.ensembles) <= set(ENSEMBLES):
            raise ValueError(f"ensembles are some of {', '.join(ENSEMBLES)}, got {self.ensembles}")
        if not self.p or not all(0 < p <= 1 for p in self.p):
            raise ValueError(f"p lies in (0, 1], got {self.p}")
        if not 0 < self.sigma < float("inf"):
            raise ValueError(f"sigma is positive, got {self.sigma}")
        if not 0 <= self.noisier <= 1 or self.least_rows < 1:
            raise ValueError(
                "noisier lies in [0, 1] and least_rows is at least 1, "
                f"got {self.noisier} and {self.least_rows}"
            )

    def draw(self, x: Tensor, generator: torch.Generator) -> tuple[Problem, Tensor]:
        """Draw ensemble and p for the batch, and rows and noise for every sample."""
        ensemble = int(torch.randint(len(self.ensembles), (), generator=generator))
        p = self.p[int(torch.randint(len(self.p), (), generator=generator))]
        return self.project(
            self.ensembles[ensemble], p, x, generator, sigma=self._sigma(p, x, generator)
        )

    def _sigma(self, p: float, x: Tensor, generator: torch.Generator) -> Tensor | float:
        if not self.noisier:
            return self.sigma
        most = max(1.0, math.sqrt(row_count(p, (x.shape[2], x.shape[3])) / self.least_rows))
        chosen, exponent = torch.rand(2, x.shape[0], generator=generator)
        sigma: Tensor = self.sigma * most ** (exponent * (chosen < self.noisier))
        return sigma

    def validation(self) -> dict[str, Measure]:
        """Every ensemble with every p."""
        return {
            f"{ensemble}_{p:g}": functools.partial(self.project, ensemble, p)
            for ensemble in self.ensembles
            for p in self.p
        }

    def project(
        self,
        ensemble: Ensemble,
        p: float,
        x: Tensor,
        generator: torch.Generator,
        *,
        sigma: Tensor | float | None = None,
    ) -> tuple[Problem, Tensor]:
        """Draw rows for every sample of x (N, C, H, W), and measure it; sigma None: the task's."""
        size = (x.shape[2], x.shape[3])
        operator = ENSEMBLES[ensemble](p, size, samples=x.shape[0], generator=generator)
        noise = GaussianNoise(self.sigma if sigma is None else sigma)
        problem = tree.move(Problem(operator, noise), device=x.device, dtype=x.dtype)
        return problem, problem.simulate(x, generator=generator)


def task_from_table(table: Mapping[str, Any]) -> Task:
    """Build a task from a table that says its ``name``; denoising if it says none.

    Raises
    ------
    ValueError
        If the name, a key or a value is not what it should be.
    """
    if not isinstance(table, Mapping):
        raise ValueError(f"a task is a table with a name ({', '.join(TASKS)}), got {table!r}")
    name = table.get("name", DenoisingTask.table_name)
    if name not in TASKS:
        unknown = settings.unknown_key(str(name), TASKS, where="task")
        raise ValueError(f"{unknown} (one of your own: rimkit.tasks.register, --import)")
    task: Task = settings.from_table(TASKS[name], table, where="recipe.task")
    return task
