"""Held-out accuracy by subset size: consistency of each row, and the learning curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from overparam.checks import check_range
from overparam.errors import DataError
from overparam.measures.jeffreys import squared_error
from overparam.measures.subset_arrays import (
    as_array,
    as_masks,
    as_vector,
    blocks,
    check_fits,
    read_correct,
    read_masks,
)

SAME_RATIO = 0.02  # shares of rows that lie no farther apart were meant to be one


@dataclass(frozen=True)
class CScores:
    """Held-out accuracy of each row over subset ratios.

    Attributes:
        estimate: `[n]`, mean over ratios, in [0, 1]; 1 for a row that any subset teaches. NaN where
            at some ratio no model left the row out. standard_error: `[n]`, > 0.
        ratios: `[R]`, increasing. accuracy: `[R, n]`, at each ratio; n_out: int64 `[R, n]`, the
            models that left the row out.
    """

    estimate: np.ndarray
    standard_error: np.ndarray
    ratios: np.ndarray
    accuracy: np.ndarray
    n_out: np.ndarray


def c_scores(in_subset: Any, correct: Any, ratio: Any = None) -> CScores:
    """Return the consistency score of each row: its held-out accuracy, averaged over subset ratios.

    C_i = (1/R) sum_r mean_{k: ratio_k = r, i not in S_k} correct_ki.

    Args:
        in_subset: bool `[K, n]`. correct: `[K, n]`, 0 or 1; NaN where it is not known.
        ratio: `[K]`, the share of rows that each model's subset was meant to have; by default the
            share that it has. Neighbours within .02 are one ratio, their mean to two digits: sizes
            are rounded, in each class where there are classes.

    Returns:
        `CScores`. At one ratio it is the accuracy out of `memorization_scores`.

    Raises:
        DataError: shapes that do not fit, values that are neither 0 nor 1, ratios outside [0, 1].

    Cost: O(K n), by blocks of rows. Source: Jiang, Zhang, Talwar, Mozer 2021 (arXiv:2002.03206),
    there at ratios 0.1, ..., 0.9.

    >>> in_subset = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 0, 0]]
    >>> found = c_scores(in_subset, [[1, 1, 1, 1], [0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 0]])
    >>> found.ratios, found.estimate
    (array([0.25, 0.5 ]), array([0.5, 0.5, 1. , 0.5]))
    """
    masks, values, ratios, of_model = _by_ratio(in_subset, correct, ratio)
    n_right = np.zeros((len(ratios), masks.shape[1]), np.int64)
    n_out = np.zeros_like(n_right)
    for rows in blocks(masks.shape[1], len(masks)):
        said = read_correct("correct", values, rows)
        counts = ~read_masks(masks, rows) & ~np.isnan(said)
        for r in range(len(ratios)):
            some = of_model == r
            n_out[r, rows] = counts[some].sum(0)
            n_right[r, rows] = (counts[some] & (said[some] == 1)).sum(0)
    accuracy = np.where(n_out > 0, n_right / np.maximum(n_out, 1), np.nan)
    variance = np.where(n_out > 0, squared_error(n_right, n_out), np.nan)
    error = np.sqrt(variance.sum(0)) / len(ratios)
    return CScores(accuracy.mean(0), error, ratios, accuracy, n_out)


@dataclass(frozen=True)
class LearningCurve:
    """Held-out accuracy against subset size, arrays `[R]`.

    Attributes:
        ratios: share of rows in the subset, increasing. n_rows: mean number of rows in it.
        accuracy: mean held-out accuracy, in [0, 1]. low, high: its interval; NaN with one model.
        n_models: int64, models at that ratio that say something.
        confidence: nominal coverage.
    """

    ratios: np.ndarray
    n_rows: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_models: np.ndarray
    confidence: float


def learning_curve(
    in_subset: Any, correct: Any, ratio: Any = None, *, confidence: float = 0.95
) -> LearningCurve:
    """Return how accuracy on rows that were left out grows with the size of the subset.

    At each ratio, the mean over models of the accuracy on the rows they left out. Its variance is
    the sum of that over models, sum_k (a_k - a)^2 / (R_k (R_k - 1)), and that over rows,
    sum_i (e_i / e)^2 with e_i the sum of correct_ki - a over the models that left row i out and e
    the number of all terms; the interval is Student's, with R_k - 1 degrees of freedom.

    Args:
        in_subset: bool `[K, n]`. correct: `[K, n]`, 0 or 1; NaN where it is not known.
        ratio: `[K]`, as in `c_scores`.
        confidence: nominal coverage, in (0, 1).

    Returns:
        `LearningCurve`. The interval is about new rows of the same kind and new models, and is
        somewhat too wide, since what is neither the row's nor the model's is in both variances.

    Raises:
        DataError: as in `c_scores`; or a model that left no row out, at every ratio.
        UsageError: a confidence outside (0, 1).

    Cost: O(K n), by blocks of rows.

    >>> in_subset = [[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]]
    >>> curve = learning_curve(in_subset, [[1, 0, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]])
    >>> curve.n_rows, curve.accuracy.round(3)
    (array([1., 2.]), array([0.667, 1.   ]))
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    masks, values, ratios, of_model = _by_ratio(in_subset, correct, ratio)
    n_models, n = masks.shape
    n_in, n_right, n_said = np.zeros(n_models), np.zeros(n_models), np.zeros(n_models)
    right_of_row, said_of_row = np.zeros((len(ratios), n)), np.zeros((len(ratios), n))
    for rows in blocks(n, n_models):
        said, inside = read_correct("correct", values, rows), read_masks(masks, rows)
        counts = ~inside & ~np.isnan(said)
        hits = counts & (said == 1)
        n_in, n_right, n_said = n_in + inside.sum(1), n_right + hits.sum(1), n_said + counts.sum(1)
        for r in range(len(ratios)):
            right_of_row[r, rows] = hits[of_model == r].sum(0)
            said_of_row[r, rows] = counts[of_model == r].sum(0)
    if not n_said.any():
        raise DataError(
            "no model left out a row that it says something of",
            got=f"{n_models} models",
            remedy="train on subsets of the rows",
        )
    points = []
    for r in range(len(ratios)):
        some = (of_model == r) & (n_said > 0)
        each = n_right[some] / n_said[some]
        points.append(_point(each, right_of_row[r], said_of_row[r], confidence))
    accuracy, low, high = np.array(points).T
    return LearningCurve(
        ratios,
        np.array([n_in[of_model == r].mean() for r in range(len(ratios))]),
        accuracy,
        low,
        high,
        np.array([int(((of_model == r) & (n_said > 0)).sum()) for r in range(len(ratios))]),
        confidence,
    )


