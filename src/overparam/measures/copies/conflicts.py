"""Label conflicts: equal inputs with different labels, and the error that no model can avoid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from overparam.checks import check_range
from overparam.data.subsets import number_values
from overparam.data.tables import check_rows
from overparam.errors import DataError
from overparam.measures.clustering import ClusteredRate, clustered_spread
from overparam.measures.copies.ambiguous_inputs import ambiguity_of_groups, surely_ambiguous
from overparam.measures.error import RateEstimate


@dataclass(frozen=True)
class LabelConflicts:
    """Groups of equal inputs whose labels differ; arrays `[g]` of these groups, largest first.

    Attributes:
        rows: the rows of each group. majority: its commonest label, the first of equally common.
        n_minority: int64, rows with another label. ambiguity: the probability that the input does
            not decide the label there, in [0, 1]; else the minority are wrong labels.
        p_errors: p-value of all conflicts being wrong labels, spread evenly over rows.
        is_ambiguous: bool, the groups of most ambiguity, as many as keep the expected share of
            false ones at 1 - confidence; none where p_errors is above that. Of the others nothing
            is told: small groups do not say which it is.
        is_minority: bool `[n]`, rows whose label is not the commonest of their group.
        n_in_conflict: rows in these groups. n_repeated: rows whose input occurs twice or more.
        least_error: share of all n rows that any function of the inputs gets wrong on them.
        disagreement: how often two rows of one input have different labels, over the rows whose
            input is repeated. NaN in [0, 1] where no input is.
        irreducible: error of the best function of the inputs on new rows of these inputs.
        baseline: disagreement of two rows drawn from all: what it is where inputs say nothing.
    """

    rows: list[np.ndarray]
    majority: list[Any]
    n_minority: np.ndarray
    ambiguity: np.ndarray
    p_errors: float
    is_ambiguous: np.ndarray
    is_minority: np.ndarray
    n_in_conflict: int
    n_repeated: int
    least_error: float
    disagreement: RateEstimate
    irreducible: RateEstimate
    baseline: float


def label_conflicts(
    groups: Any, labels: Any, *, noise_rate: float | None = None, confidence: float = 0.95
) -> LabelConflicts:
    """Return where equal inputs have different labels, and what that costs at the least.

    On the rows given: least_error = sum_g (n_g - max_c n_gc) / n, exactly.

    On new rows of the same inputs: with p_c(x) the labels' distribution at x, the best function has
    error e = 1 - max_c p_c, and two rows disagree with probability g = 1 - sum_c p_c^2, of which
    the share of pairs that differ in a group is an unbiased estimate (the share in the minority is
    too low: two rows of a fair coin agree half of the time). Cover and Hart 1967 (IEEE Trans. Inf.
    Theory 13, 21): e <= g <= 2 e - e^2 K/(K - 1), over all x too. So `irreducible` reaches from
    what g's lower bound implies to its upper bound, its rate being the least that g allows.

    Args:
        groups: `[n]`, equal for rows of equal input, or what `find_duplicates` returned.
        labels: `[n]`, classes: numbers, texts, anything that can be told apart.
        noise_rate: of wrong labels, in [0, 0.5), such as that of `estimate_noise_rate`; by default
            fitted to the groups with the share of ambiguous inputs (`ambiguous_inputs`).
        confidence: nominal coverage of the intervals, in (0, 1).

    Returns:
        `LabelConflicts`. Intervals take groups as drawn independently (`clustering`).

    Raises:
        DataError: groups and labels of different lengths or with one index in two orders, missing
            values, no rows.
        UsageError: a rate or a confidence out of range.

    Cost: O(n log n). Assumption: labels of rows of one input are independent. Rows whose input
    occurs once say nothing of their own.

    >>> found = label_conflicts([0, 0, 0, 1, 1, 2], ["a", "a", "b", "c", "c", "a"])
    >>> found.majority, found.n_minority, round(found.least_error, 3)
    (['a'], array([1]), 0.167)
    >>> round(found.disagreement.rate, 3)  # three rows that disagree by 2/3, two by 0
    0.4
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    if noise_rate is not None:
        check_range("noise_rate", noise_rate, 0, 0.5, open_high=True)
    of_group, of_label, names = _read(groups, labels)
    n, n_classes = len(of_group), len(names)
    cell, of_cell, counts = np.unique(
        of_group * n_classes + of_label, return_inverse=True, return_counts=True
    )
    group, label = np.divmod(cell, n_classes)
    size = np.bincount(of_group)
    first = np.unique(of_cell, return_index=True)[1]
    # Of each group the cell with most rows, and of these that which comes first.
    order = np.lexsort((first, -counts, group))
    best = order[np.unique(group[order], return_index=True)[1]]
    minority = size - counts[best]
    differ = size - np.bincount(group, counts.astype(np.float64) ** 2) / size
    repeated = size > 1
    # The mean over a group's rows of the share of its other rows that differ, times its rows.
    differ = np.where(repeated, differ * size / np.maximum(size - 1, 1), 0.0)
    in_conflict = np.flatnonzero(minority > 0)
    in_conflict = in_conflict[np.argsort(-size[in_conflict], kind="stable")]
    told = ambiguity_of_groups(size[repeated], minority[repeated], noise_rate)
    ambiguity = np.zeros(len(size))
    ambiguity[repeated] = told.probability
    is_sure = told.p_value <= 1 - confidence
    by_group = np.split(np.argsort(of_group, kind="stable"), np.cumsum(size)[:-1])
    pairs = _disagreement(differ[repeated], size[repeated], confidence)
    share = np.bincount(of_label) / n
    return LabelConflicts(
        [by_group[g] for g in in_conflict],
        [names[label[best[g]]] for g in in_conflict],
        minority[in_conflict],
        ambiguity[in_conflict],
        told.p_value,
        is_sure & surely_ambiguous(ambiguity[in_conflict], 1 - confidence),
        of_cell != best[of_group],
        int(size[in_conflict].sum()),
        int(size[repeated].sum()),
        float(minority.sum() / n),
        pairs,
        _irreducible(pairs, max(n_classes, 2)),
        float(1 - (share**2).sum()),
    )


