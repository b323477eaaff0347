"""Update networks h_phi, one file each. A new one is a file here and a line in `NETWORKS`."""

from collections.abc import Mapping
from typing import Any

from rimkit import settings
from rimkit.networks.ablations import Ablation, ablated
from rimkit.networks.atrous import AtrousConfig, AtrousNetwork
from rimkit.networks.base import NetworkConfig, State, UpdateNetwork
from rimkit.networks.compact import CompactConfig, CompactNetwork
from rimkit.networks.paper import PaperConfig, PaperNetwork

NETWORKS: dict[str, type[NetworkConfig]] = {
    config.table_name: config for config in (AtrousConfig, CompactConfig, PaperConfig)
}


def network_from_table(table: Mapping[str, Any]) -> NetworkConfig:
    """Build a network's settings from a table that says its ``name``.

    Raises
    ------
    ValueError
        If the name or a key is unknown.
    """
    if not isinstance(table, Mapping) or "name" not in table:
        raise ValueError(f"a network is a table with a name ({', '.join(NETWORKS)}), got {table!r}")
    name = table["name"]
    if name not in NETWORKS:
        raise ValueError(settings.unknown_key(str(name), NETWORKS, where="network"))
    values = {key: value for key, value in table.items() if key != "name"}
    return settings.from_table(NETWORKS[name], values, where=f"network.{name}")


__all__ = [
    "NETWORKS",
    "Ablation",
    "AtrousConfig",
    "AtrousNetwork",
    "CompactConfig",
    "CompactNetwork",
    "NetworkConfig",
    "PaperConfig",
    "PaperNetwork",
    "State",
    "UpdateNetwork",
    "ablated",
    "network_from_table",
]