def _point(
    each: np.ndarray, right: np.ndarray, said: np.ndarray, confidence: float
) -> tuple[float, float, float]:
    """Return mean accuracy of models and its interval, from theirs and the rows' sums."""
    if len(each) < 2:
        return (float(each.mean()) if len(each) else np.nan), np.nan, np.nan
    mean, k, n_rows = float(each.mean()), len(each), int((said > 0).sum())
    of_models = float(each.var(ddof=1)) / k
    of_rows = float(np.square(right - mean * said).sum() / said.sum() ** 2)
    # Rows that are all right (or wrong) do not say that every row is.
    of_rows = max(of_rows, float(squared_error(np.array(0), np.array(n_rows))))
    reach = float(stdtrit(k - 1, (1 + confidence) / 2)) * np.sqrt(of_models + of_rows)
    return mean, max(mean - reach, 0.0), min(mean + reach, 1.0)


def _by_ratio(in_subset: Any, correct: Any, ratio: Any) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """Return masks, correctness, the distinct ratios and which of them each model has."""
    masks = as_masks(in_subset)
    values = as_array("correct", correct)
    check_fits("correct", values, masks)
    if ratio is None:
        share = np.zeros(len(masks))
        for rows in blocks(masks.shape[1], len(masks)):
            share += read_masks(masks, rows).sum(1)
        share = shared_ratios(share / masks.shape[1])
    else:
        share = as_vector("ratio", ratio, len(masks), "models as in_subset").astype(np.float64)
        if not np.all((share >= 0) & (share <= 1)):
            raise DataError("ratio is no share of rows", got=str(share)[:80], allowed="[0, 1]")
    ratios, of_model = np.unique(share, return_inverse=True)
    return masks, values, ratios, of_model


def shared_ratios(shares: np.ndarray, apart: float = SAME_RATIO) -> np.ndarray:
    """Return the ratio of each model: the mean of shares between which there is no gap.

    Args:
        shares: `[K]`, of the rows that each model was trained on. apart: how far shares lie apart
            that were meant to be two.

    >>> shared_ratios(np.array([0.5, 0.71, 0.7]))
    array([0.5, 0.7, 0.7])
    """
    order = np.argsort(shares, kind="stable")
    # One digit more than is kept, so that .70 and .72 are not apart by rounding.
    number = np.cumsum(np.round(np.diff(shares[order], prepend=shares.min()), 3) > apart)
    means = np.bincount(number, shares[order]) / np.bincount(number)
    found = np.empty_like(shares)
    found[order] = np.round(means, 2)[number]
    return found
