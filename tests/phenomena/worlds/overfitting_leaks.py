"""Worlds of models under attack: how much leaks, from which rows."""

from __future__ import annotations

import numpy as np

from overparam.phenomena.memorization import overfitting_leaks as it

N_ROWS = 200  # fewer than are planned, so that worlds are made and summarised quickly
MEMORIZED_SHARE = 0.25


def gap_of(c):
    return 0.1 + 0.2 * c.epochs / 64


def growing(c):
    return 1.5 * gap_of(c) * (0.3 + 0.7 * min(c.width, 128) / 128)


def falling(c):
    """Much at an eighth of the training and less afterwards, though the slope is steep."""
    at_length = np.interp(c.epochs, [2, 8, 32, 64], [0.02, 0.6, 0.5, 0.45])
    return at_length - 0.3 * (1 - min(c.width, 128) / 128)


def leaking(name, *, advantage=growing, memorized=0.8, others=0.3, with_twin=0.1, unseen=0.0):
    """A world of attacks.

    Args:
        advantage: expected, of a model. memorized, others, with_twin: on groups of rows, against
            the largest network. unseen: among rows never trained on.

    A member has a loss that no other has with the probability that is the advantage on its group.
    """

    def world(conditions, seed, rng):
        width, epochs = max(c.width for c in conditions), max(c.epochs for c in conditions)
        shared = 0.02 * rng.standard_normal()
        is_memorized = rng.random(N_ROWS) < MEMORIZED_SHARE
        has_twin = rng.permutation(N_ROWS) < it.TWIN_SHARE * N_ROWS
        ranks = [rng.permutation(N_ROWS) for _ in range(1 + conditions[0].n_models // 2)]
        of_no_interest = np.ones(N_ROWS), np.ones(N_ROWS, bool)
        outcomes = []
        for c in conditions:
            member = (ranks[c.member // 2] < N_ROWS / 2) == (c.member % 2 == 0)
            loss, correct = of_no_interest
            if c.width == width and c.epochs == epochs:
                told = np.where(is_memorized, memorized, others) + shared
                if c.copies == it.TWINS:
                    told = np.where(has_twin, with_twin + shared, told)
                low = member & (rng.random(N_ROWS) < told)
                loss = np.where(low, 0.0, 1.0) + rng.random(N_ROWS)
                correct = member | ~is_memorized
            found, among_unseen = 0.03 * rng.standard_normal(2) + (advantage(c) + shared, unseen)
            train = 0.02 * rng.random()
            outcomes.append(
                it.Outcome(
                    *(train, train + gap_of(c) + 0.01 * rng.standard_normal()),
                    *(found, among_unseen, loss, correct, member, has_twin),
                )
            )
        return outcomes

    world.__name__ = name
    return world


ALONE = MEMORIZED_SHARE * 0.8 + (1 - MEMORIZED_SHARE) * 0.3
NULLS = [
    leaking("little_leaks", advantage=lambda c: 0.045),
    leaking(
        "small_networks_leak_as_much", advantage=lambda c: 1.5 * gap_of(c) + 0.045 * c.width / 128
    ),
    leaking("the_gap_says_little", advantage=lambda c: 0.45 * gap_of(c) + 0.2 * c.width / 128),
    leaking("it_falls_before_the_end", advantage=falling),
    leaking("all_rows_leak_alike", memorized=0.445, others=0.4),
    leaking("twins_change_little", with_twin=ALONE - 0.045),
]
EFFECT = leaking("as_claimed")
PLANTED = {
    it.UNSEEN: [
        leaking("halves_differ_of_themselves", unseen=0.3),
        leaking("and_training_adds_nothing", unseen=0.2, advantage=lambda c: 0.2),
    ]
}
