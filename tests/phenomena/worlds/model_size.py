"""Worlds of rows that are memorized more, less, or most in between as networks grow."""

from __future__ import annotations

import numpy as np

from overparam.phenomena.memorization import model_size
from tests.phenomena.worlds.labels_one_by_one import masks_of, named, said

N_ROWS = 240
ORDER = ("more", "less", "between", "same")
GROUPS = np.repeat(ORDER, N_ROWS // 4)
# Accuracy in and out, in the smallest network, in those in between, and in the largest.
TRAJECTORIES = {
    "more": ((0.3, 0.25), (0.99, 0.4), (1, 0.1)),
    "less": ((0.9, 0.4), (1, 0.7), (1, 0.95)),
    "between": ((0.8, 0.7), (1, 0.4), (1, 0.9)),
    "same": ((0.8, 0.7), (1, 0.9), (1, 0.9)),
}


def grown(different=None, identity=None, anew=False):
    """A world of rows that are memorized more, less, or most at a size in between.

    Args:
        different: what differs from `TRAJECTORIES`. identity: how the control names the rows.
        anew: whether other rows are of a group in the second half of the members.
    """
    sizes = TRAJECTORIES | (different or {})

    def world(conditions, seed, rng):
        widths = sorted({c.width for c in conditions})
        masks = masks_of(conditions, N_ROWS, rng)
        order = rng.permutation(N_ROWS)
        names = rng.permutation(N_ROWS) if identity is None else identity(rng)
        # By size, then of being in and out of the subset, of every row.
        rates = np.array([sizes[g] for g in ORDER]).repeat(N_ROWS // 4, axis=0).transpose(1, 2, 0)
        rates = np.clip(rates + 0.02 * rng.standard_normal() * np.array([[0], [1]]), 0, 1)
        places = [(c.width > widths[0]) + (c.width == widths[-1]) for c in conditions]
        rates = rates[places]
        if anew:
            later = [c.member >= c.n_models // 2 for c in conditions]
            rates[later] = rates[later][:, :, order]
        margins = said(rng, masks, rates)
        errors = rng.binomial(1000, 0.3, len(conditions)) / 1000
        is_flipped, agreement = GROUPS == "more", np.where(GROUPS == "same", 1.0, 0.4)
        return [
            model_size.Outcome(margin, mask, is_flipped, agreement, error, names)
            for margin, mask, error in zip(margins, masks, errors.tolist(), strict=True)
        ]

    return world


def within_groups(rng):
    """Names that are exchanged among rows of a group only."""
    rows = np.arange(N_ROWS).reshape(len(ORDER), -1)
    return rng.permuted(rows, axis=1).ravel()


same = TRAJECTORIES["same"]
# Each row rises or falls, none is memorized most in between; the mean of such rows is.
EARLY, LATE = ((0.3, 0.3), (0.9, 0.4), (1, 0.5)), ((0.8, 0.3), (0.95, 0.5), (1, 0.95))
EFFECT = grown()
NULLS = [
    named("no_row_is_memorized_less", grown({"less": same})),
    named("none_is_memorized_most_in_between", grown({"between": same})),
    named("other_models_memorize_other_rows", grown(anew=True)),
    named("rows_only_rise_early_or_fall_late", grown({"between": EARLY, "same": LATE})),
]
PLANTED = {
    model_size.SHUFFLED: [
        named("rows_keep_their_names", grown(identity=lambda rng: np.arange(N_ROWS))),
        named("names_stay_in_the_group", grown(identity=within_groups)),
    ]
}
