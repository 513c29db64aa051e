"""Maps of given preferences, over depths, widths, kernels and images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from overparam.phenomena.identity import by_depth, more_images
from overparam.phenomena.identity import kernel_size as kernels
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


def like_neither(world, chosen, identity=0.65, constant=0.65):
    """The same world, but that outputs of chosen preferences have lower correlations.

    Where both are lower by as much, the preference is the same.
    """

    def changed(conditions, seed, rng):
        return [
            replace(
                o,
                identity_correlation=o.identity_correlation - identity,
                constant_correlation=o.constant_correlation - constant,
                preference=o.preference - (identity - constant) / (1 - BASELINE),
            )
            if chosen(o.preference)
            else o
            for o in world(conditions, seed, rng)
        ]

    return changed


def the_identity(preference):
    return preference > 0


def the_constant(preference):
    return preference < 0


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


# More images.


def later_by(rise, of_copies=0.0):
    """Preferences over depth that rise with the images."""

    def curve(c):
        extra = of_copies if c.images == more_images.SHIFTED else rise
        return 0.6 - 0.25 * (c.depth - 6) + extra * (c.n_images - 1) / 2

    return curve


def away_from_the_constant_alone(conditions, seed, rng):
    """Preferences that rise with the images, while outputs become no more like the input."""
    of_one = preferences(later_by(0.0))(conditions, seed, rng)
    risen = [later_by(0.35)(c) - later_by(0.0)(c) for c in conditions]
    return [
        replace(
            o,
            identity_correlation=o.identity_correlation + 0.02 * rng.standard_normal(),
            constant_correlation=o.constant_correlation - (1 - BASELINE) * rise,
            preference=o.preference + rise,
        )
        for o, rise in zip(of_one, risen, strict=True)
    ]
