"""Rows grouped by how their memorization changes with the size of the model, and judged on others.

A score from few models is noisy, and rows picked for a large change owe some of it to luck. So
groups are formed on one half of the models and judged on the other half, where that luck is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MORE, LESS, BETWEEN, SAME = "more", "less", "most in between", "the same"
GROUPS = (MORE, LESS, BETWEEN, SAME)
SMALLEST_CHANGE = 0.2  # of a score, by which a row comes into a group


@dataclass(frozen=True, eq=False)
class Judged:
    """What the other half says of the groups that one half formed; NaN for a group without rows.

    Attributes:
        scores: `[groups, sizes]`, mean over the rows of a group. shares: `[groups]`, of the rows.
        changes: `[3]`, rise of `MORE` and fall of `LESS` from the smallest to the largest size, and
            by how much a row of `BETWEEN` lies, at the size that the first half says, above the
            higher of both ends. That is asked row by row: where some rows rise early and others
            fall late, the mean of all is highest in between, and no row is. The larger of two
            noisy scores is too high on average, so what lies above both ends is told too low.
        departures: `[3]`, of `MORE`, `LESS` and `BETWEEN` from the mean of all rows, in the
            direction that formed the group, of what `changes` tells of it; 0 in expectation where
            groups say nothing of rows.
        members: bool `[groups, n]`, which rows are in a group.
    """

    scores: np.ndarray
    shares: np.ndarray
    changes: np.ndarray
    departures: np.ndarray
    members: np.ndarray


def judge_groups(forming: np.ndarray, judging: np.ndarray) -> Judged:
    """Form groups on one half's scores and look at them in the other's, `[sizes, n]` each.

    >>> one = np.array([[0.0, 0.6, 0.1, 0.0], [0.5, 0.3, 0.8, 0.0], [0.9, 0.0, 0.2, 0.0]])
    >>> judge_groups(one, one).changes.round(1).tolist()
    [0.9, 0.6, 0.6]
    """
    known = ~np.isnan(forming + judging).any(0)
    forming, rows = forming[:, known], np.arange(int(known.sum()))
    change = forming[-1] - forming[0]
    at = forming[1:-1].argmax(0) + 1 if len(forming) > 2 else np.zeros(len(rows), int)
    peaks = _above_ends(forming)[at, rows] > SMALLEST_CHANGE
    more, less = (~peaks & (sign * change > SMALLEST_CHANGE) for sign in (1, -1))
    members = np.stack([more, less, peaks, ~(more | less | peaks)])

    def means(values: np.ndarray) -> np.ndarray:
        """Return the mean of `[..., rows]` over each group, `[..., groups]`."""
        counts = members.sum(1)
        return np.where(counts > 0, values @ members.T / np.maximum(counts, 1), np.nan)

    judged = judging[:, known]
    rise, above = judged[-1] - judged[0], _above_ends(judged)
    grown, peaked = means(rise), means(above[at, rows])
    if len(rows):  # less the same of all rows
        rise, above = rise - rise.mean(), above - above.mean(1, keepdims=True)
    apart, stands_out = means(rise), means(above[at, rows])
    of = GROUPS.index
    whole = np.zeros((len(GROUPS), len(known)), bool)
    whole[:, known] = members
    return Judged(
        means(judged).T,
        members.mean(1) if len(rows) else np.full(len(GROUPS), np.nan),
        np.array([grown[of(MORE)], -grown[of(LESS)], peaked[of(BETWEEN)]]),
        np.array([apart[of(MORE)], -apart[of(LESS)], stands_out[of(BETWEEN)]]),
        whole,
    )


def _above_ends(scores: np.ndarray) -> np.ndarray:
    """Return by how much scores `[sizes, n]` lie above the higher of both ends."""
    return scores - np.maximum(scores[0], scores[-1])