def _read(groups: Any, labels: Any) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """Return numbers of groups and of labels, `[n]`, and what the labels are."""
    held = getattr(groups, "group", groups)
    check_rows(held, labels, "labels", "groups")
    try:
        n = len(held)
    except TypeError:
        raise DataError("groups must be one value for each row", got=type(held).__name__) from None
    if not n:
        raise DataError("there are no rows", got="groups []")
    of_group = number_values("groups", n, held)
    said: Sequence[Any] = labels.tolist() if hasattr(labels, "tolist") else labels
    of_label = number_values("labels", n, said)
    names = [said[i] for i in np.unique(of_label, return_index=True)[1]]
    return of_group, of_label, names


def _disagreement(differ: np.ndarray, size: np.ndarray, confidence: float) -> RateEstimate:
    n = int(size.sum())
    if not n:
        return RateEstimate(np.nan, 0.0, 1.0, 0, confidence)
    level = (1 + confidence) / 2
    rate = float(np.clip(differ.sum() / n, 0, 1))
    n_groups, n_trials = len(size), float(len(size))
    if 0 < rate < 1 and n_groups > 1:
        parts = (differ - rate * size) / n * np.sqrt(n_groups / (n_groups - 1))
        spread = clustered_spread(parts, np.zeros(1), float((parts**2).sum()))
        n_trials = min(rate * (1 - rate) / spread.variance, n) if spread.variance > 0 else n
        normal, student = stdtrit(np.inf, level), stdtrit(n_groups - 1, level)
        n_trials *= float(normal / student) ** 2
    trials = ClusteredRate(rate, n, n_trials, n_trials)
    return RateEstimate(rate, trials.low(level), trials.high(level), n, confidence)


def _irreducible(pairs: RateEstimate, n_classes: int) -> RateEstimate:
    """Return the best error from how often pairs disagree, bounds on both sides."""
    share = n_classes / (n_classes - 1)

    def least(disagreement: float) -> float:
        return (1 - np.sqrt(max(1 - share * disagreement, 0.0))) / share

    high = min(pairs.high, 1 / share)
    return RateEstimate(
        float(least(pairs.rate)), float(least(pairs.low)), high, pairs.n, pairs.confidence
    )
