"""Worlds of the identity crisis: preferences over depths, widths, kernels, images and layers."""

from __future__ import annotations

import numpy as np

from overparam.phenomena.identity import (
    by_depth,
    fully_connected,
    initialization,
    more_images,
    one_layer_theorem,
)
from overparam.phenomena.identity import kernel_size as kernels
from overparam.phenomena.identity import through_layers as through
from overparam.phenomena.identity import width as widths
from tests.phenomena.worlds.preferences import (
    at_five_layers_the_constant,
    away_from_the_constant_alone,
    dense_networks_are,
    depth_effect,
    kernel_effect,
    later_by,
    like_neither,
    many_channels_are,
    many_images_are,
    named,
    preferences,
    shallow_are,
    small_fall,
    the_constant,
    the_identity,
    wide_networks_are,
    width_effect,
    zigzag,
)
from tests.phenomena.worlds.responses import ONE_LAYER, dense, disagreeing, layers, seen

FALL_NULLS = [
    named("all_identity", preferences(lambda c: 0.9)),
    named("anything", preferences(lambda c: 0.0, cell=0.6, shared=0.2)),
    named("small_fall_skewed", preferences(small_fall(0.7), cell=0.3, skewed=True)),
    named("zigzag", preferences(zigzag)),
]
SHALLOW_NULLS = [
    named("lucky_shallow", preferences(shallow_are(0.35), cell=0.4)),
    named("shallow_at_the_bound", preferences(shallow_are(0.5), cell=0.2, shared=0.1)),
]


def no_identity(effect):
    """The effect's preferences, of outputs that are like neither map where they prefer the one."""
    return named("no_identity", like_neither(preferences(effect), the_identity))


def no_constant(effect):
    return named("no_constant", like_neither(preferences(effect), the_constant))


def less_the_input(effect):
    """As the training image minus some of the input would be."""
    world = like_neither(preferences(effect), the_constant, identity=0.6, constant=0.1)
    return named("less_the_input", world)


NULLS = {
    "identity/by_depth": [
        *FALL_NULLS,
        *SHALLOW_NULLS,
        named("one_shallow_depth_is_not", preferences(at_five_layers_the_constant)),
        no_identity(depth_effect),
        no_constant(depth_effect),
    ],
    "identity/width": [*FALL_NULLS[1:], less_the_input(width_effect)],
    "identity/kernel_size": [*FALL_NULLS[1:], no_constant(kernel_effect)],
    "identity/more_images": [
        named("no_rise", preferences(later_by(0.0))),
        named("no_rise_heavy", preferences(later_by(0.0), cell=0.3, shared=0.3)),
        named("rise_at_the_bound", preferences(later_by(more_images.CLEAR_RISE), cell=0.1)),
        named("copies_too", preferences(later_by(-0.2, 0.3))),
        named("away_from_the_constant_alone", away_from_the_constant_alone),
    ],
    "identity/initialization": [
        named("one_map", disagreeing(lambda channels: 0.05)),
        named("at_the_bound", disagreeing(lambda channels: 0.149, spread=0.05)),
    ],
    "identity/fully_connected": [
        named("all_identity", dense(lambda n: 0.05)),
        named("one_identity", dense(lambda n: 0.05 if n == ("relu", 6) else 1.0)),
        named("at_the_bound", dense(lambda n: 0.49 if n == ONE_LAYER else 1.0, spread=0.05)),
        named("not_noise", dense(lambda n: 1.0, cosine=0.5)),
        named("does_not_turn", dense(lambda n: 1.0, turned=(0.6, 0.6, 0.6))),
        named("turns_back", dense(lambda n: 1.0, turned=(0.5, 0.1, 0.53))),
        named("turns_and_stays_far", dense(lambda n: 1.0, turned=(-0.5, -0.2, 0.1))),
    ],
    "identity/one_layer_theorem": [
        named("noise_at_the_bound", layers(noise=0.5 * np.exp(-0.005))),
        named("another_formula", layers(deviation=1e-4)),
        named("other_errors", layers(off=1.15)),
    ],
    "identity/through_layers": [
        named("training_shows_nothing", seen(0.03, 0.03)),
        named("difference_at_the_bound", seen(0.1, 0.0)),
        named("random_shows_it_to_the_end", seen(0.5, 0.2, end=0.2)),
        named("no_constant", seen(0.3, 0.05, constant=0.5)),
    ],
}
EFFECTS = {
    "identity/by_depth": preferences(depth_effect),
    "identity/width": preferences(width_effect),
    "identity/kernel_size": preferences(kernel_effect),
    "identity/more_images": preferences(later_by(0.35, of_copies=-0.1)),
    "identity/initialization": disagreeing(lambda channels: 0.35 if channels < 5 else 0.06),
    "identity/fully_connected": dense(lambda n: 1.0),
    "identity/one_layer_theorem": layers(),
    "identity/through_layers": seen(0.35, 0.06, spread=0.04),
}

# The effect planted in a control, as the control's own sentence would be falsified.
PLANTED = {
    "identity/by_depth": {
        by_depth.MANY_IMAGES: [
            named("deep_constant", preferences(many_images_are(-0.95))),
            named(
                "deep_constant_at_any_depth",
                preferences(lambda c: -0.95 if c.n_train > 1 else depth_effect(c)),
            ),
        ],
        by_depth.DENSE: [
            named("all_identity", preferences(dense_networks_are(lambda depth: 0.95))),
            named("one_layer_alone", preferences(dense_networks_are({1: 1, 2: -0.1, 6: -0.9}.get))),
            named("six_layers_alone", preferences(dense_networks_are({1: -1, 2: 0, 6: 0.9}.get))),
        ],
    },
    "identity/width": {
        arm: [
            named("falls_less", preferences(wide_networks_are(0.9, -0.45))),
            named("all_constant", preferences(wide_networks_are(-0.95, -0.95))),
            named("dips", preferences(lambda c: -0.9 if c.width in (24, 48) else width_effect(c))),
            *more,
        ]
        for arm, more in ((widths.WIDER, [no_identity(width_effect)]), (widths.SPAN, []))
    },
    "identity/kernel_size": {
        kernels.CHANNELS: [
            named("nearer", preferences(many_channels_are(0.9, 0.1))),
            named("all_constant", preferences(many_channels_are(-0.95, -0.95))),
            no_identity(kernel_effect),
        ],
    },
    "identity/more_images": {
        more_images.SHIFTED: [named("copies_do_it", preferences(later_by(0.35, 0.35)))],
    },
    "identity/initialization": {
        initialization.MANY_CHANNELS: [named("any_width", disagreeing(lambda channels: 0.35))],
    },
    "identity/fully_connected": {
        fully_connected.MANY_IMAGES: [named("the_layer", dense(lambda n: 1.0, many_images=1.0))],
    },
    "identity/one_layer_theorem": {
        one_layer_theorem.FROM_ZERO: [named("noise_of_training", layers(noise_of_zero=1.0))],
        one_layer_theorem.ADAM: [named("any_optimizer", layers(adam_off=2e-12))],
    },
    "identity/through_layers": {
        through.SHUFFLED: [
            named("sizes_do_it", seen(0.35, 0.06, shuffled=0.3, spread=0.04)),
            named("random_shows_it_too", seen(0.5, 0.2, shuffled=0.3, end=0.2, spread=0.04)),
        ],
    },
}
