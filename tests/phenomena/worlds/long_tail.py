"""Worlds with and without a long tail: what rows that stand alone are worth."""

from __future__ import annotations

import numpy as np

from overparam.phenomena.memorization import long_tail as it
from overparam.phenomena.memorization._influential_pairs import N_SHOWN
from overparam.phenomena.memorization._removed_rows import SHARES

N_ALIKE = np.repeat([1, 2, 5, 30], [6, 4, 5, 30])
SIDE = 4


def decided(
    name,
    *,
    memorized=0.9,
    influence=0.7,
    frequent=0.01,
    likeness=0.9,
    by_chance=0.02,
    cost=0.05,
    longer=0.05,
    cost_without=0.0,
    train_error=0.0,
):
    """A world of rows that decide over others.

    Args:
        memorized, influence: expected, of rows that stand alone. frequent: influence of one row of
            many. likeness: of pairs. by_chance: share of them. cost, longer: of removing the most
            memorized rows over random ones, with a tail. cost_without: without one.
    """

    def world(conditions, seed, rng):
        outcomes = []
        for c in conditions:
            has_tail = c.arm == "treatment"
            n_alike = N_ALIKE if has_tail else np.full(len(N_ALIKE), 5)
            shared = 0.02 * rng.standard_normal()
            own = 0.02 * rng.standard_normal((2, len(n_alike))) + shared
            rise = np.array([0, *SHARES]) * ((cost if has_tail else cost_without) + 0.1 * shared)
            errors = np.stack([0.1 + rise, np.full(len(rise), 0.1)])
            errors += 0.002 * rng.standard_normal(errors.shape)
            later = 0.1 + np.array([longer if has_tail else cost_without, 0])
            pairs = np.full(N_SHOWN, np.nan)
            pairs[:3] = 0.9
            outcomes.append(
                it.Outcome(
                    n_alike=n_alike,
                    memorization=np.where(n_alike == 1, memorized, 0.02) + own[0],
                    influence=np.select([n_alike == 1, n_alike >= 10], [influence, frequent], 0.1)
                    + own[1],
                    n_pairs=200 if has_tail else 0,
                    n_pairs_by_chance=200 * by_chance if has_tail else 0.0,
                    likeness=likeness + shared if has_tail else np.nan,
                    pair_images=np.zeros((N_SHOWN, 3, SIDE, SIDE)),
                    pair_influence=pairs if has_tail else np.full(N_SHOWN, np.nan),
                    errors=errors,
                    errors_longer=later + 0.002 * rng.standard_normal(2),
                    cost_of_lost=0.8 * cost if has_tail else 0.0,
                    mass_alone=0.07 if has_tail else 0.0,
                    train_error=train_error,
                )
            )
        return outcomes

    world.__name__ = name
    return world


NULLS = [
    decided("rows_that_stand_alone_are_guessed", memorized=0.49),
    decided("they_decide_over_few", influence=0.49),
    decided("one_row_of_many_decides_too", frequent=0.11),
    decided("pairs_are_strangers", likeness=0.49),
    decided("pairs_are_chance", by_chance=0.3),
    decided("removal_costs_little", cost=0.019),
    decided("longer_training_makes_it_good", longer=0.019),
    decided("labels_are_not_fitted", train_error=0.02),
]
EFFECT = decided("as_claimed")
PLANTED = {
    it.NO_TAIL: [
        decided("removal_costs_without_a_tail", cost_without=0.05),
        decided("and_as_much_with_one", cost_without=0.05, cost=0.0, longer=0.0),
    ]
}
