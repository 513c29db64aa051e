"""Members on points that run by themselves: what is not plain, what cannot be mapped, what changes
more than its tensors, and what says of a row by the rows beside it."""

from __future__ import annotations

from torch import nn

from tests.training.zoo.member import of, sequential
from tests.training.zoo.modules import (
    CallsItself,
    Depth,
    Gated,
    K,
    Noise,
    checkpointed,
    points,
    straight_through,
)
from tests.training.zoo.modules_changing import (
    Clips,
    Counts,
    FrozenNorm,
    RunningMean,
    Unused,
    frozen,
    hooked,
    parametrized,
    part_in_evaluation_mode,
    remembered,
)
from tests.training.zoo.modules_holding import (
    Fourier,
    Listed,
    Tied,
    class_made_anew,
    layer_of_its_own,
    twice,
)

POINTS_ALONE = of(
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
    batch_norm_without_statistics=(
        lambda: points(nn.BatchNorm1d(8, track_running_stats=False)),
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
