"""Memorization of numeric targets: how much nearer models are to rows that they were trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from overparam.checks import check_range
from overparam.errors import DataError
from overparam.measures.clustering import Spread
from overparam.measures.subset_arrays import (
    as_array,
    as_masks,
    as_vector,
    blocks,
    check_fits,
    check_squares,
    read_masks,
    read_numbers,
)

_LARGEST_LOG = 14.0  # of an upper bound over its estimate, which is e^14: nothing is known


@dataclass(frozen=True)
class TargetMemorization:
    """Memorization of each row's target, arrays `[n]`, and of all rows.

    Attributes:
        estimate: mean squared error out minus in, as a share of the targets' variance; near 0 for
            a row that others teach. low, high: bounds of its interval; NaN where a side has fewer
            than two models. standard_error: of the estimate.
        error_in, error_out: mean squared errors of the models that saw the row, or did not.
        prediction: mean prediction of those that did not, and prediction_error: its standard error.
        n_in, n_out: int64, how many models these are.
        mean, mean_low, mean_high: of all rows that have an estimate, for new rows and new models.
        variance: of the targets. confidence: nominal coverage.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    standard_error: np.ndarray
    error_in: np.ndarray
    error_out: np.ndarray
    prediction: np.ndarray
    prediction_error: np.ndarray
    n_in: np.ndarray
    n_out: np.ndarray
    mean: float
    mean_low: float
    mean_high: float
    variance: float
    confidence: float


def target_memorization(
    in_subset: Any, predictions: Any, targets: Any, *, confidence: float = 0.95
) -> TargetMemorization:
    """Return how much the target of each row is memorized, with intervals.

    mem_i = (E[(f(x_i) - y_i)^2 | i not in its subset] - E[... | i in it]) / Var(y),
    from K models f trained on random subsets.

    The interval of a row is put together from those of both means over models, as
    `memorization_scores` does: m - t s below, m exp(t s / m) above, s the standard error and t
    Student's, since few squared errors tell less of how large others are than of how small. A low
    end lies above the truth in 2 % at most, nominal 2.5 %; a high end below it in up to 8 %, of a
    row whose error in is near 0 and out is that of pure noise. The mean of all rows has a t
    interval clustered over rows and models.

    Args:
        in_subset: bool `[K, n]`, row i was in model k's subset.
        predictions: `[K, n]`; NaN where a model says nothing. targets: `[n]`, finite.
        confidence: nominal coverage, in (0, 1).

    Returns:
        `TargetMemorization`. A row that was never in, or never out, has NaN.

    Raises:
        DataError: shapes that do not fit, one model, targets that do not vary or are not finite,
            numbers too large to square, or no row that a model leaves out.
        UsageError: a confidence outside (0, 1).

    Cost: O(K n), by blocks of rows. Assumption: models are independent given their subsets.
    Differs from the source, which is of classes: a squared error stands for right and wrong.
    Source: Feldman, Zhang 2020 (arXiv:2008.03703).

    >>> in_subset = [[1, 0], [1, 1], [0, 1], [0, 0]]
    >>> found = target_memorization(in_subset, [[0, 1], [0, 1], [1, 1], [1, 1]], [0.0, 1.0])
    >>> found.estimate, found.variance  # row 0 is wrong by 1 where it is out, row 1 never
    (array([4., 0.]), 0.25)
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    masks = as_masks(in_subset)
    said = as_array("predictions", predictions)
    check_fits("predictions", said, masks)
    y = as_vector("targets", targets, masks.shape[1], "rows as in_subset").astype(np.float64)
    variance = _variance(y)
    inside, outside = _Side(masks.shape[1]), _Side(masks.shape[1])
    answer, answer_error = np.full((2, len(y)), np.nan)
    for rows in blocks(len(y), len(masks)):
        values, is_in = read_numbers(said, rows), read_masks(masks, rows)
        check_squares("predictions", values)
        known, errors = ~np.isnan(values), np.square(values - y[rows])
        inside.read(rows, errors, is_in & known)
        outside.read(rows, errors, ~is_in & known)
        shift = np.where(known, values - y[rows], 0.0)  # near 0, so that no digits are lost
        n, mean, squares = _moments(shift, ~is_in & known)
        answer[rows], answer_error[rows] = y[rows] + mean, _standard_error(n, squares)
    both = (inside.n > 0) & (outside.n > 0)
    if not outside.n.any():
        raise DataError(
            "no row was left out by a model that says something of it",
            got=f"{len(masks)} models of {len(y)} rows",
            remedy="train models on random subsets of the rows",
        )
    difference = outside.mean - inside.mean
    low, high = _interval(inside, outside, confidence)
    estimate = difference / variance
    average, reach = _mean_of_rows(masks, said, y, inside, outside, both, confidence)
    return TargetMemorization(
        estimate,
        low / variance,
        high / variance,
        np.hypot(inside.error, outside.error) / variance,
        inside.mean,
        outside.mean,
        answer,
        answer_error,
        inside.n,
        outside.n,
        average / variance,
        (average - reach) / variance,
        (average + reach) / variance,
        variance,
        confidence,
    )


def _variance(targets: np.ndarray) -> float:
    check_squares("targets", targets)
    if not np.isfinite(targets).all() or not (variance := float(targets.var())) > 0:
        raise DataError(
            "targets do not vary, or are not all known",
            got=f"{targets.min():g}..{targets.max():g}",
            allowed="finite numbers, not all alike",
        )
    return variance


class _Side:
    """Squared errors of the models that saw a row, or of those that did not."""

    def __init__(self, n_rows: int) -> None:
        self.n = np.zeros(n_rows, np.int64)
        self.mean, self.error = np.full((2, n_rows), np.nan)

    def read(self, rows: slice, errors: np.ndarray, counts: np.ndarray) -> None:
        """Take the errors of some rows, of the models that count."""
        self.n[rows], mean, squares = _moments(errors, counts)
        self.mean[rows], self.error[rows] = mean, _standard_error(self.n[rows], squares)


def _moments(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return number, mean (NaN of none) and sum of squares about it, of each column."""
    n = counts.sum(0)
    total = np.where(counts, values, 0.0).sum(0)
    mean = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    return n, mean, np.square(np.where(counts, values - mean, 0.0)).sum(0)


