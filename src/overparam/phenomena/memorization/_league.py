"""How well scores of one run, and of the rows alone, rank rows as retrained models do.

Records are those of cells with the outcomes ``margins``, ``in_subset``, ``is_flipped`` and
``scores``, and with the field ``part`` that says whether a cell is a member of the reference or a
run on all rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from overparam.data import Dataset
from overparam.lab.records import Record, Records
from overparam.measures import (
    class_distance,
    memorization_scores,
    neighbor_disagreement,
    proxies_of_run,
)
from overparam.measures.one_run import PROXIES
from overparam.phenomena.memorization._row_members import read_members
from overparam.streams import Streams
from overparam.training.fitted import Fitted

MEMBER = "member"
BASELINES = ("neighbor_disagreement", "class_distance")
SCORES = (*PROXIES, *BASELINES)
LEAST = 0.05  # |memorization score|, from which on a row is ranked
TENTHS = 10
DRAWN = ("cumulative_loss", "final_loss", "neighbor_disagreement")


@dataclass(frozen=True, eq=False)
class Reference:
    """What the members of one seed say.

    Attributes:
        memorization: score of every row, `[n]`, NaN where it is not known.
        member_error: their mean training error.
    """

    memorization: np.ndarray
    member_error: float


@dataclass(frozen=True, eq=False)
class League:
    """Every score of `SCORES` against the reference, in the run of one arm; NaN where not known.

    Attributes:
        correlation: `[scores, seeds]`, rank correlation on rows that score above `LEAST`.
        of_right_rows: the same, flipped rows left out.
        recall: share of the flipped rows among as many top rows.
        by_tenth: `[drawn, tenths, seeds]`, mean memorization of rows in the order of a score of
            `DRAWN`.
        member_error, run_error: `[seeds]`, training errors.
    """

    correlation: np.ndarray
    of_right_rows: np.ndarray
    recall: np.ndarray
    by_tenth: np.ndarray
    member_error: np.ndarray
    run_error: np.ndarray


def read_league(records: Records, part: str, references: Mapping[int, Reference | None]) -> League:
    """Hold the runs of one part against the members, seed by seed."""
    n, m = len(SCORES), len(references)
    correlation, of_right_rows, recall = (np.full((n, m), np.nan) for _ in range(3))
    by_tenth = np.full((len(DRAWN), TENTHS, m), np.nan)
    member_error, run_error = np.full((2, m), np.nan)
    for j, (seed, said) in enumerate(references.items()):
        run = [r for r in records if r.seed == seed and r.condition.part == part]
        if len(run) != 1 or not run[0].is_measured:
            continue
        scores, flipped = run[0].outcome.scores, run[0].outcome.is_flipped
        run_error[j] = float((run[0].outcome.margins <= 0).mean())
        if said is None:
            continue
        member_error[j], known = said.member_error, ~np.isnan(said.memorization)
        memorization = said.memorization
        rows = known & (np.abs(np.where(known, memorization, 0)) > LEAST)
        correlation[:, j] = rank_correlations(scores[:, rows], memorization[rows])
        right = rows & ~flipped
        of_right_rows[:, j] = rank_correlations(scores[:, right], memorization[right])
        recall[:, j] = [recall_of(score, flipped) for score in scores]
        drawn = [scores[SCORES.index(name)][known] for name in DRAWN]
        by_tenth[..., j] = [_by_tenth(score, memorization[known]) for score in drawn]
    return League(correlation, of_right_rows, recall, by_tenth, member_error, run_error)


def scores_of_run(fitted: Fitted, rows: Dataset, streams: Streams) -> np.ndarray:
    """Return all of `SCORES` of the rows of a watched run, float32 `[scores, n]`."""
    found = proxies_of_run(fitted, rows, streams)
    found["neighbor_disagreement"] = neighbor_disagreement(rows.inputs, rows.labels)
    found["class_distance"] = class_distance(rows.inputs, rows.labels)
    return np.stack([found[name] for name in SCORES]).astype(np.float32)


def read_references(records: Records) -> dict[int, Reference | None]:
    """Return what the members of each seed say, None where one is lacking or they are too few."""
    found: dict[int, Reference | None] = {}
    for seed in records.seeds:
        members = [r for r in records if r.seed == seed and r.condition.part == MEMBER]
        found[seed] = _reference(members)
    return found


def _reference(members: Sequence[Record]) -> Reference | None:
    said = read_members(members)
    if said is None:
        return None
    n_in, n_out = said.in_subset.sum(0), (~said.in_subset).sum(0)
    if not ((n_in > 1) & (n_out > 1)).any():
        return None
    margins = np.stack([r.outcome.margins for r in members])
    scores = memorization_scores(said.in_subset, margins=margins).estimate
    return Reference(scores, said.training_error)


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
    edges = np.linspace(0, len(score), TENTHS + 1).astype(int)
    return np.add.reduceat(reference[order], edges[:-1]) / np.diff(edges)
