"""Worlds of double descent: curves of test errors over a capacity, with and without a peak."""

from __future__ import annotations

import functools
import math

import numpy as np

from overparam.data.entries import entry_of
from overparam.models import mlp_n_params
from overparam.phenomena.double_descent import (
    cross_entropy,
    epoch_wise,
    random_features,
    sample_wise,
    squared_loss,
)
from overparam.phenomena.double_descent._expected_widths import threshold_width
from overparam.phenomena.double_descent._parameter_widths import sizes


def counted(values, n: int, rng: np.random.Generator) -> np.ndarray:
    """Fractions of n examples whose expectations are `values`, on the lattice of fractions."""
    return rng.binomial(n, np.clip(values, 0, 1)) / n


def over_ratio(curve, control):
    """A world of random features or of their training sizes, from curves over log capacity."""

    @functools.cache
    def expected(conditions):
        is_model_wise = isinstance(conditions[0], random_features.Condition)
        treated = [
            c.fit == "minimum norm" if is_model_wise else c.arm == "treatment" for c in conditions
        ]
        x = np.log([c.n_features / c.n_train for c in conditions]) * (1 if is_model_wise else -1)
        errors = [(curve if t else control)(v) for t, v in zip(treated, x, strict=True)]
        return is_model_wise, x, np.array(errors), entry_of(conditions[0].dataset).n_test

    def world(conditions, seed, rng):
        is_model_wise, x, means, n_test = expected(tuple(conditions))
        noise = 0.05 * rng.standard_normal() + 0.03 * rng.standard_normal(len(x))
        # Cells of a seed share their test rows, and differ less than by rows of their own.
        errors = counted(means * np.exp(noise), 4 * n_test, rng)
        errors = np.round(errors * n_test) / n_test
        norms = np.exp(rng.standard_normal(len(x)) / 10 - np.abs(x))
        rows = zip(errors.tolist(), x.tolist(), norms.tolist(), strict=True)
        if is_model_wise:
            return [random_features.Outcome(e, 0.5 * (v < 0), e, n, 0.0) for e, v, n in rows]
        return [sample_wise.Outcome(e, 0.5 * (v > 0), n) for e, v, n in rows]

    return world


def named(name, world):
    world.__name__ = name
    return world


def falling(x):
    return 0.25 + 0.1 / (1 + math.exp(x))


def hill(x, at, width, height):
    """A peak somewhere, of a curve that falls a little beyond."""
    return 0.2 + 0.08 / (1 + math.exp(x)) + height * math.exp(-(((x - at) / width) ** 2) / 2)


def peaked(x):
    return falling(x) - 0.05 * (x > 0.5) + 0.4 * math.exp(-((2 * x) ** 2))


def dipping(x):
    """Low only just beyond the threshold, and not with several times as many examples."""
    return 0.35 if x < -0.05 or 0.05 < x < 0.6 else 0.6


RATIO_NULLS = [
    named("flat", over_ratio(lambda x: 0.3, falling)),
    named("falling", over_ratio(falling, falling)),
    named("rising_end", over_ratio(lambda x: 0.3 + 0.05 * max(0.0, x), falling)),
    named("rising", over_ratio(lambda x: 0.35 + 0.06 * x, falling)),
    named("peaks_and_rises_on", over_ratio(lambda x: 0.3 + 0.3 * (x > -0.1) + 0.03 * x, falling)),
]

NULLS = {
    "double_descent/random_features": [
        *RATIO_NULLS,
        named("stays_high", over_ratio(lambda x: 0.3 + 0.3 / (1 + math.exp(-6 * x)), falling)),
        named("peaks_far_before", over_ratio(lambda x: hill(x, -1.2, 0.6, 0.4), falling)),
    ],
    "double_descent/sample_wise": [
        *RATIO_NULLS,
        named("jumps_beyond", over_ratio(lambda x: falling(x) + 0.4 * (0 < x < 0.8), falling)),
        named("peaks_before", over_ratio(lambda x: peaked(x + 0.7) - 0.1 * (x > 0.5), falling)),
        named("dips_and_is_high_again", over_ratio(dipping, falling)),
    ],
}
EFFECTS = {
    "double_descent/random_features": over_ratio(peaked, falling),
    "double_descent/sample_wise": over_ratio(peaked, falling),
}
RISES = [
    named("same_peak", over_ratio(peaked, peaked)),
    named("rises_at_the_end", over_ratio(peaked, lambda x: falling(x) + 0.1 * (x > 1.2))),
    named("jumps", over_ratio(peaked, lambda x: 0.28 + 0.47 * (x > 0.7))),
    named("rises_slowly", over_ratio(peaked, lambda x: 0.3 + 0.04 * (x + 2))),
]
PLANTED = {
    "double_descent/random_features": {"tuned ridge": RISES},
    "double_descent/sample_wise": {sample_wise.FAR: RISES},
}


