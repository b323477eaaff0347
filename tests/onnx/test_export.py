"""What is exported is what torch computes, for every network, link and size."""

import importlib
import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tests.cases import LINK_CASES, NETWORK_CASES, normal, uniform
from tests.onnx.conftest import saved, small

from rimkit import weights
from rimkit.networks import Ablation, CompactConfig, ablated
from rimkit.onnx.export import TOLERANCE, export, largest_difference
from rimkit.onnx.runtime import load
from rimkit.problem import Denoising
from rimkit.rim import RIM, RIMConfig
from rimkit.solver import Iterate

pytestmark = pytest.mark.usefixtures("one_thread")

module = importlib.import_module("rimkit.onnx.export")

SIZES = [(3, 8, 11), (1, 17, 10), (1, 25, 33)]  # none of them the exporter's own

PLAIN = {
    *("Add", "Concat", "Conv", "ConvTranspose", "DepthToSpace", "Div", "Greater", "Identity"),
    *("Mul", "Pad", "Relu", "Reshape", "Shape", "Sigmoid", "Slice", "Softplus", "Split", "Squeeze"),
    *("Sub", "Tanh", "Transpose", "Where"),
}


@pytest.mark.parametrize("link", LINK_CASES)
@pytest.mark.parametrize("network", NETWORK_CASES)
def test_onnxruntime_computes_what_torch_does(network: str, link: str, tmp_path: Path) -> None:
    config = RIMConfig(network=small(network), link=link, score_scale=0.3)
    path = saved(config, tmp_path / "a.safetensors")
    done = export(path, tmp_path / "a.onnx")
    assert 0 < done.difference <= TOLERANCE
    model = weights.load(path)
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    names = [value.name for value in session.get_inputs()]
    assert names[:2] == ["eta", "score"]
    for n, height, width in SIZES:
        eta, score = (normal(n, 2, height, width, seed=seed).float() for seed in (0, 1))
        state = model.network.init_state(model._pad(eta))
        walk = Iterate(eta, model.link(eta), tuple(torch.rand(part.shape) for part in state))
        feed = [walk.eta, score, *walk.state]
        for _ in range(3):
            before, walk = walk, model.update(walk, score)
            arrays = {name: value.numpy() for name, value in zip(names, feed, strict=True)}
            found = session.run(None, arrays)
            for ours, theirs in zip((walk.eta, walk.x, *walk.state), found, strict=True):
                np.testing.assert_allclose(theirs, ours.numpy(), rtol=0, atol=TOLERANCE)
            assert (walk.eta - before.eta).abs().max() > 1e-3
            feed = [torch.from_numpy(found[0]), score, *map(torch.from_numpy, found[2:])]
    graph = onnx.load(tmp_path / "a.onnx").graph
    assert {node.op_type for node in graph.node} <= PLAIN


@pytest.mark.parametrize("part", ["gdn", "ffn"])
def test_networks_without_a_part_are_exported_too(part: Ablation, tmp_path: Path) -> None:
    network = ablated(small("compact"), part)
    path = saved(RIMConfig(network=network, score_scale=0.3), tmp_path / "a.safetensors")
    assert 0 < export(path, tmp_path / "a.onnx").difference <= TOLERANCE


@pytest.mark.parametrize("floor", [0.0, 1e-3])
def test_a_floor_that_is_not_trained_stands_in_the_file(floor: float, tmp_path: Path) -> None:
    config = RIMConfig(network=small("compact"), variance_floor=floor, variance_floor_trained=False)
    path = saved(config, tmp_path / "a.safetensors")
    assert export(path, tmp_path / "a.onnx").difference <= TOLERANCE
    model, graph = weights.load(path), load(tmp_path / "a.onnx")
    assert torch.equal(graph.variance_floor, model.variance_floor)
    y, problem = uniform(1, 2, 9, 10).float(), Denoising(0.01)
    torch.testing.assert_close(graph(y, problem), model(y, problem), rtol=0, atol=1e-4)
    if not floor:
        with pytest.raises(ValueError, match="with a positive variance floor"):
            graph(y, Denoising(0.0))


