"""Worlds of tables and networks that are asked about rows: what each is right on."""

from __future__ import annotations

import numpy as np

from overparam.phenomena.memorization import hash_table as it
from overparam.phenomena.memorization._hash_tables import EXACT, INVARIANT, NEIGHBORS, NETWORK

N_TEST, N_CLASSES = 1000, 10
FITS_ALL = {EXACT: 0.0, NEIGHBORS: 0.0, NETWORK: 0.0, INVARIANT: 0.3}


def answering(
    name,
    *,
    fits=lambda c: 0.0,
    wrong=(0.9, 0.55, 0.3, 0.2),
    after_random=0.9,
    follows=0.3,
    stored=0.0,
):
    """A world of answers.

    Args:
        fits: expected training error of table and network. wrong: expected error on new images
            after true labels of exact table, invariant table, neighbours and network.
        after_random: the network's after random labels. follows: share of new images on which it
            answers as neighbours do and not at random. stored: of the exact table on stored rows.
    """
    expected = dict(zip((EXACT, INVARIANT, NEIGHBORS, NETWORK), wrong, strict=True))

    def world(conditions, seed, rng):
        shared, outcomes = 0.01 * rng.standard_normal(), []
        neighbors = rng.integers(0, N_CLASSES, N_TEST)
        own = rng.integers(0, N_CLASSES, N_TEST)
        network = np.where(rng.random(N_TEST) < follows, neighbors, own)
        for c in conditions:
            train = fits(c) if c.answerer in (EXACT, NETWORK) else FITS_ALL[c.answerer]
            random = after_random if c.answerer == NETWORK else 0.9
            test = random if c.labels == it.RANDOM else expected[c.answerer] + shared
            if c.asked == it.STORED:
                test = stored if c.answerer == EXACT else 0.0
            outcomes.append(
                it.Outcome(
                    train_error=rng.binomial(c.n_train, train) / c.n_train,
                    relit_error=0.5,
                    test_error=rng.binomial(N_TEST, min(max(test, 0), 1)) / N_TEST,
                    answers=network if c.answerer == NETWORK else neighbors,
                    distance=rng.random(N_TEST if c.answerer == NEIGHBORS else 0),
                )
            )
        return outcomes

    world.__name__ = name
    return world


NULLS = [
    answering("one_kind_of_labels_is_not_fitted", fits=lambda c: 0.02 * (c.labels == it.RANDOM)),
    answering("a_table_knows_new_images", wrong=(0.84, 0.55, 0.3, 0.2)),
    answering("invariant_keys_know_little", wrong=(0.9, 0.81, 0.3, 0.2)),
    answering("random_labels_teach", after_random=0.84),
    answering("the_network_follows_nobody", follows=0.1),
    answering("neighbors_are_as_right", wrong=(0.9, 0.55, 0.225, 0.2)),
]
EFFECT = answering("as_claimed")
PLANTED = {
    it.CODE_BOOK: [
        answering("stored_rows_are_not_found", stored=0.9),
        answering("and_nothing_is_fitted", stored=0.95, fits=lambda c: 0.9),
    ]
}
