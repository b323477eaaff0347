import pytest

from rimkit.networks import AtrousConfig, CompactConfig, PaperConfig
from rimkit.networks.base import UpdateNetwork


def kernel_weights(network: UpdateNetwork) -> int:
    return sum(p.numel() for p in network.parameters() if p.ndim == 4)


def parameters(network: UpdateNetwork) -> int:
    return sum(p.numel() for p in network.parameters())


def test_paper_network_has_the_kernel_weights_of_section_4_1() -> None:
    assert kernel_weights(PaperConfig().build()) == 2_361_024


def test_atrous_network_has_about_500_000_parameters() -> None:
    assert parameters(AtrousConfig().build()) == pytest.approx(500_000, rel=0.02)


@pytest.mark.parametrize("channels", [1, 3])
def test_compact_network_has_at_most_500_000_parameters(channels: int) -> None:
    assert parameters(CompactConfig(channels=channels).build()) <= 500_000
