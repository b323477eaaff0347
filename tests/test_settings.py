import dataclasses
import json
from collections.abc import Sequence
from typing import Literal

import pytest

from rimkit import settings
from rimkit.networks import NETWORKS
from rimkit.rim import RIM, RIMConfig
from rimkit.training.recipe import Recipe


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = 1.0
    span: tuple[float, float] = (0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Outer:
    inner: Inner = dataclasses.field(default_factory=Inner)
    kind: Literal["a", "b"] = "a"
    count: int = 3
    scores: dict[str, float] = dataclasses.field(default_factory=dict)


def test_defaults_stay_and_tables_nest() -> None:
    built = settings.from_table(Outer, {"inner": {"rate": 2}, "count": 4, "scores": {"a": 1}})
    assert built == Outer(inner=Inner(rate=2.0), count=4, scores={"a": 1.0})
    assert isinstance(built.inner.rate, float)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"cuont": 4}, 'did you mean "count"'),
        ({"inner": {"rte": 4}}, r'settings.inner has no "rte"; did you mean "rate"'),
        ({"zzz": 4}, "known: count, inner, kind, scores"),
        ({"count": "4"}, "settings.count must be of type int"),
        ({"count": True}, "settings.count must be of type int"),
        ({"count": 4.5}, "settings.count must be of type int"),
        ({"kind": "c"}, "one of 'a', 'b'"),
        ({"inner": 4}, "settings.inner must be a table"),
        ({"scores": 4}, "settings.scores must be a table"),
        ({"scores": {"a": "b"}}, "settings.scores.a must be of type float"),
        ({"inner": {"span": [1.0]}}, "list of 2"),
    ],
    ids=str,
)
def test_mistakes_are_named(table: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings.from_table(Outer, table)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_configuration_survives_the_round_trip_whole(network: str) -> None:
    config = RIMConfig(network=NETWORKS[network](channels=3), link="sigmoid", steps=7)
    table = settings.to_table(config)
    assert table["network"]["name"] == network
    fields = {field.name for field in dataclasses.fields(config)}
    assert fields == table.keys()
    assert settings.from_table(RIMConfig, table) == config


def test_a_recipe_survives_the_round_trip() -> None:
    recipe = Recipe(seed=5)
    table = settings.to_table(recipe)
    assert settings.from_table(Recipe, table) == recipe


@dataclasses.dataclass(frozen=True)
class Own:
    most: float | None = None
    names: list[str] = dataclasses.field(default_factory=list)
    what: Sequence[int] = ()

    def __post_init__(self) -> None:
        if not self.what:
            settings.check_types(Named(self.most, self.names), where="own")


@dataclasses.dataclass(frozen=True)
class Named:
    most: float | None
    names: list[str]


def test_settings_may_be_lists_and_may_be_none() -> None:
    assert settings.from_table(Own, {"most": 1, "names": ["a"]}) == Own(1.0, ["a"])
    assert settings.from_table(Own, {"most": None}).most is None
    with pytest.raises(ValueError, match=r"own\.most must be of type float or NoneType, got 'x'"):
        settings.from_table(Own, {"most": "x"}, where="own")
    with pytest.raises(ValueError, match=r"own\.names\[1\] must be of type str, got 2"):
        settings.from_table(Own, {"names": ["a", 2]}, where="own")
    with pytest.raises(
        ValueError, match=r"own\.what has the unsupported type .*Sequence\[int\]: sett"
    ):
        settings.from_table(Own, {"what": [1]}, where="own")


@dataclasses.dataclass(frozen=True)
class Parts:
    all_of: tuple[Inner, ...] = ()
    maybe: Inner | None = None

    def __post_init__(self) -> None:
        settings.check_types(self, where="parts")


def test_dataclasses_may_stand_in_tuples_and_may_be_none() -> None:
    parts = Parts((Inner(2.0), Inner(3.0)), Inner(4.0))
    table = json.loads(json.dumps(settings.to_table(parts)))
    assert table["maybe"] == {"rate": 4.0, "span": [0.0, 1.0]}
    assert settings.from_table(Parts, table) == parts


def test_unknown_networks_are_named() -> None:
    for name in (["compact"], 3):
        with pytest.raises(ValueError, match="network has no"):
            settings.from_table(RIMConfig, {"network": {"name": name}})
    with pytest.raises(ValueError, match='did you mean "compact"'):
        settings.from_table(RIMConfig, {"network": {"name": "compct"}})
    with pytest.raises(ValueError, match="name"):
        settings.from_table(RIMConfig, {"network": {"channels": 1}})


def test_defaults_of_the_class_are_the_defaults_of_the_configuration() -> None:
    assert RIM().config == RIMConfig()
