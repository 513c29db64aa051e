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
from overparam.phenomena.identity._task import SCORES, MapOutcome

SIDE, N_SHOWN, N_INPUTS = 14, 16, 43
BASELINE = 0.26  # correlation of inputs with the training image
BLANK = np.zeros((N_SHOWN, SIDE, SIDE), np.float16)
BASELINES = np.linspace(-0.2, 2 * BASELINE + 0.2, N_INPUTS, dtype=np.float32)
FLAT = np.zeros((len(SCORES), N_INPUTS), np.float32)


def named(name, world):
    world.__name__ = name
    return world


def map_of(preference: float, **changed) -> MapOutcome:
    """A network of a given preference that fits its images."""
    toward = (1 + preference) / 2
    found = {
        "n_params": 0,
        "n_steps": 300,
        "train_loss": 1e-6,
        "learned": True,
        "identity_correlation": BASELINE + (1 - BASELINE) * toward,
        "constant_correlation": BASELINE + (1 - BASELINE) * (1 - toward),
        "identity_mse": 0.1,
        "constant_mse": 0.1,
        "edge_score": 0.3,
        "preference": preference,
        "scores": FLAT,
        "preferences": FLAT[0],
        "baselines": BASELINES,
        "outputs": BLANK,
        "layers": (),
    }
    return MapOutcome(**{**found, **changed})


def preferences(curve, *, cell=0.08, shared=0.05, skewed=False):
    """A world of preferences from a function of the condition.

    Args:
        cell, shared: standard deviations of what one network and what all of a seed add.
        skewed: noise of single networks has a long tail below, as near the end of the range.
    """

    def world(conditions, seed, rng):
        common = shared * rng.standard_normal()
        own = cell * rng.standard_normal(len(conditions))
        if skewed:
            own = cell * (1 - rng.exponential(size=len(conditions)))
        return [map_of(curve(c) + common + e) for c, e in zip(conditions, own, strict=True)]

    return world


# Falls: by depth, width, kernel size.


def falls(at, scale):
    """From the identity to the constant, in the middle at a level."""
    return lambda level: -np.tanh((level - at) / scale)


def depth_effect(c):
    if c.family == by_depth.DENSE:
        return -0.8
    return 0.6 if c.n_train > 1 else falls(9.5, 4)(c.depth)


def shallow_are(value):
    """Shallow networks are of one preference, deep ones the constant."""
    return lambda c: value if c.depth <= by_depth.SHALLOW else -0.95


def at_five_layers_the_constant(c):
    """As the effect, but for one of the shallow depths, which their mean would hide."""
    return -0.6 if c.family != by_depth.DENSE and c.depth == 5 else depth_effect(c)


def width_effect(c):
    return falls(9, 4)(c.depth) if c.arm == widths.DEEPER else 0.9


def kernel_effect(c):
    return falls(9, 4)(c.like) if c.arm == kernels.KERNELS else 0.9


def zigzag(c):
    """Down, up and down again, from the identity to the constant."""
    level = c.like if isinstance(c, kernels.Condition) else c.depth
    return -0.9 if level in (6, 7) or level > 12 else 0.9


def small_fall(size):
    """From one end of the treatment's sweep to the other, a fall of this size from 0.9."""
    last = {by_depth.Condition: 15, widths.Condition: 18, kernels.Condition: 13}

    def curve(c):
        level = c.like if isinstance(c, kernels.Condition) else c.depth
        return 0.9 - size * level / last[type(c)]

    return curve


def many_images_are(value):
    """As the effect, but for deep networks with many images."""
    return lambda c: value if c.n_train > 1 and c.depth > by_depth.SHALLOW else depth_effect(c)


def dense_networks_are(at):
    """As the effect, but for fully connected networks, by depth."""
    return lambda c: at(c.depth) if c.family == by_depth.DENSE else depth_effect(c)


def wide_networks_are(first, last):
    """As the effect, but that wider networks go from one preference to another, by count."""

    def curve(c):
        if c.arm == widths.DEEPER:
            return width_effect(c)
        return first + (last - first) * min(1, max(0, c.width - 24) / 40)

    return curve


def many_channels_are(first, last):
    """As the effect, but that more channels go from one preference to another."""
    return lambda c: (
        kernel_effect(c) if c.arm == kernels.KERNELS else first + (last - first) * (c.like - 3) / 10
    )


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


# More images.


def later_by(rise, of_copies=0.0):
    """Preferences over depth that rise with the images."""

    def curve(c):
        extra = of_copies if c.images == more_images.SHIFTED else rise
        return 0.6 - 0.25 * (c.depth - 6) + extra * (c.n_images - 1) / 2

    return curve


# Starts.


def disagreeing(by_channels, spread=0.03):
    """Outputs of starts that share a part of their variance: 1 - part is their disagreement."""

    def world(conditions, seed, rng):
        image = np.random.default_rng(seed).standard_normal((N_SHOWN, SIDE, SIDE))
        own = spread * rng.standard_normal()
        outcomes = []
        for c in conditions:
            if c.arm != initialization.STARTS or c.n_channels in (6, 16):
                outcomes.append(map_of(0.5))
                continue
            part = np.clip(1 - by_channels(c.n_channels) - own, 0, 1)
            noise = rng.standard_normal(image.shape, np.float32)
            outputs = np.sqrt(part) * image + np.sqrt(1 - part) * noise
            outcomes.append(map_of(0.5, outputs=outputs.astype(np.float16)))
        return outcomes

    return world