# ------------------------------------------------------------------ along one training

EPOCHS = np.unique(np.geomspace(1, 90, 53).round())


def along_training(curve, control, train, control_train):
    """A world of test and training errors along one training, autocorrelated as real ones are.

    Each is a function of log2(epoch / 25), at whose 0 the labels are just fitted.
    """

    def world(conditions, seed, rng):
        x = np.log2(EPOCHS / 25)
        shared = 0.01 * rng.standard_normal()
        outcomes = []
        for c in conditions:
            treated = c.arm == "treatment"
            n = c.n_test
            wander = 0.003 * np.cumsum(
                rng.standard_normal(len(x)) * np.sqrt(np.diff(x, prepend=-5))
            )
            jumps = 0.006 * rng.standard_normal(len(x))
            test = np.clip((curve if treated else control)(x) + shared + wander + jumps, 0, 1)
            fitted = (train if treated else control_train)(x) + 0.004 * rng.standard_normal(len(x))
            outcomes.append(
                epoch_wise.Outcome(EPOCHS, np.round(test * n) / n, np.clip(fitted.round(3), 0, 1))
            )
        return outcomes

    return world


def learned(x):
    return 0.5 + 0.15 / (1 + np.exp(2 * (x + 2.5)))


def bumped(x):
    return learned(x) + 0.05 * np.exp(-(x**2))


def fits(x):
    return 0.7 / (1 + np.exp(3 * (x + 0.65)))


def stuck(x):
    return 0.6 + 0 * x


TRAINING_NULLS = [
    named("flat", along_training(lambda x: 0.5 + 0 * x, learned, fits, stuck)),
    named("falling", along_training(learned, learned, fits, stuck)),
    named(
        "rising_only",
        along_training(lambda x: learned(x) + 0.06 / (1 + np.exp(-4 * x)), learned, fits, stuck),
    ),
    named("bump_of_a_network_that_never_fits", along_training(bumped, learned, stuck, stuck)),
]
NULLS["double_descent/epoch_wise"] = TRAINING_NULLS
EFFECTS["double_descent/epoch_wise"] = along_training(bumped, learned, fits, stuck)
CONTROLS_RISE = [
    named("same_curve_never_fitted", along_training(bumped, bumped, fits, stuck)),
    named("same_curve_soon_fitted", along_training(bumped, bumped, fits, lambda x: fits(x + 3))),
    named(
        "rises_only",
        along_training(bumped, lambda x: learned(x) + 0.05 / (1 + np.exp(-4 * x)), fits, stuck),
    ),
]
PLANTED["double_descent/epoch_wise"] = {
    epoch_wise.CLEAN_LABELS: CONTROLS_RISE,
    # A network that fits its labels is not small, and what it does says nothing of small ones.
    epoch_wise.SMALL_NETWORK: [w for w in CONTROLS_RISE if w.__name__ != "same_curve_soon_fitted"],
}


# ------------------------------------------------------------------ networks over their width


def over_width(last, best, clean, reach=0.0):
    """A world of networks of rising width, from curves over log(size / that which just fits).

    Args:
        last, best, clean: of the three arms. reach: log of the size that fits, over the expected.
    """

    @functools.cache
    def expected(conditions):
        x = np.array([place(c) for c in conditions])
        is_noisy = [
            c.label_noise_rate > 0 if isinstance(c, squared_loss.Condition) else c.labels == "noisy"
            for c in conditions
        ]
        at = list(zip(x, is_noisy, strict=True))
        ends = [np.array([(f if noisy else clean)(v) for v, noisy in at]) for f in (last, best)]
        return x, *ends

    def world(conditions, seed, rng):
        x, ends, bests = expected(tuple(conditions))
        shared, spread = 0.03 * rng.standard_normal(), rng.standard_normal((2, len(x)))
        is_squared = isinstance(conditions[0], squared_loss.Condition)
        ends = ends * np.exp(shared + (0.03 if is_squared else 0.02) * spread[0])
        bests = bests * np.exp(shared + (0.03 if is_squared else 0.02) * spread[1])
        rows = of_squared_loss if is_squared else of_cross_entropy
        return rows(conditions, x - reach, ends, bests, rng)

    return world


