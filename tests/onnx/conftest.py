"""Small machines whose every layer does something, and their files."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from tests.cases import NETWORK_CASES
from torch import nn

from rimkit.networks import CompactConfig, NetworkConfig
from rimkit.rim import RIM, RIMConfig
from rimkit.weights import store

if not all(find_spec(name) for name in ("onnx", "onnxruntime", "onnxscript")):
    collect_ignore_glob = ["test_*.py"]  # they need rimkit[onnx]

SMALL: dict[str, Callable[[int], dict[str, int]]] = {
    "compact": lambda width: {"features": 4 * width, "blocks": 1},
    "paper": lambda width: {"features": 3 * width, "hidden": 5 * width},
    "atrous": lambda width: {"features": 3 * width, "hidden": 5 * width},
}


def small(name: str, *, channels: int = 2, width: int = 1) -> NetworkConfig:
    kind = type(NETWORK_CASES[name](channels))
    return kind(channels=channels, **SMALL[name](width))


def saved(config: RIMConfig, path: Path) -> Path:
    """Write a machine with random weights everywhere, also where a fresh one starts at zero."""
    torch.manual_seed(0)
    model = RIM(config)
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.05)
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                assert value is not None
                nn.init.uniform_(value, 0.5, 1.5)
            for value in (module.bias, module.running_mean):
                assert value is not None
                nn.init.normal_(value, std=0.2)
    with torch.no_grad():
        if model.phi_epsilon is not None:
            model.phi_epsilon.sub_(1.0)
    store.save(model, path, training={"task": {"name": "denoising"}, "updates": 7})
    return path


@pytest.fixture(scope="session")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small grey compact machine."""
    folder = tmp_path_factory.mktemp("weights")
    network = CompactConfig(features=8, blocks=1)
    return saved(RIMConfig(network=network, steps=3), folder / "tiny.safetensors")


@pytest.fixture(scope="session")
def onnx_file(weights_file: Path) -> Path:
    """Its ONNX file."""
    from rimkit.onnx.export import export

    path = weights_file.with_suffix(".onnx")
    export(weights_file, path)
    return path
