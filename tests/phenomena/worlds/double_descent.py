"""Worlds of double descent: curves of test errors over a capacity, with and without a peak."""

from __future__ import annotations

import math

import numpy as np

from overparam.data.entries import entry_of
from overparam.phenomena.double_descent import random_features, sample_wise


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
