"""Error rates and generalization gaps of classes or named groups, partially pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from overparam.checks import check_range
from overparam.data.tables import check_rows
from overparam.errors import DataError
from overparam.measures.checked_arrays import checked_floats
from overparam.measures.jeffreys import Accuracies, difference_interval
from overparam.measures.row_groups import numbered
from overparam.measures.subgroups.pooled_rates import PooledRates, pooled_rates


@dataclass(frozen=True)
class GroupRates:
    """Error rates of G groups.

    Attributes:
        names: `[G]`, in order. n, n_wrong: int64 `[G]`, rows and how many are wrong.
        rate: `[G]`, partially pooled. low, high: `[G]`, its interval. observed: `[G]`, n_wrong / n.
        p_value: `[G]`, how often as many or more of this group would be wrong if the wrong rows
            fell on all rows alike.
        worse: bool `[G]`, worse than the rest, all groups considered together (Holm).
        n_flagged: groups with a p-value of at most 1 - confidence. n_by_chance: how many such are
            to be expected where no group differs.
        centre, centre_low, centre_high: mean of the population of groups; the median of what it
            may be. spread, spread_low, spread_high: standard deviation of rates between groups.
        overall: the rate of all rows, the trivial baseline.
        n_unknown: rows left out. confidence: nominal, in (0, 1).
    """

    names: np.ndarray
    n: np.ndarray
    n_wrong: np.ndarray
    rate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    observed: np.ndarray
    p_value: np.ndarray
    worse: np.ndarray
    n_flagged: int
    n_by_chance: float
    centre: float
    centre_low: float
    centre_high: float
    spread: float
    spread_low: float
    spread_high: float
    overall: float
    n_unknown: int
    confidence: float


@dataclass(frozen=True)
class GroupGaps:
    """Test error minus training error of G groups.

    Attributes:
        names: `[G]`, groups that both sets have. gap, low, high: `[G]`, partially pooled.
        observed: `[G]`, difference of the observed rates, the trivial baseline.
        train, test: the `GroupRates` of all groups of either set.
        only_train, only_test: names of groups that the other set lacks.
    """

    names: np.ndarray
    gap: np.ndarray
    low: np.ndarray
    high: np.ndarray
    observed: np.ndarray
    train: GroupRates
    test: GroupRates
    only_train: np.ndarray
    only_test: np.ndarray


def estimate_group_rates(wrong: Any, groups: Any, *, confidence: float = 0.95) -> GroupRates:
    """Return the error rate of each group, drawn to the mean as far as groups are alike.

    The rates of groups are draws of a beta distribution, whose mean and spread are not plugged in
    but integrated over (`pooled_rates`). A group of 10,000 rows keeps its own rate; one of 3 rows
    has nearly that of all; where groups do not differ all have the mean. Which are worse than the
    rest is told by the exact hypergeometric test of each group against all other rows, corrected
    by Holm for the number of groups.

    Args:
        wrong: `[n]`, 0 or 1, the row is classified wrongly; NaN where not known.
        groups: `[n]`, the row's class or any name. confidence: in (0, 1).

    Returns:
        `GroupRates`. Intervals are of a posterior: over groups as the population has them they
        cover at about the nominal rate, also where few rows are wrong or none is; a single group
        that is unlike all others is drawn to them, and its interval covers less often (its p-value
        is not drawn).

    Raises:
        DataError: shapes that do not fit, one index in two orders, other values than 0 and 1,
            missing names, one group, or nothing that is known.
        UsageError: a confidence outside (0, 1).

    Cost: some 30,000 evaluations for each different pair (n_wrong, n). Assumption: rows are
    independent within their groups. Sources: Efron, Morris 1975 (J. Amer. Statist. Assoc. 70, 311)
    for shrinkage; Gelman 2006 (Bayesian Analysis 1, 515) for a prior of the standard deviation
    between groups, here half-normal on the logit scale; Holm 1979 (Scand. J. Statist. 6, 65).

    >>> wrong = [1] * 3 + [0] * 97 + [1] * 30 + [0] * 70
    >>> found = estimate_group_rates(wrong, ["a"] * 100 + ["b"] * 100)
    >>> found.observed, found.worse
    (array([0.03, 0.3 ]), array([False,  True]))
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    names, n, n_wrong, n_unknown = _counted("wrong", wrong, "groups", groups)
    if len(names) < 2:
        raise DataError(
            "one group has nothing to be pooled with",
            got=names[0],
            allowed="at least two groups",
            remedy="estimate_error_rate has the interval of a single rate",
        )
    pooled = pooled_rates(n_wrong, n, confidence)
    return _group_rates(names, n, n_wrong, n_unknown, pooled, confidence)


