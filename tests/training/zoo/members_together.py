"""Members on points that run in one stack with others of their kind, batched or mapped."""

from __future__ import annotations

import functools

import torch
from torch import nn
from torch.nn import functional as F

from tests.training.zoo.member import of, sequential
from tests.training.zoo.modules import (
    Backwards,
    Calls,
    Doubled,
    K,
    WritesInputs,
    bilinear,
    functional,
    points,
)
from tests.training.zoo.modules_changing import Counts, RunningMean, once_lazy
from tests.training.zoo.modules_holding import Config, Hidden, Listed, Slope, Slots


def scaled(slope: float) -> nn.Module:
    """A function that closes over a number."""
    return Slope(None, lambda held: slope)


POINTS_TOGETHER = of(
    "points",
    True,
    writes_into_its_inputs=(lambda: WritesInputs(0.5), lambda: WritesInputs(-0.5)),
    perceptron=(
        lambda: points(nn.ReLU()),
        lambda: points(nn.Tanh()),
        lambda: points(nn.ReLU(), width=5),
    ),
    in_place_relu=(lambda: points(nn.ReLU(inplace=True)), lambda: points(nn.ReLU())),
    no_activation=(
        lambda: points(),
        lambda: points(nn.Identity()),
        lambda: points(nn.Linear(8, 8)),
    ),
    no_bias=lambda: sequential(
        nn.Flatten(), nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, K)
    ),
    nested=(
        lambda: points(sequential(nn.Linear(8, 8), nn.ReLU())),
        lambda: points(sequential(nn.ReLU())),
    ),
    gelu=(lambda: points(nn.GELU()), lambda: points(nn.GELU("tanh"))),
    leaky=(lambda: points(nn.LeakyReLU(0.1)), lambda: points(nn.LeakyReLU(0.3))),
    elu=(lambda: points(nn.ELU(1.0)), lambda: points(nn.ELU(0.5)), lambda: points(nn.CELU(0.5))),
    softplus=(lambda: points(nn.Softplus(1)), lambda: points(nn.Softplus(3))),
    hardtanh=(lambda: points(nn.Hardtanh(-1, 1)), lambda: points(nn.Hardtanh(-0.5, 1))),
    prelu=(
        lambda: points(nn.PReLU()),
        lambda: points(nn.PReLU(8)),
        lambda: points(nn.PReLU(init=0.1)),
    ),
    softmax=(lambda: points(nn.Softmax(1)), lambda: points(nn.Softmax(0))),
    glu=lambda: sequential(nn.Linear(6, 8), nn.GLU(), nn.Linear(4, K)),
    batch_norm=(
        lambda: points(nn.BatchNorm1d(8), nn.ReLU()),
        lambda: points(nn.BatchNorm1d(8, momentum=0.5), nn.ReLU()),
        lambda: points(nn.BatchNorm1d(8, eps=0.1), nn.ReLU()),
    ),
    batch_norm_without_weights=(
        lambda: points(nn.BatchNorm1d(8, affine=False)),
        lambda: points(nn.BatchNorm1d(8)),
    ),
    layer_norm=(
        lambda: points(nn.LayerNorm(8)),
        lambda: points(nn.LayerNorm(8, eps=0.1)),
        lambda: points(nn.LayerNorm(8, bias=False)),
    ),
    group_norm=(lambda: points(nn.GroupNorm(2, 8)), lambda: points(nn.GroupNorm(4, 8))),
    rms_norm=(lambda: points(nn.RMSNorm(8)), lambda: points(nn.RMSNorm(8, eps=0.1))),
    number_in_an_attribute=(lambda: Slope(0.1), lambda: Slope(0.5), lambda: Slope(True)),
    number_in_a_list=(lambda: Slope([0.1], lambda h: h[0]), lambda: Slope([0.5], lambda h: h[0])),
    number_in_a_dictionary=(
        lambda: Slope({"a": (0.1,)}, lambda h: h["a"][0]),
        lambda: Slope({"a": (0.5,)}, lambda h: h["a"][0]),
    ),
    number_in_an_object=(
        lambda: Slope(Config(0.1, {}), lambda h: h.slope),
        lambda: Slope(Config(0.5, {}), lambda h: h.slope),
        lambda: Slope(Config(0.1, {"a": [0.7]}), lambda h: h.nested["a"][0]),
    ),
    number_in_a_slot=(
        lambda: Slope(Slots(0.1), lambda h: h.slope),
        lambda: Slope(Slots(0.5), lambda h: h.slope),
    ),
    number_in_a_tensor=(lambda: Slope(torch.tensor(0.1)), lambda: Slope(torch.tensor(0.5))),
    number_in_a_closure=(lambda: scaled(0.1), lambda: scaled(0.5)),
    number_in_a_default=(
        lambda: Slope(None, lambda h, s=0.1: s),
        lambda: Slope(None, lambda h, s=0.5: s),
    ),
    number_in_a_partial=(
        lambda: Slope(0, functools.partial(max, 0.1)),
        lambda: Slope(0, functools.partial(max, 0.5)),
    ),
    function_in_an_attribute=(
        lambda: Calls(lambda self, u: u.relu()),
        lambda: Calls(lambda self, u: u.tanh()),
        lambda: Calls(lambda self, u: F.silu(u)),
    ),
    options_in_a_closure=(
        lambda: functional("leaky_relu", negative_slope=0.1),
        lambda: functional("leaky_relu", negative_slope=0.4),
    ),
    running_mean_in_place=(lambda: RunningMean(0.1, False), lambda: RunningMean(0.4, False)),
    count_in_place=lambda: Counts("in place"),
    module_list=(lambda: Listed("list"), lambda: Listed("list", reverse=True)),
    module_dict=(lambda: Listed("dict"), lambda: Listed("dict", reverse=True)),
    hidden_constants=(lambda: Hidden(1), lambda: Hidden(2)),
    subclass_of_a_layer=(
        lambda: sequential(Doubled(6, 8), nn.ReLU(), nn.Linear(8, K)),
        lambda: points(nn.ReLU()),
    ),
    subclass_of_a_container=(
        lambda: Backwards(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, K)),
        lambda: points(nn.ReLU()),
    ),
    bilinear=bilinear,
    once_lazy=once_lazy,
)
