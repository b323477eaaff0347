"""Another number of steps, and nothing else."""

import importlib.util
from pathlib import Path

import pytest
import torch

from rimkit import weights
from rimkit.networks import CompactConfig
from rimkit.rim import RIM, RIMConfig
from rimkit.weights import store

FILE = Path(__file__).parents[2] / "tools" / "set_steps.py"


def test_steps_are_all_that_changes(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("set_steps", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    trained, written = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    model = RIM(RIMConfig(CompactConfig(features=8, blocks=1), steps=2))
    store.save(model, trained, training={"updates": 7})
    module.set_steps(trained, 4, written)
    before, after = weights.load(trained), weights.load(written)
    assert (before.steps, after.steps) == (2, 4)
    assert after.training_record == before.training_record
    for name, value in before.state_dict().items():
        assert torch.equal(value, after.state_dict()[name])
    with pytest.raises(ValueError, match="is there already"):
        module.set_steps(trained, 4, written)
