"""Weights drawn by a named scheme: their size, their stream, and what they leave alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from overparam.errors import UsageError
from overparam.models import same_convnet
from overparam.streams import Streams
from overparam.training.initialise import SCHEMES, draw_weights, materialise

FAN_IN, FAN_OUT = 40 * 9, 60 * 9  # of a 3 x 3 convolution from 40 to 60 channels
STD = {
    "default": 1 / math.sqrt(3 * FAN_IN),
    "xavier uniform": math.sqrt(2 / (FAN_IN + FAN_OUT)),
    "xavier normal": math.sqrt(2 / (FAN_IN + FAN_OUT)),
    "kaiming uniform": math.sqrt(2 / FAN_IN),
    "kaiming normal": math.sqrt(2 / FAN_IN),
    "orthogonal": 1 / math.sqrt(FAN_IN),
    "small normal": 0.01,
}


def convolution() -> nn.Module:
    with torch.device("meta"):
        return nn.Sequential(nn.Conv2d(40, 60, 3), nn.BatchNorm2d(60), nn.ReLU())


@pytest.mark.parametrize("scheme", STD)
def test_weights_have_the_spread_that_their_fans_ask_for(scheme):
    layer, norm, _ = draw_weights(convolution(), scheme, Streams(0))
    # 21,600 entries: the standard error of their spread is 0.5 % (less where uniform).
    assert float(layer.weight.detach().std()) == pytest.approx(STD[scheme], rel=0.02)
    assert bool(layer.bias.any()) == (scheme == "default")
    assert_close(norm.weight.detach(), torch.ones(60))
    assert_close(norm.running_var, torch.ones(60))
    bounded = "uniform" in scheme or scheme == "default"
    largest = float(layer.weight.detach().abs().max()) / STD[scheme]
    assert largest <= math.sqrt(3) + 1e-4 if bounded else largest > 2


def test_weights_do_not_depend_on_the_default_precision():
    before = materialise(convolution(), Streams(3), torch.float64).state_dict()
    torch.set_default_dtype(torch.float64)
    try:
        after = materialise(convolution(), Streams(3), torch.float64).state_dict()
        partly = nn.Sequential(convolution(), nn.Linear(2, 2))  # the second has weights
        kept = materialise(partly, Streams(3), torch.float64).state_dict()["1.weight"]
        drawn = draw_weights(convolution(), "kaiming normal", Streams(3))
    finally:
        torch.set_default_dtype(torch.float32)
    assert_close(after, before, rtol=0, atol=0)
    assert_close(kept, partly[1].weight.detach(), rtol=0, atol=0)
    assert_close(
        drawn.state_dict(),
        draw_weights(convolution(), "kaiming normal", Streams(3)).state_dict(),
        rtol=0,
        atol=0,
    )


def test_orthogonal_rows_are_orthonormal():
    layer = draw_weights(convolution(), "orthogonal", Streams(1))[0]
    rows = layer.weight.detach().flatten(1).double()
    assert_close(rows @ rows.T, torch.eye(60, dtype=torch.float64), rtol=0, atol=1e-5)


def test_schemes_are_those_that_are_named():
    assert set(STD) == {"default", *SCHEMES}


def test_default_is_what_the_engine_draws_itself():
    shape = same_convnet(3, 4)
    ours, engine = (
        draw_weights(shape, "default", Streams(2)),
        materialise(shape, Streams(2), torch.float32),
    )
    assert_close(dict(ours.state_dict()), dict(engine.state_dict()), rtol=0, atol=0)


def test_a_stream_gives_one_draw_and_the_module_stays_as_it_was():
    own = nn.Linear(5, 4)
    before = own.weight.detach().clone()
    drawn = [draw_weights(own, "xavier normal", Streams(s)).weight for s in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(own.weight, before)


def test_an_unknown_scheme_is_refused():
    with pytest.raises(UsageError, match="scheme"):
        draw_weights(convolution(), "lecun", Streams(0))


def test_what_has_weights_below_a_new_part_keeps_them():
    """A pretrained layer and a normalization, under a head that is only a shape."""
    below = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8))
    below[1].running_mean.fill_(5.0)
    below[1].num_batches_tracked.fill_(1000)
    net = nn.Sequential(below, nn.Tanh(), nn.Linear(8, 2, device="meta"))
    fresh = materialise(net, Streams(0), torch.float32)
    given = below.state_dict()
    for name, value in fresh[0].state_dict().items():
        assert torch.equal(value, given[name])
    alone = materialise(nn.Sequential(nn.Linear(8, 2, device="meta")), Streams(0), torch.float32)
    assert torch.equal(fresh[2].weight, alone[0].weight)
    assert net[2].weight.is_meta
