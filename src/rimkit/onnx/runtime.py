"""A machine whose steps are run by onnxruntime on the CPU."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import torch
from torch import Tensor

from rimkit.footprint import bytes_per_pixel
from rimkit.onnx.contents import Contents, from_metadata, state_shapes
from rimkit.rim import RIM
from rimkit.solver import Iterate

_MORE_THAN_TORCH = 1.15  # memory of a step over that in torch, on all three networks

_FATAL = 4


class OnnxRIM(RIM):
    """A `RIM` whose `update` is an ONNX graph: usable wherever a RIM is, except for training.

    The score is computed by torch. Every step uses as many threads as torch has. Computes in
    float32.

    Parameters
    ----------
    graph
        The bytes of an ONNX file that `rimkit.onnx.export.export` wrote.
    where
        What error messages call it.

    Raises
    ------
    ValueError
        If the file is not valid.
    """

    def __init__(self, graph: bytes, *, where: str) -> None:
        session = _open(graph, where)
        contents = from_metadata(session.get_modelmeta().custom_metadata_map, where=where)
        try:
            with torch.device("meta"):  # no weights: those are in the graph
                super().__init__(contents.config)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{where}: its configuration cannot be built ({reason})") from error
        self.phi_epsilon = torch.nn.Parameter(torch.zeros(()))  # carries dtype and device
        self.training_record = contents.training
        self.contents = contents
        self._floor = torch.tensor(contents.variance_floor)
        if contents.states != state_shapes(self):
            raise ValueError(f"{where}: the states are not those of its configuration")
        _check_graph(session, contents, where)
        self._graph, self._where = graph, where
        self._session, self._threads = session, torch.get_num_threads()
        self.eval().requires_grad_(False)

    @property
    def variance_floor(self) -> Tensor:
        """Epsilon from the file, a scalar."""
        return self._floor

    def update(self, iterate: Iterate, score: Tensor) -> Iterate:
        """See `RIM.update`.

        Raises
        ------
        ValueError
            If gradients or a precision other than float32 are requested.
        """
        if torch.is_autocast_enabled("cpu"):
            raise ValueError("onnxruntime computes in float32 only: leave out the other precision")
        tensors = (iterate.eta, score, *iterate.state)
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            raise ValueError("an ONNX graph has no gradients: train the model it was exported from")
        if self._threads != torch.get_num_threads():
            self._session, self._threads = _open(self._graph, self._where), torch.get_num_threads()
        arrays = (tensor.detach().float().contiguous().numpy() for tensor in tensors)
        feed = dict(zip(self.contents.inputs, arrays, strict=True))
        eta, x, *state = map(torch.from_numpy, self._session.run(self.contents.outputs, feed))
        return Iterate(eta.to(iterate.eta), x.to(iterate.eta), tuple(state))


def load(path: Path) -> OnnxRIM:
    """Open an ONNX file that `rimkit.onnx.export.export` wrote.

    Raises
    ------
    ValueError
        If there is no such file, or it is not valid.
    """
    try:
        graph = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"there is no model at {path}") from None
    return OnnxRIM(graph, where=str(path))


@bytes_per_pixel.register
def _(solver: OnnxRIM, *, channels: int, scale: float = 1.0) -> float:
    """Counted in torch: the memory of onnxruntime is not seen, but it runs the same network."""
    with torch.random.fork_rng(devices=[]):
        twin = RIM(solver.config).eval()
    return _MORE_THAN_TORCH * bytes_per_pixel(twin, channels=channels, scale=scale)


def _open(graph: bytes, where: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Waiting threads do not spin: torch's threads work between the steps.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # With it, a step takes one block, which does not fit where a step of another size has been.
    options.enable_mem_pattern = False
    options.log_severity_level = _FATAL  # errors are raised
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of a dozen classes that share no other base
        text = str(error).rpartition(" : ")[2]
        raise ValueError(f"{where} is not an ONNX file, or not a complete one: {text}") from error


def _check_graph(session: onnxruntime.InferenceSession, contents: Contents, where: str) -> None:
    channels = [contents.config.network.channels] * 2
    channels += [state.channels for state in contents.states]
    for name, found, expected in (
        ("inputs", session.get_inputs(), contents.inputs),
        ("outputs", session.get_outputs(), contents.outputs),
    ):
        seen = [(value.name, value.type, len(value.shape), value.shape[1:2]) for value in found]
        wanted = [
            (value, "tensor(float)", 4, [number])
            for value, number in zip(expected, channels, strict=True)
        ]
        if seen != wanted:
            raise ValueError(f"{where}: the graph's {name} are not those of its configuration")
