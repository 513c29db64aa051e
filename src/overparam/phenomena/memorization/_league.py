"""How well scores of one run, and of the rows alone, rank rows as retrained models do.

Records are those of cells with the outcomes ``margins``, ``in_subset``, ``is_flipped`` and
``scores``, and with the field ``part`` that says whether a cell is a member of the reference or a
run on all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from overparam.lab.records import Record, Records
from overparam.measures import memorization_scores
from overparam.measures.one_run import PROXIES
from overparam.phenomena.memorization._row_members import read_members

MEMBER = "member"
BASELINES = ("neighbor_disagreement", "class_distance")
SCORES = (*PROXIES, *BASELINES)
LEAST = 0.05  # |memorization score|, from which on a row is ranked
TENTHS = 10


@dataclass(frozen=True, eq=False)
class League:
    """Every score of `SCORES` against the reference, in the run of one arm; NaN where not known.

    Attributes:
        correlation: `[scores, seeds]`, rank correlation on rows that score above `LEAST`.
        of_right_rows: the same, flipped rows left out.
        recall: share of the flipped rows among as many top rows.
        by_tenth: `[scores, tenths, seeds]`, mean memorization of rows in the order of a score.
        member_error, run_error: `[seeds]`, training errors.
    """

    correlation: np.ndarray
    of_right_rows: np.ndarray
    recall: np.ndarray
    by_tenth: np.ndarray
    member_error: np.ndarray
    run_error: np.ndarray


def read_league(records: Records, part: str, seeds: Sequence[int]) -> League:
    """Hold the runs of one part against the members, seed by seed."""
    shape = len(SCORES), len(seeds)
    correlation, of_right_rows, recall = (np.full(shape, np.nan) for _ in range(3))
    by_tenth = np.full((len(SCORES), TENTHS, len(seeds)), np.nan)
    member_error, run_error = np.full((2, len(seeds)), np.nan)
    for j, seed in enumerate(seeds):
        run = [r for r in records if r.seed == seed and r.condition.part == part]
        members = [r for r in records if r.seed == seed and r.condition.part == MEMBER]
        if len(run) != 1 or not run[0].is_measured:
            continue
        outcome = run[0].outcome
        run_error[j] = float((outcome.margins <= 0).mean())
        said = read_members(members)
        if said is None or (reference := _reference(members)) is None:
            continue
        member_error[j] = said.training_error
        flipped, known = outcome.is_flipped, ~np.isnan(reference)
        rows = known & (np.abs(np.where(known, reference, 0)) > LEAST)
        correlation[:, j] = rank_correlations(outcome.scores[:, rows], reference[rows])
        right = rows & ~flipped
        of_right_rows[:, j] = rank_correlations(outcome.scores[:, right], reference[right])
        recall[:, j] = [recall_of(score, flipped) for score in outcome.scores]
        by_tenth[..., j] = [_by_tenth(s[known], reference[known]) for s in outcome.scores]
    return League(correlation, of_right_rows, recall, by_tenth, member_error, run_error)


def _reference(members: Sequence[Record]) -> np.ndarray | None:
    """Return the memorization score of every row from all members, None where they are too few."""
    in_subset = np.stack([r.outcome.in_subset for r in members])
    twice = (in_subset.sum(0) > 1) & ((~in_subset).sum(0) > 1)
    if not twice.any():
        return None
    margins = np.stack([r.outcome.margins for r in members])
    return memorization_scores(in_subset, margins=margins).estimate


def rank_correlations(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the rank correlation of each of `[m, n]` scores with a reference `[n]`.

    NaN for a score that is NaN in a row, or where all ranks are equal.

    >>> rank_correlations(np.array([[1.0, 2, 4], [3, 2, 1], [1, 1, 1]]), np.arange(3.0)).tolist()
    [1.0, -1.0, nan]
    """
    if scores.shape[1] < 2:
        return np.full(len(scores), np.nan)
    own, other = (rankdata(v, axis=-1) - (scores.shape[1] + 1) / 2 for v in (scores, reference))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = own @ other / np.sqrt((own**2).sum(1) * (other**2).sum())
    return np.where(np.isnan(scores).any(1), np.nan, found)


def recall_of(score: np.ndarray, wanted: np.ndarray) -> float:
    """Return the share of wanted rows among as many top rows; ties share what is left.

    >>> recall_of(np.array([3.0, 2, 2, 1]), np.array([True, True, False, False]))
    0.75
    """
    n = int(wanted.sum())
    if not n or np.isnan(score).any():
        return float("nan")
    last = np.sort(score)[-n]
    above, tied = score > last, score == last
    share = (n - above.sum()) / tied.sum()
    return float((wanted & above).sum() + share * (wanted & tied).sum()) / n


def _by_tenth(score: np.ndarray, reference: np.ndarray) -> np.ndarray:
    if np.isnan(score).any() or len(score) < TENTHS or np.ptp(score) == 0:
        return np.full(TENTHS, np.nan)
    order = np.argsort(score, kind="stable")
    return np.array([part.mean() for part in np.array_split(reference[order], TENTHS)])
