"""Worlds of double descent: curves of test errors over a capacity, with and without a peak."""

from __future__ import annotations

import math

import numpy as np

from overparam.data.entries import entry_of
from overparam.phenomena.double_descent import epoch_wise, random_features, sample_wise


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
    named("small_peak", over_ratio(lambda x: 0.3 * (1 + 0.1 * math.exp(-x * x)), falling)),
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
            wander = 0.003 * np.cumsum(rng.standard_normal(len(x)) * np.sqrt(np.diff(x, prepend=-5)))
            jumps = 0.006 * rng.standard_normal(len(x))
            test = np.clip((curve if treated else control)(x) + shared + wander + jumps, 0, 1)
            fitted = (train if treated else control_train)(x) + 0.004 * rng.standard_normal(len(x))
            outcomes.append(
                epoch_wise.Outcome(
                    EPOCHS, np.round(test * n) / n, np.clip(fitted.round(3), 0, 1)
                )
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
    named("late_fall", along_training(lambda x: 0.6 - 0.1 * (x > 1), learned, fits, stuck)),
    named("bump_of_a_network_that_never_fits", along_training(bumped, learned, stuck, stuck)),
]
NULLS["double_descent/epoch_wise"] = TRAINING_NULLS
EFFECTS["double_descent/epoch_wise"] = along_training(bumped, learned, fits, stuck)
