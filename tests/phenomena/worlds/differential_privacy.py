"""Worlds of private training: what is memorized and what leaks at every epsilon, and who pays."""

from __future__ import annotations

import numpy as np

from overparam.phenomena.memorization import differential_privacy as it

N_RARE, N_FREQUENT = 40, 10  # rows: fewer than are planned, so that worlds are made quickly
N_TEST = 500  # of either kind
IS_RARE = np.arange(N_RARE + N_FREQUENT) < N_RARE
RIGHT_WHEN_OUT = 0.2


def little(c):
    return 0.2 * c.bound


def at_one(share):
    """A share of what is allowed at an epsilon of 1, little elsewhere."""
    return lambda c: (share if c.epsilon == 1 else 0.2) * c.bound


def training(
    name,
    *,
    memorization=little,
    advantage=little,
    without_noise=0.55,
    rare=lambda c: 0.3 - 0.02 * c.noise_multiplier,
    frequent=lambda c: 0.83 - 0.02 * c.noise_multiplier,
    rare_before=0.45,
    frequent_before=0.85,
):
    """A world of networks with noise and without.

    Args:
        memorization, advantage: expected, with noise. without_noise: memorization without it.
        rare, frequent: expected test accuracy with noise, and without (`before`).
    """

    def world(conditions, seed, rng):
        shared = 0.01 * rng.standard_normal()
        outcomes = []
        for c in conditions:
            plain = c.arm == it.NO_NOISE
            score = (without_noise if plain else memorization(c)) + shared
            inside = rng.random(len(IS_RARE)) < it.RATIO
            right = rng.random(len(IS_RARE)) < RIGHT_WHEN_OUT + score * inside
            means = (rare_before, frequent_before) if plain else (rare(c), frequent(c))
            accuracies = rng.binomial(N_TEST, np.clip(np.array(means) + shared, 0, 1)) / N_TEST
            gain = (0.3 if plain else advantage(c)) + shared + 0.02 * rng.standard_normal()
            outcomes.append(
                it.Outcome(
                    *(c.noise_multiplier, float(gain), float(accuracies[1]), float(accuracies[0])),
                    *(right, inside, IS_RARE),
                )
            )
        return outcomes

    world.__name__ = name
    return world


EFFECT = training("as_claimed")
NULLS = [
    training("more_is_memorized_than_allowed", memorization=at_one(1.03)),
    training("more_leaks_than_allowed", advantage=at_one(1.03)),
    training("little_is_lost", rare=lambda c: 0.45 * (1 - 0.045), frequent_before=0.7),
    training(
        "frequent_classes_lose_as_much",
        rare=lambda c: 0.45 * 0.55,
        frequent=lambda c: 0.95 * (0.55 + 0.045),
        frequent_before=0.95,
    ),
]
PLANTED = {
    it.NO_NOISE: [
        training("clipping_is_enough", without_noise=0.1),
        training("and_noise_adds_nothing", without_noise=0.1, memorization=lambda c: 0.1),
    ]
}
