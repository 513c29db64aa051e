"""The zoo: modules of all kinds, each with variants that differ from it in one thing.

A member is a line: a name, and the functions that make the module and its variants. All of them
are trained by a plain loop, alone, and side by side, in every way the engine has.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from overparam.models.convolutional import PreactBlock
from overparam.streams import Streams
from overparam.training.initialise import draw_weights
from tests.training.zoo.modules import (
    N_TOKENS,
    Attention,
    Backwards,
    Calls,
    CallsItself,
    Cells,
    Clips,
    Config,
    Counts,
    Depth,
    Doubled,
    Encoder,
    Fourier,
    FrozenNorm,
    Gated,
    Hidden,
    K,
    Listed,
    Noise,
    Positions,
    Reads,
    Recurrent,
    RunningMean,
    Slope,
    Slots,
    Text,
    Tied,
    Unpooled,
    Unused,
    Viewed,
    WritesInputs,
    bilinear,
    checkpointed,
    class_made_anew,
    frozen,
    functional,
    hooked,
    images,
    layer_of_its_own,
    once_lazy,
    parametrized,
    part_in_evaluation_mode,
    points,
    remembered,
    straight_through,
    twice,
    with_dead_layer,
)

Make = Callable[[], nn.Module]


@dataclass(frozen=True)
class Member:
    """One kind of module.

    Attributes:
        makes: functions that build it and its variants. kind: of data.
        side_by_side: whether copies of one of them really run in one stack.
    """

    name: str
    makes: tuple[Make, ...]
    kind: str
    side_by_side: bool


def _of(kind: str, together: bool, **named: Make | tuple[Make, ...]) -> list[Member]:
    return [
        Member(
            name.replace("_", " "), makes if isinstance(makes, tuple) else (makes,), kind, together
        )
        for name, makes in named.items()
    ]


def sequential(*layers: nn.Module) -> nn.Module:
    """Layers one after the other."""
    return nn.Sequential(*layers)


def padded(mode: str) -> nn.Module:
    """A convolution with a mode of padding."""
    layer = nn.Conv2d(2, 4, 3, padding=1, padding_mode=mode)
    return sequential(layer, nn.ReLU(), nn.Flatten(), nn.Linear(144, K))


def scaled(slope: float) -> nn.Module:
    """A function that closes over a number."""
    return Slope(None, lambda held: slope)


# Run in one stack with others of their kind, batched or mapped.
POINTS_TOGETHER = _of(
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
    batch_norm_without_statistics=(
        lambda: points(nn.BatchNorm1d(8, track_running_stats=False)),
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

# Run by themselves: what is not plain, what cannot be mapped, what changes more than its tensors.
POINTS_ALONE = _of(
    "points",
    False,
    parameter_dict=(
        lambda: Listed("named parameters"),
        lambda: Listed("named parameters", reverse=True),
    ),
    parameter_list=(lambda: Listed("parameters"), lambda: Listed("parameters", reverse=True)),
    one_activation_twice=(lambda: twice(nn.ReLU()), lambda: twice(nn.Tanh())),
    one_layer_twice=(
        lambda: twice(nn.Linear(8, 8)),
        lambda: twice(nn.BatchNorm1d(8)),
        lambda: twice(sequential(nn.Linear(8, 8), nn.ReLU())),
    ),
    tied=(lambda: Tied("parameter"), lambda: Tied("module"), lambda: Tied("not at all")),
    frozen=(
        lambda: frozen("0.weight"),
        lambda: frozen("0.bias"),
        lambda: frozen("2.weight", "2.bias"),
    ),
    frozen_norm_weights=(
        lambda: frozen("1.weight", norm=True),
        lambda: frozen("1.bias", norm=True),
    ),
    forward_hook=(
        lambda: hooked("forward"),
        lambda: hooked("forward", 0.1),
        lambda: hooked("none"),
    ),
    forward_pre_hook=(lambda: hooked("pre"), lambda: hooked("pre", 0.1)),
    backward_hook=(lambda: hooked("backward"), lambda: hooked("backward", 0.1)),
    gradient_hook=(lambda: hooked("gradient"), lambda: hooked("gradient in place", 0.1)),
    hook_on_the_net=(
        lambda: hooked("of the net"),
        lambda: hooked("of the net in a list"),
        lambda: hooked("of the net by default"),
    ),
    forward_of_its_own_by_a_method=(
        lambda: hooked("by a method"),
        lambda: hooked("by a method", 0.1),
    ),
    norm_that_stays_in_evaluation=(
        lambda: points(FrozenNorm(8).eval()),
        lambda: points(nn.BatchNorm1d(8)),
    ),
    part_in_evaluation_mode=(
        lambda: part_in_evaluation_mode(True),
        lambda: part_in_evaluation_mode(False),
    ),
    cumulative_batch_norm=(
        lambda: points(nn.BatchNorm1d(8, momentum=None)),
        lambda: points(nn.BatchNorm1d(8)),
    ),
    count_assigned=lambda: Counts("assigned"),
    count_not_persistent=lambda: Counts("not persistent"),
    count_late=lambda: Counts("late"),
    count_in_a_plain_attribute=lambda: Counts("plain"),
    running_mean_assigned=(lambda: RunningMean(0.1, True), lambda: RunningMean(0.4, True)),
    complex=(lambda: Fourier(), lambda: Fourier(True)),
    own_gradient=(lambda: straight_through(1.0), lambda: straight_through(0.3)),
    checkpoint=(lambda: checkpointed(False), lambda: checkpointed(True)),
    unused_parameters=(lambda: Unused(False), lambda: Unused(True)),
    clipped_in_place=(lambda: Clips(0.2, False), lambda: Clips(0.1, False)),
    clipped_by_assignment=(lambda: Clips(0.2, True), lambda: Clips(0.1, True)),
    class_made_anew=(lambda: class_made_anew(0.1), lambda: class_made_anew(0.5)),
    forward_of_its_own=(lambda: layer_of_its_own(0.1), lambda: layer_of_its_own(0.5)),
    called_in_its_own_way=(
        lambda: sequential(CallsItself(6, 8), nn.ReLU(), nn.Linear(8, K)),
        lambda: points(nn.ReLU()),
    ),
    dropout=(
        lambda: points(nn.ReLU(), nn.Dropout(0.5)),
        lambda: points(nn.ReLU(), nn.Dropout(0.2)),
        lambda: points(nn.AlphaDropout(0.2)),
    ),
    noise=(lambda: points(Noise(0.1), nn.ReLU()), lambda: points(Noise(0.5), nn.ReLU())),
    random_relu=(lambda: points(nn.RReLU(0.1, 0.3)), lambda: points(nn.RReLU(0.1, 0.6))),
    stochastic_depth=(lambda: Depth(0.5), lambda: Depth(0.2)),
    control_flow=(lambda: Gated(0.0), lambda: Gated(0.1)),
    remembers_its_units=(lambda: remembered(1.0), lambda: remembered(0.5)),
    weight_norm=(
        lambda: parametrized("weight norm"),
        lambda: parametrized("weight norm", dim=None),
    ),
    spectral_norm=(
        lambda: parametrized("spectral norm"),
        lambda: parametrized("spectral norm", n_power_iterations=3),
    ),
    orthogonal=(
        lambda: parametrized("orthogonal"),
        lambda: parametrized("orthogonal", orthogonal_map="cayley"),
    ),
    own_parametrization=(lambda: parametrized("symmetric"), lambda: parametrized("none")),
    old_weight_norm=(
        lambda: parametrized("old weight norm"),
        lambda: parametrized("old weight norm", dim=None),
    ),
    old_spectral_norm=(
        lambda: parametrized("old spectral norm"),
        lambda: parametrized("old spectral norm", n_power_iterations=3),
    ),
    pruned=(lambda: parametrized("pruned", amount=0.5), lambda: parametrized("pruned", amount=0.2)),
)

IMAGES_TOGETHER = _of(
    "images",
    True,
    norm_of_instances_with_statistics=(
        lambda: images(nn.InstanceNorm2d(4, track_running_stats=True)),
        lambda: images(nn.InstanceNorm2d(4)),
    ),
    unpooled=(lambda: Unpooled(2), lambda: Unpooled(3)),
    view=Viewed,
    reads_inside=(lambda: Reads("adds"), lambda: Reads("slices")),
    convolution=(
        lambda: images(nn.ReLU()),
        lambda: images(nn.ReLU(), channels=3),
        lambda: images(nn.ReLU(), bias=False),
    ),
    padding_mode=tuple(
        functools.partial(padded, m) for m in ("zeros", "circular", "reflect", "replicate")
    ),
    dilation=(
        lambda: images(nn.Conv2d(4, 4, 3, padding=2, dilation=2)),
        lambda: images(nn.Conv2d(4, 4, 3, padding="same")),
    ),
    groups=(
        lambda: images(nn.Conv2d(4, 4, 3, padding=1, groups=2)),
        lambda: images(nn.Conv2d(4, 4, 3, padding=1, groups=4)),
    ),
    transposed=lambda: sequential(
        nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(432, K),
    ),
    norm_pool=(
        lambda: images(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), side=3),
        lambda: images(nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.ReLU(), side=3),
        lambda: images(nn.BatchNorm2d(4, momentum=0.3), nn.ReLU(), nn.MaxPool2d(2), side=3),
    ),
    pool_in_ceiling_mode=(
        lambda: images(nn.MaxPool2d(4, 3, ceil_mode=True), side=2),
        lambda: images(nn.MaxPool2d(3, 3), side=2),
    ),
    average_pool=(
        lambda: images(nn.AvgPool2d(3, 1, 1), side=6),
        lambda: images(nn.AvgPool2d(3, 1, 1, count_include_pad=False), side=6),
        lambda: images(nn.AvgPool2d(3, 1, 1, divisor_override=4), side=6),
    ),
    adaptive_pool=(
        lambda: images(nn.AdaptiveAvgPool2d(2), side=2),
        lambda: images(nn.AdaptiveMaxPool2d(2), side=2),
    ),
    norm_of_instances=(
        lambda: images(nn.InstanceNorm2d(4)),
        lambda: images(nn.InstanceNorm2d(4, affine=True)),
    ),
    group_norm_of_maps=(lambda: images(nn.GroupNorm(2, 4)), lambda: images(nn.GroupNorm(4, 4))),
    local_response=(
        lambda: images(nn.LocalResponseNorm(2)),
        lambda: images(nn.LocalResponseNorm(3)),
    ),
    upsampled=(
        lambda: images(nn.Upsample(scale_factor=2, mode="nearest"), side=12),
        lambda: images(nn.Upsample(scale_factor=2, mode="bilinear"), side=12),
    ),
    shuffled=(
        lambda: sequential(
            nn.PixelUnshuffle(2), nn.Conv2d(8, 4, 1), nn.Flatten(), nn.Linear(36, K)
        ),
        lambda: sequential(
            nn.PixelUnshuffle(3), nn.Conv2d(18, 9, 1), nn.Flatten(), nn.Linear(36, K)
        ),
    ),
    unfolded=lambda: sequential(nn.Unfold(3), nn.Conv1d(18, 4, 3), nn.Flatten(), nn.Linear(56, K)),
    called_as_a_whole=(lambda: Reads("calls"), lambda: Reads("loops")),
    outputs_as_maps=lambda: sequential(nn.Conv2d(2, K, 3), nn.AdaptiveAvgPool2d(1)),
    pool_of_one=lambda: images(nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(1)),
    residual_blocks=lambda: draw_weights(
        sequential(
            *(nn.Conv2d(2, 4, 3, padding=1), PreactBlock(4, 4, 1), PreactBlock(4, 6, 2)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, K)),
        ),
        "default",
        Streams(0),
    ),
)

IMAGES_ALONE = _of(
    "images",
    False,
    dropout_of_maps=(
        lambda: with_dead_layer(0.5),
        lambda: with_dead_layer(0.2),
        lambda: images(nn.Dropout2d(0.5)),
    ),
    fractional_pool=lambda: images(nn.FractionalMaxPool2d(2, output_size=3), side=3),
)

SERIES = _of(
    "series",
    False,
    lstm_cells=lambda: Cells(nn.LSTMCell(4, 6)),
    rnn=(
        lambda: Recurrent(nn.RNN(4, 6, batch_first=True), 6),
        lambda: Recurrent(nn.RNN(4, 6, batch_first=True, nonlinearity="relu"), 6),
    ),
    gru=(
        lambda: Recurrent(nn.GRU(4, 6, batch_first=True), 6),
        lambda: Recurrent(nn.GRU(4, 6, 2, batch_first=True), 6),
    ),
    lstm=(
        lambda: Recurrent(nn.LSTM(4, 6, batch_first=True), 6),
        lambda: Recurrent(nn.LSTM(4, 3, batch_first=True, bidirectional=True), 6),
        lambda: Recurrent(nn.LSTM(4, 6, batch_first=True, proj_size=2), 2),
    ),
    lstm_with_dropout=lambda: Recurrent(nn.LSTM(4, 6, 2, batch_first=True, dropout=0.3), 6),
)
SERIES_TOGETHER = _of(
    "series",
    True,
    encoder=(
        lambda: Encoder(dropout=0.0),
        lambda: Encoder(dropout=0.0, norm_first=True),
        lambda: Encoder(dropout=0.2),
        lambda: Encoder(dropout=0.0, activation=F.gelu),
    ),
    cells=(lambda: Cells(nn.GRUCell(4, 6)), lambda: Cells(nn.GRUCell(4, 6, bias=False))),
    attention=(
        lambda: Attention(),
        lambda: Attention(1),
        lambda: Attention(causal=True),
        lambda: Attention(add_bias_kv=True),
    ),
    convolution_of_series=(
        lambda: sequential(
            nn.Conv1d(5, 4, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(8, K)
        ),
        lambda: sequential(
            nn.Conv1d(5, 4, 3, padding=1), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten(), nn.Linear(8, K)
        ),
    ),
)

OTHERS = [
    *_of(
        "volumes",
        True,
        convolution_of_volumes=(
            lambda: sequential(nn.Conv3d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, K)),
            lambda: sequential(
                nn.Conv3d(1, 3, 3), nn.BatchNorm3d(3), nn.ReLU(), nn.Flatten(), nn.Linear(24, K)
            ),
        ),
    ),
    *_of(
        "tokens",
        True,
        embedding=(
            lambda: Text(),
            lambda: Text(padding_idx=0),
            lambda: Text(scale_grad_by_freq=True),
        ),
        bounded_embedding=(lambda: Text(max_norm=0.5), lambda: Text(max_norm=0.1)),
        positions=(lambda: Positions(0.1), lambda: Positions(0.3)),
        bag=(
            lambda: sequential(nn.EmbeddingBag(N_TOKENS, 4), nn.Linear(4, K)),
            lambda: sequential(nn.EmbeddingBag(N_TOKENS, 4, mode="max"), nn.Linear(4, K)),
        ),
    ),
    *_of("tokens", False, tied_embedding=lambda: Text(tied=True)),
]

MEMBERS = {
    m.name: m
    for m in [
        *POINTS_TOGETHER,
        *POINTS_ALONE,
        *IMAGES_TOGETHER,
        *IMAGES_ALONE,
        *SERIES,
        *SERIES_TOGETHER,
        *OTHERS,
    ]
}
