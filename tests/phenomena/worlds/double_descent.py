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


def counted(value: float, n: int, rng: np.random.Generator) -> float:
    """A fraction of n examples whose expectation is `value`, on the lattice of fractions."""
    return float(rng.binomial(n, min(max(value, 0.0), 1.0)) / n)


def over_ratio(curve, control):
    """A world of random features or of their training sizes, from curves over log capacity."""

    def world(conditions, seed, rng):
        shared, spread = 0.05 * rng.standard_normal(), 0.03
        outcomes = []
        for c in conditions:
            is_model_wise = isinstance(c, random_features.Condition)
            treated = c.fit == "minimum norm" if is_model_wise else c.arm == "treatment"
            x = math.log(c.n_features / c.n_train if is_model_wise else c.n_train / c.n_features)
            error = (curve if treated else control)(x)
            error *= math.exp(shared + spread * rng.standard_normal())
            error = counted(error, entry_of(c.dataset).n_test, rng)
            norm = math.exp(rng.standard_normal() / 10 - abs(x))
            if is_model_wise:
                found = random_features.Outcome(error, 0.5 * (x < 0), error, norm, 0.0)
            else:
                found = sample_wise.Outcome(error, 0.5 * (x > 0), norm)
            outcomes.append(found)
        return outcomes

    return world


def named(name, world):
    world.__name__ = name
    return world


def falling(x):
    return 0.25 + 0.1 / (1 + math.exp(x))


def peaked(x):
    return falling(x) - 0.05 * (x > 0.5) + 0.4 * math.exp(-((2 * x) ** 2))


RATIO_NULLS = [
    named("flat", over_ratio(lambda x: 0.3, falling)),
    named("falling", over_ratio(falling, falling)),
    named("rising_end", over_ratio(lambda x: 0.3 + 0.05 * max(0.0, x), falling)),
]

NULLS = {
    "double_descent/random_features": [
        *RATIO_NULLS,
        named("stays_high", over_ratio(lambda x: 0.3 + 0.3 / (1 + math.exp(-6 * x)), falling)),
    ],
    "double_descent/sample_wise": RATIO_NULLS,
}
EFFECTS = {
    "double_descent/random_features": over_ratio(peaked, falling),
    "double_descent/sample_wise": over_ratio(peaked, falling),
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


# ------------------------------------------------------------------ networks over their width


def over_width(last, best, clean, reach=0.0):
    """A world of networks of rising width, from curves over log(size / that which just fits).

    Args:
        last, best, clean: of the three arms. reach: log of the size that fits, over the expected.
    """

    def world(conditions, seed, rng):
        shared = 0.03 * rng.standard_normal()
        is_squared = isinstance(conditions[0], squared_loss.Condition)
        return [
            (of_squared_loss if is_squared else of_cross_entropy)(
                c, last, best, clean, reach, shared, rng
            )
            for c in conditions
        ]

    return world


def of_squared_loss(c, last, best, clean, reach, shared, rng):
    n_params = mlp_n_params(*squared_loss.sizes(c))
    x = math.log(n_params / (10 * c.n_train))
    noise = np.exp(shared + 0.04 * rng.standard_normal(2))
    train = 0.01 * math.exp(-2.5 * (x - reach + 0.1 * rng.standard_normal()))
    is_noisy = c.label_noise_rate > 0
    train = counted(0.8 * (1 - math.exp(-train)) if x < reach + 1 else 0.0, c.n_train, rng)
    loss = 2 * (last if is_noisy else clean)(x) * noise[0]
    best_loss = 2 * (best if is_noisy else clean)(x) * noise[1]
    return squared_loss.Outcome(n_params, loss, loss / 3, best_loss, best_loss / 3, train, train)


@functools.cache
def fitting_width(n_train):
    return cross_entropy.threshold_width(cross_entropy.Condition(n_train=n_train))


def of_cross_entropy(c, last, best, clean, reach, shared, rng):
    x = 1.5 * math.log(c.width / fitting_width(c.n_train))
    noise = np.exp(shared + 0.02 * rng.standard_normal(2))
    fit = x - reach - math.log(c.train_share)
    train = counted(0.7 / (1 + math.exp(2.5 * fit + 1.8)), c.n_train, rng)
    is_noisy = c.labels == "noisy"
    test = counted((last if is_noisy else clean)(x) * noise[0], c.n_test, rng)
    best_test = counted((best if is_noisy else clean)(x) * noise[1], c.n_test, rng)
    return cross_entropy.Outcome(test, best_test, 20.0, train)


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
NULLS["double_descent/squared_loss"] = NULLS["double_descent/cross_entropy"] = [
    *WIDTH_NULLS,
    named("never_fits", over_width(double, descends, descends, reach=9.0)),
]
EFFECTS["double_descent/squared_loss"] = over_width(double, descends, descends)
EFFECTS["double_descent/cross_entropy"] = over_width(double, descends, descends)
