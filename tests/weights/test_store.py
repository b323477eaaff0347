import copy
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tests.cases import uniform

import rimkit
from rimkit import weights
from rimkit.networks import CompactConfig, PaperConfig
from rimkit.problem import Denoising
from rimkit.rim import RIM, RIMConfig
from rimkit.weights import models, store


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    store.save(
        RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), link="sigmoid", steps=3)), path
    )
    return path


def rewrite(path: Path, change) -> None:
    state, metadata = safetensors.torch.load_file(path), store.read_metadata(path)
    change(state, metadata)
    path.write_bytes(safetensors.torch.save(state, metadata={"rimkit": json.dumps(metadata)}))


def test_a_model_comes_back_with_its_configuration(tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = RIM(RIMConfig(network=PaperConfig(features=4, hidden=6), link="softplus", steps=2))
    model.network.down_norm.running_mean.fill_(0.3)  # type: ignore[union-attr,operator]
    store.save(model, tmp_path / "a.safetensors", training={"seconds": 5})
    back = weights.load(tmp_path / "a.safetensors")
    assert back.config == model.config
    y = uniform(1, 1, 9, 10).float()
    assert torch.equal(back(y, Denoising(0.1)), model.eval()(y, Denoising(0.1)))
    assert back.training_record == {"seconds": 5}


def test_kernels_are_loaded_with_channels_last() -> None:
    kernel = weights.load("denoise-gray").network.enter.weight
    assert kernel.is_contiguous(memory_format=torch.channels_last)


def test_loading_leaves_the_random_numbers_alone(saved: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    weights.load(saved)
    assert torch.equal(torch.rand(1), expected)


def test_a_key_left_out_takes_its_default(saved: Path) -> None:
    for key in ("score_scale", "variance_floor_trained"):
        rewrite(saved, lambda state, metadata, key=key: metadata["config"].pop(key))
    model = weights.load(saved)
    assert model.config.score_scale == RIMConfig().score_scale
    assert model.phi_epsilon is not None


@pytest.mark.parametrize("floor", [0.0, 1e-3])
def test_a_fixed_floor_comes_back_without_a_weight(tmp_path: Path, floor: float) -> None:
    network = CompactConfig(features=8, blocks=1)
    config = RIMConfig(network=network, variance_floor=floor, variance_floor_trained=False)
    path = tmp_path / "fixed.safetensors"
    store.save(RIM(config), path)
    assert "phi_epsilon" not in safetensors.torch.load_file(path)
    model = weights.load(path)
    assert model.config == config
    assert model.variance_floor.item() == pytest.approx(floor)
    phi = {"phi_epsilon": torch.tensor(-9.0)}
    rewrite(path, lambda state, metadata: state.update(phi))
    with pytest.raises(ValueError, match=r"unexpected \['phi_epsilon'\]"):
        weights.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, m: s.pop("network.out.weight"), r"missing \['network.out.weight'\]"),
        (lambda s, m: s.update(extra=torch.ones(1)), r"unexpected \['extra'\]"),
        (lambda s, m: s.update({"network.out.bias": torch.ones(3)}), "has shape"),
        (lambda s, m: m.update(format=2), "newer rimkit"),
        (lambda s, m: m["config"].update(staps=2), 'did you mean "steps"'),
        (lambda s, m: m["config"]["network"].update(name="other"), 'no "other"'),
        (lambda s, m: m["config"]["network"].update(features=-1), "features must be at least 1"),
        (lambda s, m: m.pop("config"), "holds no configuration"),
        (lambda s, m: m.update(config=[1]), "holds no configuration"),
    ],
    ids=[
        "missing",
        "extra",
        "shape",
        "format",
        "setting",
        "network",
        "negative",
        "no-config",
        "list",
    ],
)
def test_weights_that_do_not_fit(saved: Path, change, message: str) -> None:
    rewrite(saved, change)
    with pytest.raises(ValueError, match=message):
        weights.load(saved)


