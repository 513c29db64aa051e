"""Effective model complexity, interpolation threshold, and capacity axes across it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from overparam.checks import check_count, check_range
from overparam.errors import DataError, UsageError

_ROUNDING = 1e-12  # of a mean of errors, which are multiples of 1/n
DEFAULT_EPSILON = 0.1  # fraction wrong that still counts as "fits the training set"


@dataclass(frozen=True)
class EmcEstimate:
    """Effective model complexity, in training examples, with its interval.

    Attributes:
        value: the estimate. low, high: bounds of the interval; NaN with a single seed. Without
            one of the seeds the sweep may be censored: then `high` is infinite, or `low` 0.
        epsilon: training error that counts as fitted.
        n_seeds: columns of the sweep. confidence: nominal coverage of the interval; where seeds
            differ much it covers less (see the function).
        censored: ``"no"``; ``"above"`` where even the largest n was fitted, so that `value` is only
            a lower bound and `high` is infinite; ``"below"`` where not even the smallest was, so
            that `value` is only an upper bound and `low` is 0.
    """

    value: float
    low: float
    high: float
    epsilon: float
    n_seeds: int
    confidence: float
    censored: str


def effective_model_complexity(
    n_train_values: ArrayLike,
    train_errors: ArrayLike,
    epsilon: float = DEFAULT_EPSILON,
    confidence: float = 0.95,
) -> EmcEstimate:
    """Return the largest number of examples on which a training procedure reaches error epsilon.

    EMC = max { n : E[train error on n examples] <= epsilon }. The expectation is the mean over
    seeds; between the largest n at or below epsilon and the next n the error is interpolated
    linearly in log n. The interval is a t interval in log n. Its standard error is the larger of
    two: that of a jackknife over seeds, and that of the mean of the seeds' own complexities, since
    a few seeds may all fit more than the mean curve does. It reaches at least from the one n to the
    other: where the error rises steeply, the line between them errs by up to their distance, and in
    all seeds alike.

    The coverage is nominal. Where seeds differ much, the mean error hangs on the few that fit
    least, and few seeds may hold none of them: of nine sizes from 50 to 5,000 and 2 to 20 seeds
    whose own complexities are lognormal, 95 % intervals lie above the truth in at most 5 % of
    sweeps where the logarithms have a standard deviation of .3, 6 % at .5, and 7 % at .8; below it
    they lie in at most .5 %.

    Args:
        n_train_values: sizes n of the sweep, `[m]`, positive and rising, m >= 2.
        train_errors: fractions wrong, `[m]` or `[m, n_seeds]`, in [0, 1].
        epsilon: in [0, 1).
        confidence: of the interval, in (0, 1).

    Returns:
        Estimate in training examples; never NaN itself. A NaN error (a run that diverged) counts
        as 1: a procedure that diverges has not fitted its examples.

    Raises:
        DataError: shapes that do not fit, sizes that do not rise, errors outside [0, 1].
        UsageError: epsilon or confidence out of range.

    Cost: O(m n_seeds^2). Assumption: seeds are independent of each other.
    Source: Nakkiran et al. 2019 (arXiv:1912.02292), definition 1; epsilon = 0.1 is their choice.

    >>> emc = effective_model_complexity([100, 10_000], [0.0, 0.2])  # half way, in log n
    >>> round(emc.value, 9), emc.censored
    (1000.0, 'no')
    """
    sizes, errors = _sweep("n_train_values", n_train_values, train_errors, epsilon)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    errors = np.where(np.isnan(errors), 1.0, errors)
    whole = _last_fitted(sizes, errors.mean(1), epsilon)
    value, censored = whole.value, whole.censored
    n_seeds = errors.shape[1]
    low = high = math.nan
    if n_seeds > 1:
        left_out = (errors.sum(1, keepdims=True) - errors) / (n_seeds - 1)
        others = [_last_fitted(sizes, column, epsilon) for column in left_out.T]
        each = [_last_fitted(sizes, column, epsilon) for column in errors.T]
        # Without any seed that fits little, the jackknife sees none that would move the mean.
        spread = max((n_seeds - 1) * _standard_error(others), _standard_error(each))
        factor = math.exp(float(special.stdtrit(n_seeds - 1, (1 + confidence) / 2)) * spread)
        low = min([value / factor, whole.fitted, *(f.fitted for f in others if not f.fitted)])
        ends = (f.not_fitted for f in others if math.isinf(f.not_fitted))
        high = max([value * factor, whole.not_fitted, *ends])
    else:
        low, high = (value, math.inf) if censored == "above" else (low, high)
        low, high = (0.0, value) if censored == "below" else (low, high)
    return EmcEstimate(value, low, high, epsilon, n_seeds, confidence, censored)


def interpolation_threshold(
    capacities: ArrayLike, train_errors: ArrayLike, epsilon: float = DEFAULT_EPSILON
) -> float:
    """Return the capacity at which the training error first falls to epsilon.

    The first capacity whose mean error is <= epsilon, and, between it and the one before, linear
    interpolation of the error in log capacity.

    Args:
        capacities: `[m]`, positive and rising, m >= 2, any unit (width, features, parameters).
        train_errors: `[m]` or `[m, n_seeds]`, in [0, 1]; the mean over seeds is taken.
        epsilon: in [0, 1).

    Returns:
        The threshold in the unit of the capacities; the smallest capacity where that is already at
        or below epsilon (an upper bound then); NaN where no capacity is. A NaN error counts as 1.

    Raises:
        DataError: shapes that do not fit, capacities that do not rise, errors outside [0, 1].
        UsageError: epsilon out of range.

    Cost: O(m n_seeds). Source: Belkin, Hsu, Ma, Mandal 2019 (arXiv:1812.11118), where epsilon is 0.

    >>> round(interpolation_threshold([1, 10, 100], [0.9, 0.2, 0.0], 0.1), 9)  # 10^1.5
    31.622776602
    """
    sizes, errors = _sweep("capacities", capacities, train_errors, epsilon)
    mean = np.where(np.isnan(errors), 1.0, errors).mean(1)
    fitted = _fitted(mean, epsilon)
    if len(fitted) == 0:
        return math.nan
    first = int(fitted[0])
    return float(sizes[0]) if first == 0 else _crossing(sizes, mean, first - 1, epsilon)


def across_threshold(
    threshold: float,
    n_below: int = 6,
    n_above: int = 6,
    low_ratio: float = 0.125,
    high_ratio: float = 8.0,
) -> list[int]:
    """Return a geometric axis of capacities that contains the threshold and brackets it.

    `n_below` capacities from low_ratio x threshold up, the threshold itself (rounded), `n_above`
    capacities up to high_ratio x threshold: strictly rising whole numbers. Where rounding would
    make neighbours equal they are moved apart, so that a sweep cannot silently lose a point.

    Args:
        threshold: capacity at which interpolation is expected, >= 2, any unit.
        n_below: capacities below it, >= 1. n_above: capacities above it, >= 1.
        low_ratio: smallest capacity as a share of the threshold, in (0, 1).
        high_ratio: largest capacity as a multiple of the threshold, > 1.

    Returns:
        n_below + 1 + n_above capacities, in the unit of the threshold.

    Raises:
        UsageError: an argument out of range (NaN included), or a side without enough whole numbers.

    Cost: O(n_below + n_above).

    >>> across_threshold(16, 2, 2, low_ratio=0.25, high_ratio=4)
    [4, 8, 16, 32, 64]
    """
    check_range("threshold", threshold, 2)
    check_count("n_below", n_below)
    check_count("n_above", n_above)
    check_range("low_ratio", low_ratio, 0, 1, open_low=True, open_high=True)
    check_range("high_ratio", high_ratio, 1, open_low=True)
    middle = round(threshold)
    low = max(1, round(threshold * low_ratio))
    high = round(threshold * high_ratio)
    for side, n, room in (("below", n_below, middle - low), ("above", n_above, high - middle)):
        if n > room:
            raise UsageError(
                f"there are not {n} whole numbers {side} the threshold {middle}",
                got=f"n_{side}={n}",
                allowed=f"<= {room} between {low} and {high}",
                remedy="ask for fewer, or widen the ratios",
            )
    below = np.geomspace(low, middle, n_below + 1)[:-1]
    above = np.geomspace(middle, high, n_above + 1)[1:]
    rising = [*_distinct(below, low, middle - 1), middle]
    return [*rising, *_distinct(above, middle + 1, high)]


def _sweep(
    name: str, capacities: ArrayLike, train_errors: ArrayLike, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    check_range("epsilon", epsilon, 0, 1, open_high=True)
    sizes = np.asarray(capacities, dtype=np.float64)
    errors = np.asarray(train_errors, dtype=np.float64)
    errors = errors[:, None] if errors.ndim == 1 else errors
    if sizes.ndim != 1 or errors.ndim != 2 or len(sizes) != len(errors) or errors.shape[1] == 0:
        raise DataError(
            f"{name} and train_errors do not fit together",
            got=f"{list(sizes.shape)} and {list(errors.shape)}",
            allowed="[m] and [m] or [m, n_seeds]",
        )
    if len(sizes) < 2 or not (np.isfinite(sizes).all() and sizes[0] > 0):
        raise DataError(f"{name} must be at least two positive numbers", got=sizes.tolist())
    if not (np.diff(sizes) > 0).all():
        raise DataError(f"{name} must rise strictly", got=sizes.tolist(), remedy="sort the sweep")
    if ((errors < 0) | (errors > 1)).any():
        raise DataError("train_errors must be fractions", got=errors.tolist(), allowed="[0, 1]")
    return sizes, errors


@dataclass(frozen=True)
class _LastFitted:
    """Where a mean curve last passes epsilon, and the sizes of the sweep on either side."""

    value: float
    fitted: float
    not_fitted: float
    censored: str


def _last_fitted(sizes: np.ndarray, mean: np.ndarray, epsilon: float) -> _LastFitted:
    fitted = _fitted(mean, epsilon)
    if len(fitted) == 0:
        return _LastFitted(float(sizes[0]), 0.0, float(sizes[0]), "below")
    last = int(fitted[-1])
    if last == len(sizes) - 1:
        return _LastFitted(float(sizes[-1]), float(sizes[-1]), math.inf, "above")
    value = _crossing(sizes, mean, last, epsilon)
    return _LastFitted(value, float(sizes[last]), float(sizes[last + 1]), "no")


def _fitted(mean: np.ndarray, epsilon: float) -> np.ndarray:
    """Return where a mean error is at most epsilon: that of three .1 is .1, not more."""
    return np.flatnonzero(mean <= epsilon + _ROUNDING)


def _crossing(sizes: np.ndarray, mean: np.ndarray, left: int, epsilon: float) -> float:
    share = min(max((epsilon - mean[left]) / (mean[left + 1] - mean[left]), 0.0), 1.0)
    low, high = sizes[left : left + 2]
    # As powers: exact at either end, where exp(log(n)) is not n.
    return float(np.clip(low ** (1 - share) * high**share, low, high))


def _standard_error(found: Sequence[_LastFitted]) -> float:
    """Of the mean logarithm of values, as if they were independent."""
    return float(np.log([each.value for each in found]).std(ddof=1)) / math.sqrt(len(found))


def _distinct(values: Sequence[float] | np.ndarray, low: int, high: int) -> list[int]:
    """Round rising values to distinct whole numbers within low ... high, moving them little."""
    whole = [round(float(value)) for value in values]
    for i in range(len(whole)):
        whole[i] = max(whole[i], low + i, whole[i - 1] + 1 if i else low)
    for i in reversed(range(len(whole))):
        limit = high if i == len(whole) - 1 else whole[i + 1] - 1
        whole[i] = min(whole[i], limit)
    return whole