def _standard_error(n: np.ndarray, squares: np.ndarray) -> np.ndarray:
    return np.where(n > 1, np.sqrt(squares / np.maximum(n * (n - 1), 1)), np.nan)


def _interval(inside: _Side, outside: _Side, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return bounds of the difference of two means, from those of each (Newcombe's way)."""
    below, above = [], []
    for side in (inside, outside):
        reach = stdtrit(np.maximum(side.n - 1, 1), (1 + confidence) / 2) * side.error
        ratio = np.divide(reach, side.mean, out=np.zeros_like(reach), where=side.mean > 0)
        below.append(np.minimum(reach, side.mean))
        above.append(side.mean * np.expm1(np.minimum(ratio, _LARGEST_LOG)))
    difference = outside.mean - inside.mean
    low = difference - np.hypot(below[1], above[0])
    return low, difference + np.hypot(above[1], below[0])


def _mean_of_rows(
    masks: np.ndarray,
    said: np.ndarray,
    targets: np.ndarray,
    inside: _Side,
    outside: _Side,
    both: np.ndarray,
    confidence: float,
) -> tuple[float, float]:
    """Return the mean difference over rows that have both sides, and how far its interval reaches.

    Its variance is that over rows, which has the scatter of single errors in it, and that over
    models beyond this scatter.
    """
    of_row = (outside.mean - inside.mean)[both]
    n_rows, mean = len(of_row), float(of_row.mean()) if len(of_row) else float("nan")
    of_model, entries = np.zeros(len(masks)), 0.0
    if n_rows < 2:
        return mean, float("nan")
    for rows in blocks(len(targets), len(masks)):
        values, is_in = read_numbers(said, rows), read_masks(masks, rows)
        counts, errors = ~np.isnan(values) & both[rows], np.square(values - targets[rows])
        for side, sign, some in ((inside, -1, is_in & counts), (outside, 1, ~is_in & counts)):
            apart = (errors - side.mean[rows]) / np.maximum(side.n[rows], 1) / n_rows
            parts = np.where(some, sign * apart, 0.0)
            of_model += parts.sum(1)
            entries += float(np.square(parts).sum())
    over_rows = float(np.square(of_row - mean).sum()) / (n_rows * (n_rows - 1))
    over_models = float(np.square(of_model).sum()) * len(masks) / (len(masks) - 1)
    variance = over_rows + max(over_models - entries, 0.0)
    doubt = over_models**2 / (len(masks) - 1) + over_rows**2 / (n_rows - 1)
    spread = Spread(variance, max(variance**2 / doubt, 1.0) if doubt > 0 else n_rows - 1)
    return mean, spread.half_width(confidence)