def estimate_group_gaps(
    train_wrong: Any,
    train_groups: Any,
    test_wrong: Any,
    test_groups: Any,
    *,
    confidence: float = 0.95,
) -> GroupGaps:
    """Return test error minus training error of each group that both sets have.

    Both rates are partially pooled (`estimate_group_rates`), and the intervals joined by
    Newcombe's rule: squares of the distances add up. Where training error is 0 throughout, as of a
    model that fits all rows, the gap is the test error.

    Args:
        train_wrong, test_wrong: as `wrong` in `estimate_group_rates`. train_groups, test_groups:
            names of the same kind. confidence: in (0, 1).

    Returns:
        `GroupGaps`, in [-1, 1].

    Raises:
        DataError: as in `estimate_group_rates`, of either set, or no group that both have.
        UsageError: a confidence outside (0, 1).

    Cost: that of both rates. Assumption: the two sets are drawn independently; that groups which
    are hard in training are hard in the test is not used, so intervals are not the shortest.
    Source of the rule: Newcombe 1998, Statistics in Medicine 17, 873.

    >>> found = estimate_group_gaps([0] * 200, ["a", "b"] * 100, [0, 1] * 100, ["a", "b"] * 100)
    >>> found.observed, found.low > 0
    (array([0., 1.]), array([False,  True]))
    """
    train = _named("training set", train_wrong, train_groups, confidence)
    test = _named("test set", test_wrong, test_groups, confidence)
    # As objects: numbers must not become texts.
    places = [{name: i for i, name in enumerate(s.names.tolist())} for s in (train, test)]
    both = [name for name in places[0] if name in places[1]]
    if not both:
        raise DataError(
            "training and test set have no group in common",
            got=f"{train.names.tolist()[:3]} and {test.names.tolist()[:3]}",
            remedy="name groups alike in both",
        )
    here, there = (np.array([p[name] for name in both]) for p in places)
    one, other = (
        Accuracies(s.rate[i], s.low[i], s.high[i], np.full(len(i), np.nan))
        for s, i in ((test, there), (train, here))
    )
    low, high = difference_interval(one, other)
    return GroupGaps(
        train.names[here],
        one.estimate - other.estimate,
        low,
        high,
        test.observed[there] - train.observed[here],
        train,
        test,
        np.delete(train.names, here),
        np.delete(test.names, there),
    )


def _named(what: str, wrong: Any, groups: Any, confidence: float) -> GroupRates:
    try:
        return estimate_group_rates(wrong, groups, confidence=confidence)
    except DataError as error:
        raise DataError(
            f"{what}: {error.what}", got=error.got, allowed=error.allowed, remedy=error.remedy
        ) from None


def _counted(
    what: str, wrong: Any, called: str, groups: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return names of groups, rows and wrong rows of each, and how many rows are not known."""
    check_rows(wrong, groups, called, what)
    values = checked_floats(what, wrong, "[n]")
    names, numbers = numbered(called, groups, len(values))
    known = ~np.isnan(values)
    strange = values[known & (values != 0) & (values != 1)]
    if strange.size or not known.any():
        raise DataError(
            f"{what} must say 0 or 1 of each row",
            got=float(strange[0]) if strange.size else "only NaN",
            allowed="bool, or 0 and 1; NaN where not known",
        )
    n = np.bincount(numbers[known], minlength=len(names))
    n_wrong = np.bincount(numbers[known], weights=values[known], minlength=len(names))
    there = n > 0
    return names[there], n[there], n_wrong[there].astype(np.int64), int((~known).sum())


def _group_rates(
    names: np.ndarray,
    n: np.ndarray,
    n_wrong: np.ndarray,
    n_unknown: int,
    pooled: PooledRates,
    confidence: float,
) -> GroupRates:
    alpha = 1 - confidence
    n_rows, n_all = int(n.sum()), int(n_wrong.sum())
    p_value = hypergeom.sf(n_wrong - 1, n_rows, n_all, n)
    return GroupRates(
        names,
        n,
        n_wrong,
        pooled.mean,
        pooled.low,
        pooled.high,
        n_wrong / n,
        p_value,
        holm(p_value) <= alpha,
        int((p_value <= alpha).sum()),
        float(_flag_rates(n, n_rows, n_all, alpha).sum()),
        pooled.centre,
        pooled.centre_low,
        pooled.centre_high,
        pooled.spread,
        pooled.spread_low,
        pooled.spread_high,
        n_all / n_rows,
        n_unknown,
        confidence,
    )


def holm(p_value: np.ndarray) -> np.ndarray:
    """Return p-values corrected for their number: the least that any error is as rare as.

    >>> holm(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    order = np.argsort(p_value, kind="stable")
    scaled = p_value[order] * np.arange(len(p_value), 0, -1)
    corrected = np.empty_like(p_value)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return corrected


def _flag_rates(n: np.ndarray, n_rows: int, n_all: int, alpha: float) -> np.ndarray:
    """Return the exact probability of p <= alpha for each group, no group differing."""
    least = hypergeom.isf(alpha, n_rows, n_all, n)  # the least x with P(X > x) <= alpha
    return hypergeom.sf(least, n_rows, n_all, n)
