"""Worlds of labels that are memorized one by one: accuracies in and out, by kind of row."""

from __future__ import annotations

import numpy as np

from overparam.phenomena.memorization import labels_one_by_one
from overparam.phenomena.memorization.labels_one_by_one import BELOW

RATIO = 0.7
KINDS = np.repeat(["flipped", "atypical", "typical", "other"], [15, 20, 25, 10])
AGREEMENT = np.select([KINDS == "typical", KINDS == "atypical"], [1.0, 0.3], 0.7)
# Accuracy of a label when its row was in, and when it was out.
PAST = {"flipped": (1, 0.04), "atypical": (1, 0.4), "typical": (1, 0.93), "other": (1, 0.7)}
SMALL = {
    "flipped": (0.09, 0.04),
    "atypical": (0.4, 0.3),
    "typical": (0.93, 0.9),
    "other": (0.6, 0.55),
}


def said(rng, masks, rates):
    """Margins of all members `[cells, n]`, from accuracy in and out, `[cells, 2, n]`.

    Args:
        masks: `[cells, n]`, which rows a member saw.
    """
    right = rng.random(masks.shape) < np.where(masks, rates[:, 0], rates[:, 1])
    return np.where(right, np.float32(1), np.float32(-1))


def masks_of(conditions, n, rng):
    """Subsets `[cells, n]`, the same for members of one number."""
    masks = rng.random((max(c.member for c in conditions) + 1, n)) < RATIO
    return masks[[c.member for c in conditions]]


def scored(past=None, small=None):
    """A world of labels that are memorized one by one.

    Args:
        past, small: what differs from `PAST` and `SMALL`, by kind of row.
    """
    arms = {"treatment": PAST | (past or {}), BELOW: SMALL | (small or {})}

    def world(conditions, seed, rng):
        masks = masks_of(conditions, len(KINDS), rng)
        shift = 0.02 * rng.standard_normal() * np.array([[0], [1]])
        rates = {
            arm: np.clip(np.array([of[k] for k in KINDS]).T + shift, 0, 1)
            for arm, of in arms.items()
        }
        margins = said(rng, masks, np.stack([rates[c.arm] for c in conditions]))
        errors = rng.binomial(1000, 0.3, len(conditions)) / 1000
        return [
            labels_one_by_one.Outcome(margin, mask, KINDS == "flipped", AGREEMENT, error)
            for margin, mask, error in zip(margins, masks, errors.tolist(), strict=True)
        ]

    return world


def named(name, world):
    world.__name__ = name
    return world


EFFECT = scored()
NULLS = [
    named("flipped_labels_are_guessed", scored({"flipped": (1, 0.21)})),
    named("typical_rows_are_memorized", scored({"typical": (1, 0.79)})),
    named("atypical_rows_are_as_typical", scored({"atypical": (1, 0.84)})),
    named("atypical_rows_are_as_flipped", scored({"atypical": (1, 0.13)})),
    named("nothing_is_fitted", scored({"other": (0.9, 0.7)})),
]
PLANTED = {
    BELOW: [
        named("some_flipped_labels_are_kept", scored(small={"flipped": (0.5, 0.05)})),
        named("all_flipped_labels_are_kept", scored(small={"flipped": (1, 0.03)})),
        named("and_all_rows", scored(small=PAST)),
    ]
}
