"""A network that is not of the package: trained, saved, loaded and ablated like one that is."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from rimkit import weights
from rimkit.networks import NetworkConfig, State, UpdateNetwork, ablated, base, network_from_table
from rimkit.networks.cells import ConvGRU, conv
from rimkit.rim import RIM, RIMConfig
from rimkit.training.recipe import load_recipe
from rimkit.weights import store


@pytest.fixture
def own() -> Iterator[type[NetworkConfig]]:
    @dataclasses.dataclass(frozen=True)
    class OwnConfig(NetworkConfig):
        table_name: ClassVar[str] = "own"

        features: int = 4
        widths: tuple[int, ...] = (3, 5)
        dropout: float = 0.0
        activation: str = "relu"

        def build(self) -> UpdateNetwork:
            return Own(self)

    class Own(UpdateNetwork):
        def __init__(self, config: OwnConfig) -> None:
            super().__init__(config)
            self.state_channels = config.features
            self.enter = conv(config.images, config.features)
            self.gru = ConvGRU(config.features, config.features)
            self.out = conv(config.features, config.channels)

        def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
            hidden = self.gru(torch.relu(self.enter(self.seen(eta, score))), *state)
            return self.out(hidden), (hidden,)

    yield OwnConfig
    del base._KNOWN["own"]


def test_its_weights_come_back(own: type[NetworkConfig], tmp_path: Path) -> None:
    model = RIM(RIMConfig(network=own(widths=(7,)), steps=2))
    store.save(model, tmp_path / "own.safetensors")
    again = weights.load(tmp_path / "own.safetensors")
    assert again.config == model.config
    for name, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_a_recipe_may_name_it(own: type[NetworkConfig]) -> None:
    recipe = load_recipe(
        "denoise-gray", overrides=["model.network.name=own", "model.network.features=6"]
    )
    assert recipe.model.network == own(features=6)


def test_it_can_do_without_its_estimate(own: type[NetworkConfig]) -> None:
    whole, blind = own(), ablated(own(), "gdn")
    eta, score = torch.rand(2, 1, 1, 8, 8)
    for config, channels in ((whole, 2), (blind, 1)):
        network = config.build()
        assert network.enter.in_channels == channels
        assert network(eta, score, network.init_state(eta))[0].shape == eta.shape


def test_two_networks_cannot_have_one_name(own: type[NetworkConfig]) -> None:
    with pytest.raises(ValueError, match="named 'own' already exists"):

        class Other(NetworkConfig):
            table_name: ClassVar[str] = "own"


def test_a_network_that_would_not_come_back_is_not_saved(tmp_path: Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Nameless(NetworkConfig):
        def build(self) -> UpdateNetwork:
            return network_from_table({"name": "compact"}).build()

    with pytest.raises(ValueError, match="a table with a name"):
        store.save(RIM(RIMConfig(network=Nameless())), tmp_path / "no.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"widths": 3}, "must be a list"),
        ({"activation": 1}, "must be of type str"),
        ({"dropout": -0.1}, "must be non-negative"),
        ({"features": 0}, "must be at least 1"),
    ],
)
def test_its_settings_are_checked(
    own: type[NetworkConfig], settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        own(**settings)
