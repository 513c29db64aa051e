"""Families: published parameter counts, shapes without weights, forward passes, widths."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overparam.errors import UsageError
from overparam.models import (
    alexnet_small,
    convnet5,
    lenet_300_100,
    linear_model,
    mlp,
    mlp_1x512,
    mlp_3x512,
    mlp_n_params,
    mlp_width_for,
    preact_resnet18,
    small_inception,
)
from overparam.streams import Streams

# (family call, published count, input shape)
PUBLISHED = [
    (lambda: convnet5(64), 1_558_026, (3, 32, 32)),
    (lambda: convnet5(64, conv_bias=False), 1_557_066, (3, 32, 32)),
    *(
        (lambda k=k: preact_resnet18(k), count, (3, 32, 32))
        for k, count in {
            1: 2_947,
            2: 11_332,
            4: 44_446,
            8: 176_050,
            10: 274_540,
            16: 700_762,
            32: 2_796_202,
            64: 11_171_146,
        }.items()
    ),
    (small_inception, 1_649_402, (3, 28, 28)),
    (lambda: small_inception(batch_norm=False), 1_649_402, (3, 28, 28)),
    (alexnet_small, 1_387_786, (3, 28, 28)),
    (mlp_1x512, 1_209_866, (3, 28, 28)),
    (mlp_3x512, 1_735_178, (3, 28, 28)),
    (lenet_300_100, 266_610, (1, 28, 28)),
    (lambda: mlp(784, 50, 10), 39_760, (1, 28, 28)),
]
SMALL = [
    (lambda: linear_model(12, 3), (3, 2, 2)),
    (lambda: mlp(12, (5, 4), 3, activation="tanh"), (3, 2, 2)),
    (lambda: convnet5(2, 3), (3, 32, 32)),
    (lambda: convnet5(2, 3, in_channels=1, image_size=28), (1, 28, 28)),
    (lambda: convnet5(1, 3, image_size=4), (3, 4, 4)),
    (lambda: preact_resnet18(2, 3), (3, 32, 32)),
    (lambda: preact_resnet18(2, 3, final_norm=True), (3, 28, 28)),
    (lambda: alexnet_small(3), (3, 28, 28)),
    (lambda: small_inception(3), (3, 28, 28)),
]


def n_params(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def with_weights(model: nn.Module, seed: int = 0) -> nn.Module:
    """What the engine does: memory for the shape, then each layer's own initialization."""
    model = model.to_empty(device="cpu")
    with Streams(seed).global_generators("init"):
        for part in model.modules():
            if hasattr(part, "reset_parameters"):
                part.reset_parameters()
    return model


@pytest.mark.parametrize(("make", "count", "shape"), PUBLISHED)
def test_published_counts(make, count, shape):
    model = make()
    assert n_params(model) == count
    outputs = model(torch.empty(2, *shape, device="meta"))
    assert outputs.shape == (2, 10)


@pytest.mark.parametrize(("make", "shape"), SMALL)
def test_a_family_draws_nothing_and_costs_nothing(make, shape):
    before = torch.random.get_rng_state()
    model = make()
    torch.testing.assert_close(torch.random.get_rng_state(), before)
    assert all(t.is_meta for t in [*model.parameters(), *model.buffers()])


@pytest.mark.parametrize(("make", "shape"), SMALL)
def test_every_weight_is_set_by_reset_parameters_and_trains(make, shape):
    model = with_weights(make())
    again = with_weights(make())
    for (name, a), (_, b) in zip(
        model.state_dict().items(), again.state_dict().items(), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)
        assert torch.isfinite(a).all(), name
    inputs = torch.randn(4, *shape, generator=torch.Generator().manual_seed(1))
    outputs = model(inputs)
    assert outputs.shape == (4, 3)
    outputs.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_final_norm_adds_scale_and_shift_of_8k_channels():
    assert n_params(preact_resnet18(4, final_norm=True)) - n_params(preact_resnet18(4)) == 2 * 32


def test_preact_block_is_the_textbook_residual():
    block = with_weights(preact_resnet18(2))[1].eval()  # same shape: the shortcut is the identity
    x = torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    inner = block.conv1(nn.functional.relu(block.enter1[0](x)))
    expected = x + block.conv2(nn.functional.relu(block.enter2[0](inner)))
    torch.testing.assert_close(block(x), expected)


def test_mlp_is_the_product_of_its_matrices():
    model = with_weights(mlp(4, 3, 2, activation="identity", bias=False)).double()
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model(x), x @ model[1].weight.T @ model[3].weight.T)


@settings(deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=3, max_size=5),
    bias=st.booleans(),
)
def test_mlp_n_params_counts_what_is_there(sizes, bias):
    d, *hidden, k = sizes
    assert mlp_n_params(d, hidden, k, bias=bias) == n_params(mlp(d, hidden, k, bias=bias))
    assert mlp_n_params(d, hidden, k, bias=bias) == sum((a + bias) * b for a, b in pairwise(sizes))


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 2_000), st.integers(1, 20), st.integers(1, 12), st.booleans())
def test_mlp_width_for_is_the_nearest(n, d, k, bias):
    def distance(width):
        return abs(mlp_n_params(d, width, k, bias=bias) - n)

    brute_force = min(range(1, n + 2), key=lambda width: (distance(width), width))
    assert mlp_width_for(n, d, k, bias=bias) == brute_force


def test_belkin_axis():
    assert mlp_n_params(784, 50, 10) == 795 * 50 + 10
    assert mlp_width_for(40_000, 784, 10) == 50


@pytest.mark.parametrize(
    "call",
    [
        lambda: mlp(0, 3, 2),
        lambda: mlp(3, (4, 0), 2),
        lambda: mlp(3, 4, 2.5),
        lambda: linear_model(3, True),
        lambda: convnet5(0),
        lambda: convnet5(4, image_size=3),
        lambda: preact_resnet18(2, n_classes=0),
        lambda: small_inception(in_channels=0),
        lambda: mlp_width_for(0, 784, 10),
    ],
)
def test_sizes_out_of_range(call):
    with pytest.raises(UsageError, match=r"out of range|whole number"):
        call()


def test_unknown_activation():
    with pytest.raises(UsageError, match=r"did you mean 'relu'"):
        mlp(3, 4, 2, activation="rely")
