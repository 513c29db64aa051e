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
        changes: `[4]`, rise of `MORE` and fall of `LESS` from the smallest to the largest size, and
            rise and fall of `BETWEEN` to and from the size that the first half says.
        departures: `[3]`, of `MORE`, `LESS` and `BETWEEN` from the mean of all rows, in the
            direction that formed the group; 0 in expectation where groups say nothing of rows.
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
    [0.9, 0.6, 0.7, 0.6]
    """
    known = ~np.isnan(forming + judging).any(0)
    forming, rows = forming[:, known], np.arange(int(known.sum()))
    change = forming[-1] - forming[0]
    at = forming[1:-1].argmax(0) + 1 if len(forming) > 2 else np.zeros(len(rows), int)
    over_ends = forming[at, rows] - np.maximum(forming[0], forming[-1])
    peaks = over_ends > SMALLEST_CHANGE
    more, less = (~peaks & (sign * change > SMALLEST_CHANGE) for sign in (1, -1))
    members = np.stack([more, less, peaks, ~(more | less | peaks)])

    def means(values: np.ndarray) -> np.ndarray:
        """Return the mean of `[..., rows]` over each group, `[..., groups]`."""
        counts = members.sum(1)
        return np.where(counts > 0, values @ members.T / np.maximum(counts, 1), np.nan)

    judged = judging[:, known]
    first, middle, last = judged[0], judged[at, rows], judged[-1]
    rise, to_middle, from_middle = (means(v) for v in (last - first, middle - first, middle - last))
    level = judged.mean(1) if len(rows) else np.zeros(len(judged))
    departure = means(last - first - (level[-1] - level[0]))
    bend = means(middle - level[at] - (first - level[0] + last - level[-1]) / 2)
    of = GROUPS.index
    whole = np.zeros((len(GROUPS), len(known)), bool)
    whole[:, known] = members
    return Judged(
        means(judged).T,
        members.mean(1) if len(rows) else np.full(len(GROUPS), np.nan),
        np.array(
            [rise[of(MORE)], -rise[of(LESS)], to_middle[of(BETWEEN)], from_middle[of(BETWEEN)]]
        ),
        np.array([departure[of(MORE)], -departure[of(LESS)], bend[of(BETWEEN)]]),
        whole,
    )
