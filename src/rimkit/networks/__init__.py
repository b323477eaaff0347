"""Update networks h_phi, one file each. A new one is a file here and a line in `NETWORKS`."""

from rimkit.networks.ablations import Ablation, ablated
from rimkit.networks.atrous import AtrousConfig, AtrousNetwork
from rimkit.networks.base import NetworkConfig, State, UpdateNetwork, network_from_table
from rimkit.networks.compact import CompactConfig, CompactNetwork
from rimkit.networks.paper import PaperConfig, PaperNetwork

NETWORKS: dict[str, type[NetworkConfig]] = {
    config.table_name: config for config in (AtrousConfig, CompactConfig, PaperConfig)
}
"""Networks of the package, by name."""

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