def place(c):
    """Log of a network's size over that which just fits."""
    if isinstance(c, squared_loss.Condition):
        return math.log(mlp_n_params(*sizes(c)) / (10 * c.n_train))
    return 1.5 * math.log(c.width / fitting_width(c.n_train)) - math.log(c.train_share)


@functools.cache
def fitting_width(n_train):
    return threshold_width(cross_entropy.Condition(n_train=n_train))


def of_squared_loss(conditions, x, ends, bests, rng):
    shifted = np.minimum(0.01 * np.exp(-2.5 * (x + 0.1 * rng.standard_normal(len(x)))), 50)
    train = np.where(x < 1, 0.8 * (1 - np.exp(-shifted)), 0)
    train = counted(train, conditions[0].n_train, rng)
    return [
        squared_loss.Outcome(1000, 2 * e, e / 2, 2 * b, b / 2, t, t)
        for e, b, t in zip(ends.tolist(), bests.tolist(), train.tolist(), strict=True)
    ]


def of_cross_entropy(conditions, x, ends, bests, rng):
    c = conditions[0]
    train = counted(0.7 / (1 + np.exp(2.5 * x + 1.8)), c.n_train, rng)
    ends, bests = (counted(errors, c.n_test, rng) for errors in (ends, bests))
    return [
        cross_entropy.Outcome(e, b, 20.0, t)
        for e, b, t in zip(ends.tolist(), bests.tolist(), train.tolist(), strict=True)
    ]


def descends(x):
    return 0.35 + 0.12 / (1 + math.exp(x + 1))


def double(x):
    return descends(x) * (1 + 0.8 * math.exp(-((x - 0.2) ** 2)))


WIDTH_NULLS = [
    named("flat", over_width(lambda x: 0.45, descends, descends)),
    named("falling", over_width(descends, descends, descends)),
    named("rising", over_width(lambda x: 0.4 + 0.03 * (x + 3), descends, descends)),
    named(
        "stays_high",
        over_width(lambda x: 0.4 + 0.2 / (1 + math.exp(-4 * (x + 1))), descends, descends),
    ),
    named("peaks_far_away", over_width(lambda x: double(x - 1.8), descends, descends)),
]
NULLS["double_descent/squared_loss"] = [
    *WIDTH_NULLS,
    named("never_fits", over_width(double, descends, descends, reach=9.0)),
    named("peaks_far_before", over_width(lambda x: hill(x, -1.3, 0.75, 4.0), descends, descends)),
]
NULLS["double_descent/cross_entropy"] = [
    *WIDTH_NULLS,
    named("never_fits", over_width(double, descends, descends, reach=9.0)),
    named("peaks_far_before", over_width(lambda x: hill(x, -1.6, 0.7, 0.6), descends, descends)),
]
EFFECTS["double_descent/squared_loss"] = over_width(double, descends, descends)
EFFECTS["double_descent/cross_entropy"] = over_width(double, descends, descends)


def rises_by(size, at):
    """A small rise and fall, of narrow networks or of wide ones."""
    return lambda x: descends(x) * (1 + size * math.exp(-(((x - at) / 0.7) ** 2)))


for module in (cross_entropy, squared_loss):
    name = module.PHENOMENON.name
    PLANTED[name] = {
        module.BEST_EPOCH: [
            named("same_peak", over_width(double, double, descends)),
            named("peak_of_wide_networks", over_width(double, rises_by(0.7, 1.0), descends)),
        ],
        module.CLEAN_LABELS: [
            named("same_peak", over_width(double, descends, double)),
            named("peak_of_narrow_networks", over_width(double, descends, rises_by(0.7, -1.5))),
            named("peak_of_wide_networks", over_width(double, descends, rises_by(0.7, 1.0))),
        ],
    }
