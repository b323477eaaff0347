import pytest
import torch

from rimkit.networks import NETWORKS, AtrousConfig, CompactConfig, PaperConfig, ablated
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


def test_ablations_lose_what_they_are_named_after() -> None:
    paper = PaperConfig()
    assert ablated(paper, "rim") == paper
    assert kernel_weights(ablated(paper, "gdn").build()) == 2_361_024 - 64 * 9
    assert ablated(paper, "ffn").build().init_state(torch.zeros(1, 1, 8, 8)) == ()
    with pytest.raises(ValueError, match="rim, gdn, ffn, ffn-wide"):
        ablated(paper, "cnn")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="whole"):
        ablated(ablated(paper, "ffn"), "gdn")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_wide_feed_forward_network_has_as_many_parameters(name: str) -> None:
    whole = NETWORKS[name]()
    few, wide = ablated(whole, "ffn"), ablated(whole, "ffn-wide")
    assert parameters(few.build()) < 0.95 * parameters(whole.build())
    assert parameters(wide.build()) == pytest.approx(parameters(whole.build()), rel=0.02)


@pytest.mark.parametrize("scale", [0.0, -0.1, float("inf")])
def test_a_machine_that_could_not_move_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="delta_scale must be"):
        CompactConfig(delta_scale=scale)