def test_the_file_is_for_old_runtimes_and_says_its_sizes(onnx_file: Path) -> None:
    proto = onnx.load(onnx_file)
    onnx.checker.check_model(proto, full_check=True)
    assert [(entry.domain, entry.version) for entry in proto.opset_import] == [("", 18)]
    assert proto.ir_version <= 10

    def sizes(value: onnx.ValueInfoProto) -> list[str | int]:
        return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]

    image = ["N", 1, "H", "W"]
    state = ["N", 8, "ceil(H / 2)", "ceil(W / 2)"]
    assert {value.name: sizes(value) for value in proto.graph.input} == {
        "eta": image,
        "score": image,
        "state_0": state,
    }
    assert {value.name: sizes(value) for value in proto.graph.output} == {
        "eta_next": image,
        "x_next": image,
        "state_0_next": state,
    }


def test_one_model_gives_one_file_and_it_tells_nothing_of_this_machine(
    weights_file: Path, onnx_file: Path, tmp_path: Path
) -> None:
    export(weights_file, tmp_path / "again.onnx")
    data = onnx_file.read_bytes()
    assert (tmp_path / "again.onnx").read_bytes() == data
    for word in (rb"/\w+/\w+", rb"site-packages", rb"\.py\b", rb"stack_trace"):
        assert not re.search(word, data), word


def test_a_graph_that_differs_is_not_written(
    weights_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lerp = module._lerp
    monkeypatch.setattr(module, "_lerp", lambda start, end, weight: lerp(end, start, weight))
    (tmp_path / "a.onnx").write_bytes(b"earlier")
    with pytest.raises(ValueError, match=r"differs from torch by .* was not written"):
        export(weights_file, tmp_path / "a.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]


def test_a_difference_is_found_wherever_it_is(weights_file: Path) -> None:
    model = weights.load(weights_file)

    class Other(RIM):
        where = ""
        what = 0.0

        def update(self, iterate: Iterate, score: torch.Tensor) -> Iterate:
            after = model.update(iterate, score)
            parts = {"eta": after.eta, "x": after.x, "state": after.state[0]}
            if self.where:
                parts[self.where] = parts[self.where].clone()
                parts[self.where][..., -1, -1] += self.what
            return Iterate(parts["eta"], parts["x"], (parts["state"],))

    other = Other(model.config).eval()
    assert 0 < largest_difference(model, other) < 1e-6  # float32 itself
    for other.where in ("eta", "x", "state"):
        other.what = 1e-3
        assert 0.9e-3 < largest_difference(model, other) < 1e-2
        other.what = float("nan")
        assert not largest_difference(model, other) <= TOLERANCE


def test_what_cannot_be_exported_is_said(tmp_path: Path, weights_file: Path) -> None:
    config = RIMConfig(network=CompactConfig(features=4, blocks=1), score_scaling="whitened")
    path = saved(config, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match='only models with "raw" scores'):
        export(path, tmp_path / "w.onnx")
    with pytest.raises(ValueError, match=r"ends in \.onnx"):
        export(weights_file, tmp_path / "w.bin")
    with pytest.raises(ValueError, match='no "denoise-grey"'):
        export("denoise-grey", tmp_path / "w.onnx")
    assert [item.name for item in tmp_path.iterdir()] == ["w.safetensors"]


def test_the_shipped_model(exported: Path) -> None:
    digest = weights.card("denoise-gray").sha256
    (path,) = (exported / "onnx").glob(f"{digest}-*.onnx")
    model = load(path)
    assert model.contents.weights_sha256 == digest
    assert path.stat().st_size < 1_800_000
    image = uniform(1, 1, 20, 31).float()
    start = Iterate(image, image, (torch.zeros(1, 64, 10, 16),))
    ours = weights.load("denoise-gray").update(start, 3 * image)
    theirs = model.update(start, 3 * image)
    torch.testing.assert_close(theirs.x, ours.x, rtol=0, atol=TOLERANCE)
