"""Write one step of a machine as an ONNX file, and check the file against torch."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxscript import opset18
from torch import Tensor, nn

from rimkit import atomic, weights
from rimkit.onnx.contents import KEY, Contents, contents_of, to_text
from rimkit.onnx.runtime import OnnxRIM
from rimkit.problem import Denoising
from rimkit.rim import RIM, SMALLEST_SIDE
from rimkit.solver import Iterate

_OPSET = 18  # old enough for every runtime, new enough that the exporter converts nothing

TOLERANCE = 1e-5
"""Largest allowed difference of any output from torch in double precision."""

_SIZES = ((1, 8, 8), (2, 9, 13), (1, 32, 21), (2, 27, 48))
_STEPS = 4
_TRACED = (11, 13)  # odd, so that padding and cropping are in the trace
_LEAST = {"N": 0, "H": SMALLEST_SIDE, "W": SMALLEST_SIDE}
_SIGMA = 0.1


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    size
        Size of the file, in bytes.
    difference
        Largest difference of any output from torch in double precision, over several sizes and
        steps.
    """

    size: int
    difference: float


def export(model: str | os.PathLike[str], path: Path) -> Exported:
    """Write one step of a model, from the score on, as an ONNX file for images of any size.

    The graph takes ``eta``, ``score`` (N, C, H, W) and ``state_0``, ``state_1``, ...; it returns
    ``eta_next``, ``x_next`` and ``state_0_next``, ... (see docs/onnx.md). The same weights give the
    same bytes. Before the file is put in place, it is compared with torch in double precision.

    Parameters
    ----------
    model
        As in `rimkit.load`.
    path
        The destination; ends in ``.onnx``.

    Raises
    ------
    ValueError
        If the model cannot be exported, or the graph does not compute what torch does.
    """
    if path.suffix != ".onnx":
        raise ValueError(f"an ONNX file ends in .onnx, got {path}")
    atomic.check_place(path)
    rim = weights.load(model)
    if rim.config.score_scaling != "raw":
        raise ValueError(
            f'score_scaling = "{rim.config.score_scaling}" needs the noise level beside the score: '
            'only models with "raw" scores can be exported'
        )
    contents = contents_of(rim, weights_sha256=weights.sha256(model))
    data = _graph(rim, contents)
    difference = largest_difference(rim, OnnxRIM(data, where=str(path)))
    if not difference <= TOLERANCE:
        raise ValueError(
            f"the graph differs from torch by {difference:.1e}, more than {TOLERANCE:.0e}: "
            f"{path} was not written"
        )
    with atomic.replacing(path) as file:
        file.write(data)
    return Exported(size=len(data), difference=difference)


@torch.no_grad()
def largest_difference(model: RIM, other: RIM) -> float:
    """Largest difference of another implementation from a machine, over several sizes and steps.

    It is taken over all outputs of `RIM.update` at every iterate of ``model``, and over the
    estimates that ``other`` reaches with its own iterate and state. Scores are those at the
    iterates of ``model``, for a noisy ramp. The model computes in double precision, so that torch's
    rounding errors, which depend on the processor, do not count as errors of ``other``.
    """
    generator = torch.Generator().manual_seed(0)
    problem = Denoising(_SIGMA)
    exact = copy.deepcopy(model).double()
    differences: list[Tensor] = []
    for n, height, width in _SIZES:
        slope = (torch.arange(height)[:, None] / height + torch.arange(width) / width) / 2
        clean = slope.expand(n, model.config.network.channels, height, width)
        y = problem.simulate(clean, generator=generator)
        walk, own = model.init(y, problem), other.init(y, problem)
        for _ in range(_STEPS):
            score = problem.score(walk.x, y, variance_floor=model.variance_floor)
            theirs, own = other.update(walk, score), other.update(own, score)
            ours = exact.update(_cast(walk, torch.float64), score.double())
            pairs = [*zip(_tensors(ours), _tensors(theirs), strict=True), (ours.x, own.x)]
            differences += [(a - b).abs().max() for a, b in pairs]
            walk = _cast(ours, torch.float32)
    return torch.stack(differences).max().item()  # NaN if any is


def _cast(iterate: Iterate, dtype: torch.dtype) -> Iterate:
    eta, x, *state = (part.to(dtype) for part in _tensors(iterate))
    return Iterate(eta, x, tuple(state))


class _Step(nn.Module):
    """`RIM.update` with plain tensors in and out."""

    def __init__(self, model: RIM) -> None:
        super().__init__()
        self.model = model

    def forward(self, eta: Tensor, score: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        return _tensors(self.model.update(Iterate(eta, self.model.link(eta), state), score))


def _tensors(iterate: Iterate) -> tuple[Tensor, ...]:
    return (iterate.eta, iterate.x, *iterate.state)


def _graph(model: RIM, contents: Contents) -> bytes:
    eta = torch.zeros(2, model.config.network.channels, *_TRACED)
    state = model.init(eta, Denoising(_SIGMA)).state
    n, height, width = (torch.export.Dim(name, min=least) for name, least in _LEAST.items())
    image = {0: n, 2: height, 3: width}
    free = torch.export.Dim.DYNAMIC
    smaller = {0: n, 2: free, 3: free}
    parts = tuple(image if shape.stride == 1 else smaller for shape in contents.states)
    with _quiet():
        program = torch.onnx.export(
            _Step(model).eval(),
            (eta, torch.zeros_like(eta), *state),
            dynamo=True,
            dynamic_shapes=(image, image, *([parts] if parts else [])),
            input_names=contents.inputs,
            output_names=contents.outputs,
            opset_version=_OPSET,
            custom_translation_table={torch.ops.aten.lerp.Tensor: _lerp},
            external_data=False,
            verbose=False,
        )
    assert program is not None  # noqa: S101  # as always with dynamo
    proto: onnx.ModelProto = program.model_proto
    _tidy(proto, contents)
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def _lerp(start: Any, end: Any, weight: Any) -> Any:
    """One of torch's two branches, which agree up to rounding."""
    return opset18.Add(start, opset18.Mul(weight, opset18.Sub(end, start)))


def _tidy(proto: onnx.ModelProto, contents: Contents) -> None:
    """Drop traces, which hold paths of this computer; name the sizes; add the metadata."""
    proto.graph.ClearField("value_info")
    proto.graph.name = "rimkit"
    for part in (*proto.graph.node, *proto.graph.initializer, *_values(proto)):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    strides = [1, 1, *(state.stride for state in contents.states)]
    for values in (proto.graph.input, proto.graph.output):
        for value, stride in zip(values, strides, strict=True):
            sizes = value.type.tensor_type.shape.dim
            for axis, name in ((0, "N"), (2, "H"), (3, "W")):
                small = axis > 0 and stride > 1
                sizes[axis].dim_param = f"ceil({name} / {stride})" if small else name
    proto.doc_string = "One step of a Recurrent Inference Machine, from the score on"
    del proto.metadata_props[:]
    entry = proto.metadata_props.add()
    entry.key, entry.value = KEY, to_text(contents)


def _values(proto: onnx.ModelProto) -> Iterator[onnx.ValueInfoProto]:
    yield from proto.graph.input
    yield from proto.graph.output


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what torch says about its internals while it exports."""
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)  # "torchvision is not installed"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            warnings.filterwarnings("ignore", message="# The axis name: ", category=UserWarning)
            yield
    finally:
        logger.setLevel(level)
