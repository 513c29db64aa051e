"""What an attack achieves at a threshold: TPR at a given FPR, and the largest advantage."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.measures.clustering import ClusteredRate, binomial_counts, clustered_rate
from overparam.measures.roc import FEWEST_ABOVE, Scored, scored

_FOLDS = 5
_PARTS = 10  # of the rows, in the order in which the lower bound takes them
_BLOCK = 2**20  # thresholds that are tried at once


@dataclass(frozen=True)
class TprEstimate:
    """Fraction of members called so at a given FPR, with its interval; or why there is none.

    Attributes:
        tpr, low, high: in [0, 1]; NaN where the sample cannot resolve the FPR.
        fpr: the FPR asked for. threshold: scores above it were called members.
        n_above: non-members above the threshold. n_members, n_nonmembers, n_unknown: entries.
        reason: "" or why the rate is refused. confidence: nominal coverage, in (0, 1).
    """

    tpr: float
    low: float
    high: float
    fpr: float
    threshold: float
    n_above: int
    n_members: int
    n_nonmembers: int
    n_unknown: int
    reason: str
    confidence: float


@dataclass(frozen=True)
class AdvantageEstimate:
    """Largest TPR - FPR over thresholds, with its interval.

    Attributes:
        advantage: at thresholds chosen on other rows; 0 on average where scores say nothing, and
            then at times below 0, though the largest difference that it estimates never is.
        low, high: bounds of the interval of that largest difference, which holds `advantage`; a
            `low` of 0 or less excludes nothing. -1 where too few rows are left to bound it.
        maximum: the largest in the sample, chosen and measured on the same rows: too high.
        null_maximum: what `maximum` is on average where scores say nothing.
        n_members, n_nonmembers, n_unknown: entries. confidence: nominal coverage, in (0, 1).
    """

    advantage: float
    low: float
    high: float
    maximum: float
    null_maximum: float
    n_members: int
    n_nonmembers: int
    n_unknown: int
    confidence: float

    @property
    def balanced_accuracy(self) -> float:
        """(1 + advantage) / 2, the mean of TPR and 1 - FPR; its interval is made likewise."""
        return (1 + self.advantage) / 2


def estimate_tpr_at_fpr(
    scores: Any, members: Any, fpr: float, confidence: float = 0.95
) -> TprEstimate:
    """Return the fraction of members above the threshold that a fraction `fpr` of others exceeds.

    t is the lowest threshold above which at most floor(fpr n_0) of the n_0 non-members lie, and
    TPR the share of members above it. The interval contains both doubts. Which members lie above t:
    Clopper and Pearson's bounds. Where the true threshold is: between two order statistics of the
    non-members (binomial, whatever their distribution); how far the TPR there is from that at t.
    The two are joined by Newcombe's rule: squares of the distances add up. For several targets,
    one threshold for all, trials are counted as in `clustered_rate`.

    Args:
        scores, members: as in `roc_curve`. fpr: in (0, 1). confidence: in (0, 1).

    Returns:
        A `TprEstimate`. Refused (NaN, with `reason`) where fewer than 10 non-members, or fewer
        than 10 independent ones, are expected above the threshold: .1 % takes 10,000 of them.

    Raises:
        DataError: shapes that do not fit, or only members, or only others.
        UsageError: an fpr or a confidence out of range.

    Cost: O(n log n). It is a number of the population of rows: the risk of a single row is not
    read off it (`estimate_row_vulnerability`). Source of the rule: Newcombe 1998, Statistics in
    Medicine 17, 873.

    >>> scores, members = np.arange(2000.0), np.arange(2000) >= 1000
    >>> found = estimate_tpr_at_fpr(scores, members, 0.01)
    >>> found.tpr, found.n_above, round(found.low, 4)  # .025^(1/1000)
    (1.0, 10, 0.9963)
    >>> estimate_tpr_at_fpr(scores, members, 0.001).reason[:46]
    'an FPR of 0.001 is not resolved: it takes 10 n'
    """
    check_range("fpr", fpr, 0, 1, open_low=True, open_high=True)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    found = scored(scores, members)
    others = np.sort(found.scores[found.others])[::-1]
    n = len(others)
    allowed = math.floor(fpr * n * (1 + 1e-12))
    threshold = float(others[allowed])
    level = (1 + confidence) / 2
    above = clustered_rate(found.scores > threshold, found.others, confidence)
    reason = _unresolved(fpr, n, above)
    tpr = low = high = math.nan
    if not reason:
        few, many = binomial_counts(n, above.n_trials, fpr, level)
        strict = float(others[few - 1]) if few > 0 else math.inf
        loose = float(others[many]) if many < n else -math.inf
        named, fewer, more = (
            clustered_rate(found.scores > t, found.members, confidence)
            for t in (threshold, strict, loose)
        )
        tpr = named.rate
        low = max(tpr - math.hypot(tpr - named.low(level), tpr - fewer.rate), 0.0)
        high = min(tpr + math.hypot(named.high(level) - tpr, more.rate - tpr), 1.0)
    return TprEstimate(
        tpr,
        low,
        high,
        fpr,
        threshold,
        round(above.rate * n),
        int(found.members.sum()),
        n,
        found.n_unknown,
        reason,
        confidence,
    )


def estimate_advantage(scores: Any, members: Any, confidence: float = 0.95) -> AdvantageEstimate:
    """Return the largest TPR - FPR over thresholds.

    Taken in the sample, the maximum is too high: sqrt(pi/8 (1/n_1 + 1/n_0)) on average where
    scores say nothing. So the rows are cut in five, and each fifth is measured at the threshold
    that is best on the other four: without bias for that threshold, which is at most the best.
    The fifths choose thresholds for each other, so their errors are correlated, and their own
    bound would lie above 0 in 5 % of samples instead of 2.5 % where scores say nothing. So the
    lower bound takes ten parts one after the other, and measures each, but for the first, at the
    threshold that is best on those *before* it: errors that do not foresee each other add up as
    independent ones do. The upper bound is that of the maximum of the sample: the largest
    advantage lies between. Both from Clopper and Pearson's bounds of TPR and FPR, joined by
    Newcombe's rule (squares of the distances add up), trials counted as in `clustered_rate`.

    Args:
        scores, members: as in `roc_curve`; one threshold for all targets. confidence: in (0, 1).

    Returns:
        An `AdvantageEstimate`. The parts are drawn by a fixed generator, so equal input gives
        equal output; another order of the rows changes `advantage` and `low` within their error.

    Raises:
        DataError: shapes that do not fit, or only members, or only others.
        UsageError: a confidence out of range.

    Cost: O(n log n). Sources: Yeom et al. 2018 (arXiv:1709.01604), definition 4, for the
    advantage; Newcombe 1998, Statistics in Medicine 17, 873, for the interval; Luedtke and van der
    Laan 2016, Annals of Statistics 44, 713, for parts one after the other.

    >>> found = estimate_advantage(np.arange(200.0), np.arange(200) >= 100)
    >>> found.maximum, round(found.null_maximum, 3)
    (1.0, 0.089)
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    found = scored(scores, members)
    n_rows = found.scores.shape[1]
    order = np.random.default_rng(0).permutation(n_rows)
    fold = order % min(_FOLDS, n_rows)
    cross = _called(found, fold, lambda f: fold != f)
    best = found.scores >= _best_threshold(found, np.ones(n_rows, dtype=bool))
    advantage, _, enough = _difference(found, cross, confidence)
    maximum, _, high = _difference(found, best, confidence)
    low = min(_low_one_after_the_other(found, order, confidence), advantage, maximum)
    m, n = int(found.members.sum()), int(found.others.sum())
    return AdvantageEstimate(
        advantage,
        low,
        min(max(high, enough), 1.0),
        maximum,
        math.sqrt(math.pi / 8 * (1 / m + 1 / n)),
        m,
        n,
        found.n_unknown,
        confidence,
    )


