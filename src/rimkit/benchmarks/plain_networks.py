"""Plain update networks: eager, float32, channels first, one convolution for every gate.

The honest baseline that the networks of the package are timed against, and the oracle that their
outputs and gradients are tested against. Written layer by layer from the paper's Section 4.1, its
footnote 5 and docs/decisions.md; nothing here is shared with the package.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rimkit.networks import UpdateNetwork


class GRU(nn.Module):
    """Cho et al. (2014), every matrix a 3x3 convolution of its own."""

    def __init__(self, inputs: int, hidden: int, *, dilation: int = 1) -> None:
        super().__init__()
        d = dilation
        self.update_x = nn.Conv2d(inputs, hidden, 3, padding=d, dilation=d)
        self.update_h = nn.Conv2d(hidden, hidden, 3, padding=d, dilation=d, bias=False)
        self.reset_x = nn.Conv2d(inputs, hidden, 3, padding=d, dilation=d)
        self.reset_h = nn.Conv2d(hidden, hidden, 3, padding=d, dilation=d, bias=False)
        self.candidate_x = nn.Conv2d(inputs, hidden, 3, padding=d, dilation=d)
        self.candidate_h = nn.Conv2d(hidden, hidden, 3, padding=d, dilation=d, bias=False)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        z = torch.sigmoid(self.update_x(x) + self.update_h(h))
        r = torch.sigmoid(self.reset_x(x) + self.reset_h(h))
        candidate = torch.tanh(self.candidate_x(x) + self.candidate_h(r * h))
        return z * h + (1 - z) * candidate


class Paper(nn.Module):
    """Section 4.1."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.down = nn.Conv2d(2 * channels, 64, 3, stride=2, padding=1)
        self.down_norm = nn.BatchNorm2d(64)
        self.gru = GRU(64, 256)
        self.up = nn.ConvTranspose2d(256, 64, 3, stride=2, padding=1, output_padding=1)
        self.up_norm = nn.BatchNorm2d(64)
        self.out = nn.Conv2d(64, channels, 3, padding=1)

    def init_state(self, eta: Tensor) -> Tensor:
        n, _, h, w = eta.shape
        return eta.new_zeros(n, 256, h // 2, w // 2)

    def forward(self, eta: Tensor, score: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.tanh(self.down_norm(self.down(torch.cat([eta, score], 1))))
        state = self.gru(x, state)
        x = torch.tanh(self.up_norm(self.up(state)))
        return self.out(x), state


class Atrous(nn.Module):
    """Footnote 5, with the widths of `rimkit.networks.AtrousConfig`."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.enter = nn.Conv2d(2 * channels, 64, 3, padding=1)
        self.enter_norm = nn.BatchNorm2d(64)
        self.gru = GRU(64, 100, dilation=2)
        self.leave = nn.Conv2d(100, 64, 3, padding=1)
        self.leave_norm = nn.BatchNorm2d(64)
        self.out = nn.Conv2d(64, channels, 3, padding=1)

    def init_state(self, eta: Tensor) -> Tensor:
        n, _, h, w = eta.shape
        return eta.new_zeros(n, 100, h, w)

    def forward(self, eta: Tensor, score: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.tanh(self.enter_norm(self.enter(torch.cat([eta, score], 1))))
        state = self.gru(x, state)
        x = torch.tanh(self.leave_norm(self.leave(state)))
        return self.out(x), state


class Compact(nn.Module):
    """Residual blocks at half resolution around one gated state that yields direction and size."""

    def __init__(self, channels: int = 1, *, features: int = 64, blocks: int = 5) -> None:
        super().__init__()
        self.features = features
        self.enter_x = nn.Conv2d(8 * channels, features, 3, padding=1)
        self.enter_h = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.first = nn.ModuleList(
            nn.Conv2d(features, features, 3, padding=1) for _ in range(blocks)
        )
        self.second = nn.ModuleList(
            nn.Conv2d(features, features, 3, padding=1) for _ in range(blocks)
        )
        self.update = nn.Conv2d(2 * features, features, 1)
        self.candidate = nn.Conv2d(2 * features, features, 1)
        self.direction = nn.Conv2d(features, 4 * channels, 3, padding=1)
        self.size = nn.Conv2d(features, 4 * channels, 3, padding=1)

    def init_state(self, eta: Tensor) -> Tensor:
        n, _, h, w = eta.shape
        return eta.new_zeros(n, self.features, h // 2, w // 2)

    def forward(self, eta: Tensor, score: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        pixels = torch.cat([F.pixel_unshuffle(eta - 0.5, 2), F.pixel_unshuffle(score, 2)], 1)
        x = self.enter_x(pixels) + self.enter_h(state)
        for first, second in zip(self.first, self.second, strict=True):
            x = x + second(F.relu(first(x)))
        both = torch.cat([x, state], 1)
        z = torch.sigmoid(self.update(both))
        state = (1 - z) * state + z * torch.tanh(self.candidate(both))
        delta = 0.1 * self.direction(state) * torch.sigmoid(self.size(state))
        return F.pixel_shuffle(delta, 2), state


PLAIN: dict[str, Callable[[int], nn.Module]] = {
    "paper": Paper,
    "atrous": Atrous,
    "compact": Compact,
}


def plain_twin(name: str, fast: UpdateNetwork) -> nn.Module:
    """Build the plain network of this name with the weights of a fast one (default widths)."""
    last = fast.out
    assert isinstance(last, nn.Conv2d)  # noqa: S101, for the type checker
    plain = PLAIN[name](last.out_channels // (8 if name == "compact" else 1))
    source = dict(fast.state_dict())
    target = {}
    for key, value in source.items():
        target.update(_split(name, key, value))
    plain.load_state_dict(target)
    return plain


def _split(name: str, key: str, value: Tensor) -> dict[str, Tensor]:  # noqa: PLR0911
    """Cut a fused tensor into those of the plain network."""
    module, _, kind = key.rpartition(".")
    if module == "gru.gates":
        update, reset = value.chunk(2)
        return _apart("gru.update", kind, update) | _apart("gru.reset", kind, reset)
    if module == "gru.candidate":
        return _apart("gru.candidate", kind, value)
    if name != "compact":
        return {key: value}
    if module == "enter":
        return _apart("enter", kind, value)
    if module == "gate":
        update, candidate = value.chunk(2)
        return {f"update.{kind}": update, f"candidate.{kind}": candidate}
    if module == "out":
        direction, size = value.chunk(2)
        return {f"direction.{kind}": direction, f"size.{kind}": size}
    _, number, part = module.split(".")
    return {f"{part}.{number}.{kind}": value}


def _apart(module: str, kind: str, value: Tensor) -> dict[str, Tensor]:
    """Cut a kernel (hidden, inputs + hidden, ...) over [x, h] in two; the bias goes with x."""
    if kind == "bias":
        return {f"{module}_x.bias": value}
    inputs = value.shape[1] - value.shape[0]
    return {f"{module}_x.weight": value[:, :inputs], f"{module}_h.weight": value[:, inputs:]}