# Fully connected networks.

ONE_LAYER = ("identity", 1)


def dense(
    shortfall, turned=(0.6, 0.75, 0.99), energy=0.33, cosine=0.02, spread=0.02, many_images=0.0
):
    """Networks of a shortfall each, by (activation, depth), and of one layer with many images."""

    def world(conditions, seed, rng):
        outcomes = []
        for c in conditions:
            network = (c.activation, c.depth)
            short = shortfall(network) if c.n_train == 1 else 0.5
            if c.n_train > 300:
                short = many_images
            identity = 1 - (1 - BASELINE) * short + spread * rng.standard_normal()
            place = min(c.depth - 1, 2) if c.activation == "identity" else c.depth // 3
            constant = turned[min(place, 2)] + 0.003 * rng.standard_normal()
            found = map_of(0.0, identity_correlation=identity, constant_correlation=constant)
            lacking = 1e-30 if c.n_train > 196 else 0.8 * (1 - c.n_train / 196)
            outcomes.append(
                fully_connected.Outcome(
                    **vars(found),
                    baseline=BASELINE + 0.01 * rng.standard_normal(),
                    response_energy=energy + 0.05 * rng.standard_normal(),
                    response_cosine=cosine + 0.03 * rng.standard_normal(),
                    relative_error=4 / 3 * lacking,
                    off_span=lacking,
                )
            )
        return outcomes

    return world


# One layer.

COSINES = np.sqrt(np.linspace(0.0, 0.98, N_INPUTS))
SHOWN_ONLY = one_layer_theorem.Outcome(  # layers that no rule looks at
    n_steps=430,
    train_loss=1e-25,
    learned=True,
    rank=25,
    deviation=2e-11,
    deviation_now=3e-15,
    noise=np.nan,
    cosines=COSINES,
    errors=0 * COSINES,
    predicted=0 * COSINES,
    outputs=BLANK,
)


def layers(noise=1.0, deviation=2e-12, off=1.0, spread=0.05, noise_of_zero=1e-24, adam_off=None):
    """One linear layer whose noise, distance from the formula and errors are given."""

    def world(conditions, seed, rng):
        outcomes = []
        for c in conditions:
            if c.layer == "convolution" or c.optimizer == "momentum":
                outcomes.append(SHOWN_ONLY)
                continue
            zero, adam = c.start == "zero", c.optimizer == "adam"
            predicted = (1 if zero else 4 / 3) * (1 - COSINES**2)
            own = np.exp(spread * rng.standard_normal(N_INPUTS))
            level = noise_of_zero if zero else noise
            largest = deviation if not adam else 0.5 if adam_off is None else adam_off
            outcomes.append(
                one_layer_theorem.Outcome(
                    n_steps=40,
                    train_loss=1e-25,
                    learned=True,
                    rank=1,
                    deviation=largest * rng.uniform(0.5, 1),
                    deviation_now=np.nan if adam else 1e-15,
                    noise=level * np.exp(0.1 * rng.standard_normal()),
                    cosines=COSINES,
                    errors=predicted * own * (1 if zero else off),
                    predicted=predicted,
                    outputs=BLANK,
                )
            )
        return outcomes

    return world


# Through the layers.


def seen(trained, random, *, end=0.02, shuffled=0.0, constant=0.98, spread=0.07):
    """Visible shapes in the middle layers of the trained network and of its start."""

    def world(conditions, seed, rng):
        outcomes = []
        for c in conditions:
            middle = trained if c.state == through.TRAINED else random
            curve = np.full(c.depth, middle + spread * rng.standard_normal())
            more = shuffled if c.state == through.TRAINED else 0.0
            hidden = np.full(c.depth, random + more + spread * rng.standard_normal())
            curve[int(0.7 * c.depth) :] = end + 0.03 * rng.standard_normal()
            to_image = np.full(c.depth, 0.4)
            to_image[-1] = constant + 0.01 * rng.standard_normal()
            outcomes.append(
                through.Outcome(
                    **vars(map_of(0.0)),
                    visible=curve,
                    constant=to_image,
                    dependence=curve,
                    read_by_pixel=curve,
                    read_by_layer=curve,
                    visible_shuffled=hidden,
                )
            )
        return outcomes

    return world


NULLS = {
    "identity/by_depth": [
        *FALL_NULLS,
        *SHALLOW_NULLS,
        named("one_shallow_depth_is_not", preferences(at_five_layers_the_constant)),
    ],
    "identity/width": FALL_NULLS,
    "identity/kernel_size": FALL_NULLS,
    "identity/more_images": [
        named("no_rise", preferences(later_by(0.0))),
        named("no_rise_heavy", preferences(later_by(0.0), cell=0.3, shared=0.3)),
        named("rise_at_the_bound", preferences(later_by(more_images.CLEAR_RISE), cell=0.1)),
        named("copies_too", preferences(later_by(-0.2, 0.3))),
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
        ]
        for arm in (widths.WIDER, widths.SPAN)
    },
    "identity/kernel_size": {
        kernels.CHANNELS: [
            named("nearer", preferences(many_channels_are(0.9, 0.1))),
            named("all_constant", preferences(many_channels_are(-0.95, -0.95))),
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
