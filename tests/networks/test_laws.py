"""What every update network must satisfy."""

import inspect
from collections.abc import Callable

import pytest
import torch
from tests.cases import ABLATION_CASES, NETWORK_CASES, normal
from torch import Tensor

from rimkit.networks import NetworkConfig, UpdateNetwork

ALL = {**NETWORK_CASES, **ABLATION_CASES}
Config = Callable[[int], NetworkConfig]


def each_of(cases: dict[str, Config]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("config", cases.values(), ids=cases.keys())


each = each_of(ALL)
each_recurrent = each_of({k: v for k, v in ALL.items() if v(1).recurrent})
each_that_sees = each_of({k: v for k, v in ALL.items() if v(1).sees_estimate})


def build(config: Config, channels: int = 1) -> UpdateNetwork:
    torch.manual_seed(0)
    network = config(channels).build()
    for parameter in network.parameters():  # layers that start at zero would hide what they carry
        if parameter.ndim == 4 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return network.eval()


def inputs(channels: int = 1, n: int = 2) -> tuple[Tensor, Tensor]:
    shape = (n, channels, 12, 16)
    return normal(*shape, dtype=torch.float32), normal(*shape, seed=1, dtype=torch.float32)


@each
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(config: Config, channels: int) -> None:
    network = build(config, channels)
    eta, score = inputs(channels)
    state = network.init_state(eta)
    delta, new = network(eta, score, state)
    assert delta.shape == eta.shape
    assert [part.shape for part in new] == [part.shape for part in state]
    assert all(part.shape[0] == 2 for part in state)


@each_recurrent
def test_a_different_state_gives_a_different_output(config: Config) -> None:
    network = build(config)
    eta, score = inputs()
    state = network.init_state(eta)
    other = tuple(part + 0.5 for part in state)
    assert not torch.allclose(network(eta, score, state)[0], network(eta, score, other)[0])


@each_recurrent
def test_every_channel_of_the_state_matters(config: Config) -> None:
    # A GRU block that hands back the old first half of its state would fail here.
    network = build(config)
    eta, score = inputs()
    (state,) = network.init_state(eta)
    state = torch.zeros_like(state).requires_grad_()
    delta, (new,) = network(eta, score, (state,))
    (gradient,) = torch.autograd.grad(delta.square().sum() + new.square().sum(), state)
    assert (gradient.abs().sum((0, 2, 3)) > 0).all()
    assert (new != state).any(dim=3).any(dim=2).any(dim=0).all()


@each
def test_every_weight_gets_a_gradient_through_two_steps(config: Config) -> None:
    network = build(config).train()
    eta, score = inputs()
    state = network.init_state(eta)
    total = torch.zeros(())
    for _ in range(2):
        delta, state = network(eta, score, state)
        total = total + delta.square().sum()
    total.backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        if parameter.ndim == 4:  # a bias before a batch norm has none, and needs none
            assert parameter.grad.abs().amax(dim=(1, 2, 3)).min() > 0, name
            # Every input channel of every kernel too: those that read the state stand there.
            assert parameter.grad.abs().amax(dim=(0, 2, 3)).min() > 0, name


@each
def test_without_a_part_it_does_not_matter(config: Config) -> None:
    network = build(config)
    eta, score = inputs()
    state = network.init_state(eta)
    if not config(1).recurrent:
        assert state == network(eta, score, state)[1] == ()
    if not config(1).sees_estimate:
        assert torch.equal(network(eta, score, state)[0], network(eta + 0.5, score, state)[0])


@each_that_sees
def test_iterate_and_score_both_matter(config: Config) -> None:
    network = build(config)
    eta, score = inputs()
    state = network.init_state(eta)
    delta = network(eta, score, state)[0]
    assert not torch.allclose(delta, network(eta + 0.5, score, state)[0])
    assert not torch.allclose(delta, network(eta, 2 * score, state)[0])


@each
def test_samples_do_not_mix(config: Config) -> None:
    network = build(config)
    eta, score = inputs(n=3)
    whole = network(eta, score, network.init_state(eta))[0]
    alone = network(eta[1:2], score[1:2], network.init_state(eta[1:2]))[0]
    torch.testing.assert_close(whole[1:2], alone)


@each
def test_nothing_is_kept_on_the_network(config: Config) -> None:
    network = build(config)
    eta, score = inputs()
    state = network.init_state(eta)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = network(eta, score, state)[0]
    assert torch.equal(first, network(eta, score, state)[0])
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@each
def test_signatures_are_closed(config: Config) -> None:
    # A state passed by a name that nobody knows must not be swallowed.
    network = build(config)
    kinds = {p.kind for p in inspect.signature(network.forward).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    eta, score = inputs()
    with pytest.raises(TypeError):
        network(eta, score, network.init_state(eta), hidden=None)


@each
def test_the_last_layer_is_named_out(config: Config) -> None:
    network = build(config)
    assert network.out.weight.ndim == 4


@each
def test_a_fresh_network_stays_where_it_is(config: Config) -> None:
    # Where sigma is small, random first steps through the steep score would overflow.
    network = config(1).build()
    eta, score = inputs()
    delta, _ = network(eta, 1e4 * score, network.init_state(eta))
    assert not delta.any()


@each
@pytest.mark.parametrize("fast", [False, True])
def test_the_state_stays_channels_last(config: Config, fast: bool) -> None:
    network = build(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    eta, score = inputs()
    state = network.init_state(eta)
    with torch.autocast("cpu", torch.bfloat16, enabled=fast):
        for _ in range(2):
            _, state = network(eta, score, state)
    assert all(part.is_contiguous(memory_format=torch.channels_last) for part in state)
    assert all(part.dtype == torch.float32 for part in state)
