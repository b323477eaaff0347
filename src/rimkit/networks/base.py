"""Base classes of update networks h_phi (equations 11 and 12)."""

from __future__ import annotations

import abc
import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rimkit import settings

State = tuple[Tensor, ...]

_KNOWN: dict[str, type[NetworkConfig]] = {}


@dataclasses.dataclass(frozen=True)
class NetworkConfig(abc.ABC):
    """Base class of the settings of an update network, all of them saved with the weights.

    A class that defines ``table_name`` is registered under it, for `rimkit.load` and recipes.
    Integer settings are at least 1, floats at least 0.

    Attributes
    ----------
    table_name
        The network's name in recipes and in saved weights.
    width
        Name of the setting that makes it wider.
    channels
        Channels of x.
    sees_estimate
        Whether eta is an input; False is the paper's gradient-descent network (Section 4.4).
    recurrent
        Whether there is a state; False is the paper's feed-forward network, a ReLU layer in place
        of the gated one.
    """

    table_name: ClassVar[str]
    width: ClassVar[str] = "features"

    channels: int = 1
    sees_estimate: bool = dataclasses.field(default=True, kw_only=True)
    recurrent: bool = dataclasses.field(default=True, kw_only=True)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "table_name" in cls.__dict__:
            settings.make_known(cls, _KNOWN, kind="network")

    def __post_init__(self) -> None:
        settings.check_types(self, where="network")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                least, wanted = (1, "at least 1") if isinstance(value, int) else (0, "non-negative")
                if not least <= value < math.inf:
                    raise ValueError(
                        f"network.{field.name} must be {wanted} and finite, got {value}"
                    )

    @property
    def images(self) -> int:
        """Number of input channels: those of the score and, if it is seen, of eta."""
        return self.channels * (2 if self.sees_estimate else 1)

    @abc.abstractmethod
    def build(self) -> UpdateNetwork:
        """Return the network with fresh weights."""


class UpdateNetwork(nn.Module, abc.ABC):
    """Base class of all update networks: from iterate, score and state to delta and state.

    ``stride``: input heights and widths are multiples of it; `rimkit.RIM` pads and crops.
    ``state_channels``: channels of the state; 0 if there is none.

    Parameters
    ----------
    config
        Its settings.
    """

    stride: int = 1
    state_channels: int = 0
    out: nn.Module
    """The last layer; optimisers treat it separately from the hidden ones."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.sees_estimate, self.recurrent = config.sees_estimate, config.recurrent

    def seen(self, eta: Tensor, score: Tensor) -> Tensor:
        """Concatenate the inputs of the network: (N, ``config.images``, H, W)."""
        return torch.cat([eta, score], 1) if self.sees_estimate else score

    def init_state(self, eta: Tensor) -> State:
        """Return the state before the first step, for eta (N, C, H, W).

        One tensor of zeros (N, state_channels, H / stride, W / stride), channels last; an empty
        tuple if the network is not recurrent.
        """
        if not (self.recurrent and self.state_channels):
            return ()
        n, _, h, w = eta.shape
        shape = (n, self.state_channels, h // self.stride, w // self.stride)
        state = torch.zeros(shape, dtype=eta.dtype, device=eta.device)
        return (state.to(memory_format=torch.channels_last),)

    @abc.abstractmethod
    def forward(self, eta: Tensor, score: Tensor, state: State) -> tuple[Tensor, State]:
        """Return delta (N, C, H, W) and the next state.

        ``score`` (N, C, H, W) is the gradient of the log-likelihood in eta, scaled.
        """


def network_from_table(table: Mapping[str, Any]) -> NetworkConfig:
    """Build a network's settings from a table that gives its ``name``.

    Raises
    ------
    ValueError
        If the name or a key is unknown; the module of a user-defined network must be imported.
    """
    if not isinstance(table, Mapping) or "name" not in table:
        raise ValueError(
            f"a network must be a table with a name ({', '.join(_KNOWN)}), got {table!r}"
        )
    name = table["name"]
    if not isinstance(name, str) or name not in _KNOWN:
        unknown = settings.unknown_key(str(name), _KNOWN, where="network")
        raise ValueError(f"{unknown} (for a network of your own, import its module: --import)")
    return settings.from_table(_KNOWN[name], table, where=f"network.{name}")