def test_files_that_are_no_weights(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(ValueError, match="there are no weights"):
        weights.load(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(ValueError, match="not a safetensors file"):
        weights.load(tmp_path / "text.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(saved.read_bytes()[:-40])
    with pytest.raises(ValueError, match="not a safetensors file"):
        weights.load(tmp_path / "cut.safetensors")
    safetensors.torch.save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="not written by rimkit"):
        weights.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("name", ["foo", "foo.pt"])
def test_what_load_would_not_find_is_not_saved(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        store.save(rimkit.RIM(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_wrong_checksum_is_refused(saved: Path) -> None:
    with pytest.raises(ValueError, match="wrong checksum"):
        store.read(saved, sha256="0" * 64)


def test_a_model_of_the_package_is_held_to_the_checksum_of_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, file = tmp_path / "denoise-gray.toml", models.path_of("denoise-gray")
    shutil.copy(file, tmp_path)
    text = file.with_suffix(".toml").read_text()
    card.write_text(text.replace(weights.card("denoise-gray").sha256, "0" * 64))
    monkeypatch.setattr(models, "_folder", lambda: tmp_path)
    with pytest.raises(ValueError, match="wrong checksum"):
        weights.load("denoise-gray")


def test_a_failing_save_leaves_what_was_there(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        store.save(RIM(), saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_unknown_names_are_corrected() -> None:
    with pytest.raises(ValueError, match='no "denoise-grey"'):
        weights.load("denoise-grey")


def test_what_a_model_was_trained_for_is_saved_again(saved: Path, tmp_path: Path) -> None:
    model = weights.load(saved)
    model.training_record = {"task": {"name": "super-resolution"}}
    store.save(model, tmp_path / "again.safetensors")
    assert weights.load(tmp_path / "again.safetensors").training_record == model.training_record


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ([1, 2], " must be a table"),
        ({"task": "denoising"}, " must be a table"),
        ({"seconds": "long"}, r'\["seconds"\] must be a number, got .long'),
        ({"start": [{"seconds": 5}]}, r'\["start"\] must be a table, got \['),
        ({"precision": 16}, r'\["precision"\] must be a string, got 16'),
    ],
)
def test_a_training_that_says_nothing_sensible(saved: Path, training: object, message: str) -> None:
    rewrite(saved, lambda _, metadata: metadata.update(training=training))
    with pytest.raises(ValueError, match=f"training{message}"):
        weights.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda value: value.long(), r"must be torch\.float32, got torch\.int64"),
        (lambda value: value * torch.nan, "NaN or infinite"),
    ],
)
def test_weights_are_finite_numbers(saved: Path, change, message: str) -> None:
    name = next(iter(safetensors.torch.load_file(saved)))
    rewrite(saved, lambda state, _: state.update({name: change(state[name])}))
    with pytest.raises(ValueError, match=message):
        weights.load(saved)


def test_weights_keep_their_precision(saved: Path, tmp_path: Path) -> None:
    model = store.read(saved).double()
    store.save(model, tmp_path / "double.safetensors")
    again = store.read(tmp_path / "double.safetensors")
    assert {p.dtype for p in again.parameters()} == {torch.float64}


def test_no_random_number_is_drawn(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not even to give it back: another thread would draw the same one in between.
    def drawn(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(torch, "get_rng_state", drawn)
    monkeypatch.setattr(torch, "set_rng_state", drawn)
    state = torch.default_generator.get_state()
    store.read(saved)
    assert torch.equal(torch.default_generator.get_state(), state)


def test_a_compiled_model_is_saved_as_it_was_before(tmp_path: Path) -> None:
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1), steps=1)).eval()
    rimkit.save(torch.compile(model, backend="eager"), str(tmp_path / "a.safetensors"))
    inner = copy.deepcopy(model)
    inner.network = torch.compile(inner.network, backend="eager")
    rimkit.save(inner, tmp_path / "b.safetensors")
    for name in ("a", "b"):
        back = rimkit.load(str(tmp_path / f"{name}.safetensors"))
        assert back.state_dict().keys() == model.state_dict().keys()
        assert torch.equal(back.network.out.weight, model.network.out.weight)  # type: ignore[union-attr]


def test_weights_that_would_not_come_back_are_not_written(tmp_path: Path) -> None:
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1)))
    model.network.extra = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"network\.extra\.bias, network\.extra\.weight"):
        rimkit.save(model, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "training", [{"task": "demosaic"}, {"task": {"name": 3}}, [], {"task": {"mask": torch.ones(2)}}]
)
def test_what_could_not_be_read_is_not_written(tmp_path: Path, training: Any) -> None:
    model = RIM(RIMConfig(network=CompactConfig(features=8, blocks=1)))
    path = tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match=r"training (must be|cannot be stored as)"):
        store.save(model, path, training=training)
    assert not path.exists()
    store.save(model, path, training={"task": {"name": "demosaic", "levels": [0, 255]}})
    assert weights.load(path).training_record["task"]["name"] == "demosaic"
