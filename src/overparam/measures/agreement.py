"""Does a score rank rows as it should: agreement with a reference, reliability of its halves.

A correlation over all rows is no measure of memorization scores: most rows score 0, and their order
is noise. So rows are ranked where the reference says something, and the top is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from overparam.checks import check_count, check_range
from overparam.data.tables import check_rows
from overparam.errors import DataError
from overparam.measures.checked_arrays import checked_floats
from overparam.measures.clustering import ClusteredRate
from overparam.streams import Streams, check_streams

_FIXED = Streams(0)  # unless told otherwise, the measures are functions of their arguments
FEWEST_ROWS = 10  # with fewer, resampled rows say nothing of a rank correlation


@dataclass(frozen=True)
class RankAgreement:
    """How well a score ranks rows as a reference does.

    Attributes:
        spearman: rank correlation on the rows where |reference| > threshold, in [-1, 1].
        spearman_low, spearman_high: its percentile-bootstrap interval over rows.
        recall: share of the reference's top rows among as many top rows of the score, in [0, 1];
            chance gives `n_top / (n - n_missing)`.
        recall_low, recall_high: its interval by Clopper and Pearson, of `n_top` trials; exact for
            few hits too, where resampled rows say nothing: of no hit it is not [0, 0].
        n_above: rows where |reference| > threshold. n_top: rows of the top. n: rows in all.
        n_missing: rows left out, since one of the two is NaN. confidence: nominal coverage.
    """

    spearman: float
    spearman_low: float
    spearman_high: float
    recall: float
    recall_low: float
    recall_high: float
    n_above: int
    n_top: int
    n: int
    n_missing: int
    confidence: float


@dataclass(frozen=True)
class Reliability:
    """How far a score of rows would repeat itself with other models.

    Attributes:
        reliability: correlation to be expected between two ensembles of this size, Spearman-Brown
            corrected, in [-1, 1]; near 0 where the score is noise.
        low, high: percentile-bootstrap interval over rows.
        between_halves: mean rank correlation of scores from two halves of the models.
        n_splits: ways to halve. n_rows: rows with a score from every half; the mean over splits,
            rounded down. n_missing: the other rows. confidence: nominal coverage.
    """

    reliability: float
    low: float
    high: float
    between_halves: float
    n_splits: int
    n_rows: int
    n_missing: int
    confidence: float


def rank_agreement(
    scores: ArrayLike,
    reference: ArrayLike,
    *,
    threshold: float = 0.05,
    top: float = 0.05,
    n_bootstrap: int = 500,
    confidence: float = 0.95,
    streams: Streams = _FIXED,
) -> RankAgreement:
    """Return the rank correlation with a reference where that says something, and of the top.

    Spearman's correlation of the rows with |reference| > threshold; and recall: the share of the
    reference's ceil(top n) highest rows that are among the score's ceil(top n) highest.

    Args:
        scores: `[n]`, higher = more memorized. reference: `[n]`, such as memorization scores of a
            thousand models, in the same direction.
        threshold: >= 0, in units of the reference. top: share of the rows, in (0, 1).
        n_bootstrap: resamples of the rows, >= 100. confidence: of the intervals, in (0, 1).
        streams: resamples come from the stream ``rows``.

    Returns:
        `RankAgreement`. Rows where one of the two is NaN are left out and counted; infinities are
        ranked. Rows that tie at the edge of a top share the places that are left, as if one drew
        among them. NaN where ranks are all equal; the correlation's interval with fewer than 10.

    Raises:
        DataError: shapes that do not fit, or no row with both values.
        UsageError: a number out of range.

    Cost: O(n log n + n_bootstrap n). Assumption: rows are independent draws; that the reference is
    itself an estimate is not in the intervals.

    >>> found = rank_agreement([0.0, 0.1, 0.3, 0.9], [0.01, 0.2, 0.4, 1.0], top=0.25)
    >>> found.spearman, found.recall, found.n_above
    (1.0, 1.0, 3)
    """
    check_range("threshold", threshold, 0)
    check_range("top", top, 0, 1, open_low=True, open_high=True)
    _check_bootstrap(n_bootstrap, confidence)
    check_rows(scores, reference, "reference", "scores")
    a = checked_floats("scores", scores, "[n]")
    b = checked_floats("reference", reference, "[n]")
    if len(a) != len(b):
        raise DataError("scores and reference are of different rows", got=f"{len(a)} and {len(b)}")
    both = ~(np.isnan(a) | np.isnan(b))
    if not both.any():
        raise DataError("no row has both a score and a reference", got=f"{len(a)} rows")
    n, a, b = len(a), a[both], b[both]
    above = np.abs(b) > threshold
    n_top = max(1, int(np.ceil(round(top * len(a), 9))))  # 0.05 * 60 is 3, and not a little more

    scored, wanted = _Ranked(a), _Ranked(b)
    once = np.ones(len(a))
    draws = _resamples(check_streams(streams), len(a), n_bootstrap)
    correlations = [_spearman(scored, wanted, counts * above) for counts in draws]
    recall, level = _recall(scored, wanted, once, n_top), (1 + confidence) / 2
    found = ClusteredRate(recall, n_top, n_top, n_top)
    return RankAgreement(
        _spearman(scored, wanted, once * above),
        *_percentiles(correlations, int(above.sum()), confidence),
        recall,
        found.low(level),
        found.high(level),
        int(above.sum()),
        n_top,
        n,
        int((~both).sum()),
        confidence,
    )


def split_half_reliability(
    score: Callable[[np.ndarray], ArrayLike],
    n_models: int,
    *,
    n_splits: int = 20,
    n_bootstrap: int = 500,
    confidence: float = 0.95,
    streams: Streams = _FIXED,
) -> Reliability:
    """Return the split-half reliability of any score of rows that an ensemble gives.

    The models are halved at random, each half scores all rows, and r is the mean over splits of
    the rank correlation between the two. By Spearman and Brown, the score of all models agrees
    with that of as many others by 2 r / (1 + r).

    Args:
        score: maps numbers of models, int64 `[m]`, to the scores of rows that these models give,
            `[n]`, NaN where they give none. Such as
            ``lambda models: memorization_scores(in_subset[models], correct[models]).estimate``.
        n_models: K >= 4; of an odd number one model sits out in every split.
        n_splits: >= 1. n_bootstrap: resamples of the rows, >= 100. confidence: in (0, 1).
        streams: splits come from the stream ``halves``, resamples from ``rows``.

    Returns:
        `Reliability`; its values are NaN where no split leaves rows that differ in score, the
        interval with fewer than 10 rows.

    Raises:
        DataError: a score that is not `[n]`, the same n each time.
        UsageError: a number out of range.

    Cost: 2 n_splits calls of `score` and O(n_bootstrap n_splits n). Assumption: rows are
    independent draws; the interval does not hold the choice of these K models. High reliability
    says that a score repeats itself, not that it is right.
    Source: Spearman 1910 and Brown 1910, Brit. J. Psych. 3, 271 and 296.

    >>> votes = np.tile(np.arange(12.0), (6, 1))  # six models that agree
    >>> split_half_reliability(lambda models: votes[models].mean(0), 6).reliability
    1.0
    """
    check_count("n_models", n_models, 4)
    check_count("n_splits", n_splits)
    _check_bootstrap(n_bootstrap, confidence)
    halver = check_streams(streams).numpy("halves")
    pairs = [_halves(score, halver.permutation(n_models)) for _ in range(n_splits)]
    n = len(pairs[0][0])
    if any(len(half) != n for pair in pairs for half in pair):
        raise DataError("a score must be of the same rows, whatever the models", got="other rows")
    known = [~np.isnan(a + b) for a, b in pairs]
    ranked = [(_Ranked(a), _Ranked(b), k) for (a, b), k in zip(pairs, known, strict=True)]

    between = _between_halves(ranked, np.ones(n))
    draws = [_between_halves(ranked, counts) for counts in _resamples(streams, n, n_bootstrap)]
    n_rows = int(np.mean([k.sum() for k in known]))
    low, high = _percentiles([_spearman_brown(r) for r in draws], n_rows, confidence)
    return Reliability(
        _spearman_brown(between), low, high, between, n_splits, n_rows, n - n_rows, confidence
    )


def _check_bootstrap(n_bootstrap: int, confidence: float) -> None:
    check_count("n_bootstrap", n_bootstrap, 100)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)


def _halves(
    score: Callable[[np.ndarray], ArrayLike], order: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    half = len(order) // 2
    first, second = (np.sort(m) for m in (order[:half], order[half : 2 * half]))
    return (
        checked_floats("scores of a half", score(first), "[n]"),
        checked_floats("scores of a half", score(second), "[n]"),
    )


def _between_halves(pairs: list[tuple[_Ranked, _Ranked, np.ndarray]], counts: np.ndarray) -> float:
    found = np.array([_spearman(a, b, counts * known) for a, b, known in pairs])
    found = found[~np.isnan(found)]
    return float(found.mean()) if len(found) else float("nan")


def _spearman_brown(r: float) -> float:
    # Of correlations below -1/3 the formula leaves [-1, 1]: halves that contradict each other.
    return -1.0 if r < -1 / 3 else 2 * r / (1 + r)


def _resamples(streams: Streams, n: int, n_bootstrap: int) -> Iterator[np.ndarray]:
    """Yield how often every row is drawn, `[n]`, when n rows are drawn with replacement."""
    generator = streams.numpy("rows")
    for _ in range(n_bootstrap):
        yield np.bincount(generator.integers(n, size=n), minlength=n).astype(np.float64)


class _Ranked:
    """Values sorted once, so that rows that are drawn several times are ranked in O(n)."""

    def __init__(self, values: np.ndarray) -> None:
        distinct, self._place = np.unique(values, return_inverse=True)
        self._n = len(distinct)

    def ranks(self, counts: np.ndarray) -> np.ndarray:
        """Return mid-ranks about their mean of rows that count so often, `[n]`."""
        size, up_to = self._sizes(counts)
        return (up_to - size / 2 - up_to[-1] / 2)[self._place]

    def in_top(self, counts: np.ndarray, n_top: int) -> np.ndarray:
        """Return the chance of every row to be among the n_top highest, if ties are drawn."""
        size, up_to = self._sizes(counts)
        left = n_top - (up_to[-1] - up_to)
        return np.clip(left / np.maximum(size, 1), 0, 1)[self._place]

    def _sizes(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = np.bincount(self._place, counts, minlength=self._n)
        return size, np.cumsum(size)


def _spearman(a: _Ranked, b: _Ranked, counts: np.ndarray) -> float:
    x, y = a.ranks(counts), b.ranks(counts)
    size = np.sqrt((counts @ x**2) * (counts @ y**2))
    return float(np.clip(counts @ (x * y) / size, -1, 1)) if size > 0 else float("nan")


def _recall(scores: _Ranked, reference: _Ranked, counts: np.ndarray, n_top: int) -> float:
    return float(counts @ (scores.in_top(counts, n_top) * reference.in_top(counts, n_top))) / n_top


def _percentiles(draws: list[float], n_rows: int, confidence: float) -> tuple[float, float]:
    found = np.array(draws)
    found = found[~np.isnan(found)]
    if n_rows < FEWEST_ROWS or not len(found):
        return float("nan"), float("nan")
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
