"""What a file says of itself comes back, and nothing else is taken for it."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from rimkit import settings, weights
from rimkit.onnx.contents import FORMAT, KEY, contents_of, from_metadata, state_shapes, to_text
from rimkit.onnx.runtime import load
from rimkit.weights import store


def table_of(onnx_file: Path) -> dict[str, Any]:
    (entry,) = onnx.load(onnx_file).metadata_props
    assert entry.key == KEY
    table: dict[str, Any] = json.loads(entry.value)
    return table


def test_all_that_is_needed_stands_in_the_file(weights_file: Path, onnx_file: Path) -> None:
    model = weights.load(weights_file)
    assert table_of(onnx_file) == {
        "format": FORMAT,
        "rimkit": "0.1.0",
        "config": settings.to_table(model.config),
        "steps": 3,
        "variance_floor": model.variance_floor.item(),
        "states": [{"channels": 8, "stride": 2}],
        "weights_sha256": weights.sha256(weights_file),
        "training": store.read_metadata(weights_file)["training"],
    }
    assert model.variance_floor.item() != pytest.approx(model.config.variance_floor, rel=0.1)


def test_it_comes_back(weights_file: Path, onnx_file: Path) -> None:
    model = weights.load(weights_file)
    contents = contents_of(model, weights_sha256=weights.sha256(weights_file))
    assert from_metadata({KEY: to_text(contents)}, where="it") == contents
    graph = load(onnx_file)
    assert graph.contents == contents
    assert graph.config == model.config
    assert graph.steps == model.steps
    assert graph.training_record == model.training_record == contents.training
    assert torch.equal(graph.variance_floor, model.variance_floor)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update(format=2, rimkit="7.1"), "install rimkit 7.1 or newer"),
        (lambda t: t.pop("format"), "holds no configuration"),
        (lambda t: t.update(shoe_size=44), r"unknown \['shoe_size'\]"),
        (lambda t: t.pop("training"), r"missing or of the wrong type \['training'\]"),
        (lambda t: t.update(variance_floor="0.1"), r"the wrong type \['variance_floor'\]"),
        (lambda t: t.update(variance_floor=-1.0), "variance_floor must be positive"),
        (lambda t: t.update(variance_floor=0.0), "variance_floor must be positive"),
        (lambda t: t["config"].update(staps=2), 'did you mean "steps"'),
        (lambda t: t["config"]["network"].update(name="other"), 'no "other"'),
        (lambda t: t.update(steps=9), "says both 9 steps and 3 steps"),
        (lambda t: t.update(states=[]), "the states are not those of its configuration"),
        (lambda t: t["states"][0].update(channels=9), "the states are not those"),
        (lambda t: t["states"][0].update(width=9), 'no "width"'),
        (lambda t: t["config"]["network"].update(channels=3), "the graph's inputs are not those"),
        (lambda t: t["config"]["network"].update(features=10**9), "cannot be built"),
    ],
    ids=[
        *(
            "newer",
            "no-format",
            "unknown",
            "missing",
            "text",
            "negative",
            "zero",
            "setting",
            "network",
        ),
        *("steps", "no-states", "channels", "state-key", "graph", "huge"),
    ],
)
def test_what_does_not_fit_is_said(
    onnx_file: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    proto = onnx.load(onnx_file)
    table = table_of(onnx_file)
    change(table)
    proto.metadata_props[0].value = json.dumps(table)
    onnx.save(proto, tmp_path / "changed.onnx")
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path / "changed.onnx")
    assert "changed.onnx" in str(caught.value)


def test_files_that_are_not_ours_are_refused_in_one_line(onnx_file: Path, tmp_path: Path) -> None:
    whole = onnx_file.read_bytes()
    foreign, renamed, garbled, scalar = (onnx.load(onnx_file) for _ in range(4))
    del foreign.metadata_props[:]
    garbled.metadata_props[0].value = "{"
    for node in renamed.graph.node:
        for number, name in enumerate(node.input):
            node.input[number] = "iterate" if name == "eta" else name
    renamed.graph.input[0].name = "iterate"
    scalar.graph.input.append(onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, []))
    for name, content, message in (
        ("text", b"hello", "not an ONNX file, or not a complete one"),
        ("empty", b"", "not an ONNX file, or not a complete one"),
        ("half", whole[: len(whole) // 2], "not an ONNX file, or not a complete one"),
        ("cut", whole[:-40], "not an ONNX file, or not a complete one"),
        ("foreign", foreign.SerializeToString(), "not written by rimkit"),
        ("garbled", garbled.SerializeToString(), "not JSON"),
        ("renamed", renamed.SerializeToString(), "the graph's inputs are not those"),
        ("scalar", scalar.SerializeToString(), "the graph's inputs are not those"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            load(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="there is no model at"):
        load(tmp_path / "missing")


def test_a_state_of_another_kind_cannot_be_described(weights_file: Path) -> None:
    model = weights.load(weights_file)
    shapes = state_shapes(model)
    assert [dataclasses.astuple(shape) for shape in shapes] == [(8, 2)]
    model.network.init_state = lambda eta: (eta.new_zeros(len(eta), 8),)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="only states"):
        state_shapes(model)
