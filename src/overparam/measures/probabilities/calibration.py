"""Calibration: how often what is said with a probability is so, and how far off that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import erf, gammainc, stdtrit

from overparam.checks import check_count, check_range
from overparam.errors import UsageError
from overparam.measures.probabilities.calibration_bins import (
    Bins,
    cautious_variance,
    cut_into_bins,
    off_by_chance,
    rate_bounds,
)
from overparam.measures.probabilities.predicted_rows import PredictedRows, read_predicted

_MOST_BINS = 1000
# The variance of the halved absolute value (`_halved`) of a normal number, in units of its own, is
# at most this, whatever its mean (numerically: 0.70 at mean 0, 1.63 at two standard deviations).
_HALVED_VARIANCE = 1.64


@dataclass(frozen=True)
class ReliabilityCurve:
    """How often the class came that was said with a probability, bin by bin.

    Attributes:
        score: `[B]`, mean probability, rising. rate: `[B]`, how often it was so.
        low, high: `[B]`, bounds of the rate, each bin by itself. n: int64 `[B]`, rows.
        least, most: `[B]`, the probabilities that a bin reaches from and to.
        n_unknown: rows left out. confidence: nominal coverage, in (0, 1).
    """

    score: np.ndarray
    rate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    least: np.ndarray
    most: np.ndarray
    n_unknown: int
    confidence: float


@dataclass(frozen=True)
class CalibrationError:
    """How far probabilities are off, on average over bins: without what chance adds.

    Attributes:
        rms, rms_low, rms_high: root of the mean square over rows of rate - score of their bin, in
            [0, 1]; 0 where the estimate of the square is not above 0.
        absolute, absolute_low, absolute_high: mean of |rate - score|, likewise.
        square: the unbiased estimate of the mean square; below 0 at times.
        plugin_rms, plugin_absolute: the same of the observed rates, as commonly reported: too high.
        null_rms, null_absolute: what these are on average where probabilities are right.
        p_value: how often the square would be as large where they are right.
        n_bins, n, n_unknown: bins, rows, rows left out. confidence: nominal coverage, in (0, 1).
    """

    rms: float
    rms_low: float
    rms_high: float
    absolute: float
    absolute_low: float
    absolute_high: float
    square: float
    plugin_rms: float
    plugin_absolute: float
    null_rms: float
    null_absolute: float
    p_value: float
    n_bins: int
    n: int
    n_unknown: int
    confidence: float


def reliability_curve(
    probabilities: Any,
    labels: Any,
    *,
    of_class: Any = None,
    classes: Any = None,
    groups: Any = None,
    n_bins: int = 15,
    confidence: float = 0.95,
) -> ReliabilityCurve:
    """Return how often predictions are right among rows of about the same probability.

    Rows are ordered by score and cut into bins of equal mass. The score is the largest
    probability of the row, and the event that its class is the label; of a class, the score is its
    probability, and the event that it is the label. On the diagonal, rate = score, probabilities
    are calibrated.

    Args:
        probabilities: `[n, K]`, or `[n]` of the second of two classes; rows with NaN are left out.
        labels: `[n]`, positions of columns or names of classes.
        of_class: the class whose probability is looked at; by default the most probable of the row.
        classes: `[K]`, names in the order of the columns (an estimator's `classes_`); the columns
            of a DataFrame may have them.
        groups: `[n]`, rows of one group vary together (patients, copies).
        n_bins: at most so many; equal scores are not parted, and a bin has ten rows (groups) on
            average. confidence: in (0, 1).

    Returns:
        A `ReliabilityCurve`. Bounds are Jeffreys'; with groups, of as many independent rows as the
        bin is worth by the design effect (Korn, Graubard 1998).

    Raises:
        DataError: no probabilities, one index in two orders, labels that are no classes, classes
            in another order than the columns of that name, missing labels or groups, a single
            class or group, or fewer than two rows that are known.
        UsageError: a class that is none, a number of bins or a confidence out of range.

    Cost: O(n (K + log n)). Assumption: groups are independent of each other.

    >>> said = np.repeat([[0.8, 0.2], [0.4, 0.6]], 10, axis=0)
    >>> found = reliability_curve(said, [0] * 8 + [1] * 2 + [1] * 6 + [0] * 4)
    >>> found.score, found.rate, found.n
    (array([0.6, 0.8]), array([0.6, 0.8]), array([10, 10]))
    """
    _check(n_bins, confidence)
    rows = read_predicted(probabilities, labels, classes, groups)
    score, event = _score_and_event(rows, of_class)
    bins = cut_into_bins(score, event, rows.group, n_bins)
    low, high = rate_bounds(bins, confidence)
    least, most = (
        np.array([f(score[bins.bin == b]) for b in range(len(bins.n))]) for f in (np.min, np.max)
    )
    return ReliabilityCurve(
        bins.score, bins.rate, low, high, bins.n, least, most, rows.n_unknown, confidence
    )


def estimate_calibration_error(
    probabilities: Any,
    labels: Any,
    *,
    of_class: Any = None,
    classes: Any = None,
    groups: Any = None,
    n_bins: int = 15,
    confidence: float = 0.95,
) -> CalibrationError:
    """Return the calibration error over bins, without what chance adds to it.

    With w_b the share of rows, d_b = rate - score of a bin and v_b its squared standard error:

    - square: sum_b w_b (d_b^2 - v_b), unbiased; `rms` is its root. Plugged in, sum_b w_b d_b^2 is
      too high by sum_b w_b v_b, which is about B/n times the variance of labels.
    - absolute: sum_b w_b (d erf(d / sqrt(2 v)) - 2 sqrt(v) phi(d / sqrt(v))), the mean over all
      ways of halving a bin of (sign of d in one half) times (d in the other). It is 0 on average
      where probabilities are right, and too low by at most .5 sqrt(v_b) of a bin elsewhere: no
      unbiased estimate of an absolute value exists.

    Interval of the rms: squares that are compatible with the observed one, which is distributed as
    a gamma distribution with the mean, variance and skewness of a noncentral chi-square; up to at
    least what is compatible with a square as large as chance alone makes it. Of the absolute error:
    from `absolute` less its error, up to the plugged-in one plus its error, which is never too low
    on average, or to `rms_high`, which it cannot exceed. Lower bounds are 0 unless labels drawn
    from the probabilities themselves are as far off in less than (1 - confidence)/2 of draws.

    Args:
        probabilities, labels, of_class, classes, groups, n_bins, confidence: as
            in `reliability_curve`.

    Returns:
        A `CalibrationError`, in units of probability; never NaN.

    Raises:
        DataError, UsageError: as in `reliability_curve`.

    Cost: O(n (K + log n)) and 1,000 draws of bins, by a fixed generator. Assumption: groups are
    independent. What is within a bin averages out, so this is a lower bound of the error without
    bins. Sources: Kumar, Liang, Ma 2019 (arXiv:1909.10155) for the square, from whose estimate it
    differs by the variance of label - score for that of labels; Bröcker 2012 (Climate Dynamics 39,
    655) for the same in meteorology. The halved absolute value and the intervals are ours.

    >>> said = np.repeat([[0.8, 0.2], [0.4, 0.6]], 500, axis=0)
    >>> labels = np.repeat([0, 1, 1, 0], [400, 100, 300, 200])  # exactly as often as said
    >>> found = estimate_calibration_error(said, labels)
    >>> found.rms, round(found.plugin_rms, 6), found.rms_low
    (0.0, 0.0, 0.0)
    >>> round(estimate_calibration_error(said, np.repeat([0, 1], 500)).absolute, 3)  # .2, .4
    0.3
    """
    _check(n_bins, confidence)
    rows = read_predicted(probabilities, labels, classes, groups)
    score, event = _score_and_event(rows, of_class)
    bins = cut_into_bins(score, event, rows.group, n_bins)
    share, off, v = bins.share, bins.off, np.diag(bins.covariance)
    chance = off_by_chance(bins, score)
    plugin = float(share @ off**2)
    # Rounding alone must not make equal numbers differ.
    p_value = float((1 + (chance**2 @ share >= plugin - 1e-12).sum()) / (1 + len(chance)))
    square = plugin - float(share @ v)
    quantile = float(stdtrit(int(rows.group.max()), (1 + confidence) / 2))
    wide = bins.covariance + np.diag(np.maximum(cautious_variance(bins) - v, 0))
    told = p_value <= (1 - confidence) / 2
    error, most_error = (float(np.sqrt(share @ np.abs(c) @ share)) for c in (bins.covariance, wide))
    absolute = float(share @ _halved(off, np.sqrt(v)))
    by_chance = float(share @ np.diag(wide))  # an upper bound never claims to see less than that
    lowest = _square_bound(bins, bins.covariance, plugin, (1 + confidence) / 2) if told else 0.0
    rms_low = np.sqrt(lowest)
    rms_high = np.sqrt(_square_bound(bins, wide, max(plugin, by_chance), (1 - confidence) / 2))
    rms = np.sqrt(max(square, 0.0))
    plugin_absolute = float(share @ np.abs(off))
    low = max(absolute - quantile * np.sqrt(_HALVED_VARIANCE) * error, 0.0) if told else 0.0
    high = min(plugin_absolute + quantile * most_error, max(rms_high, rms), 1.0)
    return CalibrationError(
        float(rms),
        float(min(rms_low, rms)),
        float(min(max(rms_high, rms), 1.0)),
        max(absolute, 0.0),
        float(low),
        float(max(high, absolute)),
        square,
        float(np.sqrt(plugin)),
        plugin_absolute,
        float(np.sqrt(chance**2 @ share).mean()),
        float((np.abs(chance) @ share).mean()),
        p_value,
        len(bins.n),
        len(score),
        rows.n_unknown,
        confidence,
    )


def _check(n_bins: int, confidence: float) -> None:
    check_count("n_bins", n_bins, 1, _MOST_BINS)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)


def _score_and_event(rows: PredictedRows, of_class: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the probability of what is said, and whether it was so, both float64 `[n]`."""
    if of_class is None:
        said = rows.said.argmax(1)
        return rows.said.max(1), (said == rows.labels).astype(np.float64)
    places = [i for i, name in enumerate(rows.classes.tolist()) if name == of_class]
    if not places:
        raise UsageError(
            "of_class is none of the classes",
            got=of_class,
            allowed=", ".join(map(str, rows.classes.tolist()[:10])),
        )
    return rows.said[:, places[0]], (rows.labels == places[0]).astype(np.float64)


def _halved(off: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return |off| as sign in one half of the rows times value in the other, over all halvings."""
    ratio = np.divide(off, error, out=np.full_like(off, np.inf), where=error > 0)
    density = np.exp(-np.square(ratio) / 2) / np.sqrt(2 * np.pi)
    return np.where(error > 0, off * erf(ratio / np.sqrt(2)) - 2 * error * density, np.abs(off))


def _square_bound(bins: Bins, covariance: np.ndarray, q: float, level: float) -> float:
    """Return the mean square at which a plugged-in one below q has this probability; at least 0.

    The plugged-in square has mean S + tr M and variance 2 tr M^2 + 4 S c, M = W^(1/2) C W^(1/2).
    Its skewness is that of a noncentral chi-square of the same variance, and a gamma distribution
    has all three (Pearson 1959, Biometrika 46, 364); at S = 0 it is Satterthwaite's chi-square.
    """
    share, off = bins.share, bins.off
    m = np.sqrt(np.outer(share, share)) * covariance
    trace, trace2 = float(np.trace(m)), float((m**2).sum())
    if trace2 <= 0:
        return q
    scale, freedom = trace2 / trace, trace**2 / trace2
    seen = float(share @ off**2)
    c = float((share * off) @ covariance @ (share * off)) / seen if seen > 0 else scale

    def excess(s: float) -> float:
        shift = s * c / scale**2
        variance = 2 * trace2 + 4 * s * c
        shape = (freedom + 2 * shift) ** 3 / (freedom + 3 * shift) ** 2 / 2
        at = shape + np.sqrt(shape / variance) * (q - trace - s)
        return float(gammainc(shape, max(at, 0.0))) - level

    if excess(0.0) <= 0:
        return 0.0
    top = q + trace
    while excess(top) > 0:
        top *= 2
    return float(brentq(excess, 0.0, top))