def _low_one_after_the_other(found: Scored, order: np.ndarray, confidence: float) -> float:
    """Lower bound of the advantage: each part measured at the threshold of those before it."""
    part = order % min(_PARTS, len(order))
    called = _called(found, part, lambda f: part < f)
    later = part > 0
    measured = Scored(found.scores, found.members & later, found.others & later)
    if not measured.members.any() or not measured.others.any():
        return -1.0
    return _difference(measured, called, confidence)[1]


def _called(found: Scored, part: np.ndarray, chosen_on: Callable[[int], np.ndarray]) -> np.ndarray:
    """Who is called a member, each part of the rows at the threshold best on rows of others."""
    called = np.zeros(found.scores.shape, dtype=bool)
    for f in np.unique(part):
        here = part == f
        called[:, here] = found.scores[:, here] >= _best_threshold(found, chosen_on(f))
    return called


def _unresolved(fpr: float, n: int, above: ClusteredRate) -> str:
    needed = math.ceil(FEWEST_ABOVE / fpr * (1 - 1e-12))
    if n < needed:
        return (
            f"an FPR of {fpr:g} is not resolved: it takes {FEWEST_ABOVE} non-members above the "
            f"threshold, so {needed} in all, and there are {n}"
        )
    if above.n_effective < needed * (1 - 1e-12):
        return (
            f"an FPR of {fpr:g} is not resolved: the {n} non-members are of the same rows and "
            f"targets, and worth {above.n_effective:.0f} independent ones of {needed} needed"
        )
    return ""


def _best_threshold(found: Scored, rows: np.ndarray) -> float:
    """The score from which on TPR - FPR is largest among some rows; inf if none is above 0."""
    x, y = (np.sort(found.scores[mask & rows]) for mask in (found.members, found.others))
    if len(x) == 0 or len(y) == 0:
        return math.inf
    best, threshold = 0.0, math.inf
    # The best threshold is a member's score: between two of them only FPR changes.
    for start in range(0, len(x), _BLOCK):
        part = x[start : start + _BLOCK]
        tpr, fpr = (1 - np.searchsorted(v, part, side="left") / len(v) for v in (x, y))
        top = int((tpr - fpr).argmax())
        if tpr[top] - fpr[top] > best:
            best, threshold = float(tpr[top] - fpr[top]), float(part[top])
    return threshold


def _difference(found: Scored, called: np.ndarray, confidence: float) -> tuple[float, float, float]:
    """TPR - FPR of a decision, with Newcombe's interval."""
    level = (1 + confidence) / 2
    tpr = clustered_rate(called, found.members, confidence)
    fpr = clustered_rate(called, found.others, confidence)
    gap = tpr.rate - fpr.rate
    down = math.hypot(tpr.rate - tpr.low(level), fpr.high(level) - fpr.rate)
    up = math.hypot(tpr.high(level) - tpr.rate, fpr.rate - fpr.low(level))
    return gap, gap - down, gap + up
