"""Few draws of 0 and 1: moments and intervals of their rate that are never of zero width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv


@dataclass(frozen=True)
class Accuracies:
    """How often models are right on each row, with what is not known of it.

    Attributes:
        estimate: in [0, 1]; NaN where no model counts. low, high: bounds of an interval.
        variance: squared standard error.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    variance: np.ndarray


def squared_error(n_hits: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the squared standard error of the share n_hits / n as an estimate of a rate.

    The mean of (n_hits / n - p)^2 over what p may be after these draws, a priori anything in [0, 1]
    alike: m (1 - m) / (n + 3) + (n_hits / n - m)^2 with m = (n_hits + 1) / (n + 2), Laplace's rule
    of succession. So over rows of all rates it is the mean squared error, from one draw on; and it
    is positive at n_hits = 0 too, where q (1 - q) / n is 0. Where rates of all rows are near 1/2,
    the error is larger, 1.29 times the standard error with two draws and 1.16 times with ten, and
    smaller where they are near 0 or 1.

    >>> squared_error(np.array([0, 1]), np.array([1, 1]))  # p (1 - p) is 1/6 on average
    array([0.16666667, 0.16666667])
    """
    middle = (n_hits + 1) / (n + 2)
    return middle * (1 - middle) / (n + 3) + (n_hits / np.maximum(n, 1) - middle) ** 2


def jeffreys_accuracies(n_hits: np.ndarray, n: np.ndarray, confidence: float) -> Accuracies:
    """Return rates n_hits / n with Jeffreys' intervals; NaN where n = 0.

    Bounds are quantiles of Beta(n_hits + 1/2, n - n_hits + 1/2); the lower one is 0 at n_hits = 0
    and the upper one 1 at n_hits = n, without which these cases would be covered too seldom.

    Source: Brown, Cai, DasGupta 2001, Statistical Science 16, 101.

    >>> found = jeffreys_accuracies(np.array([0, 3]), np.array([3, 3]), 0.95)
    >>> found.low.round(3), found.high.round(3)
    (array([0.   , 0.464]), array([0.536, 1.   ]))
    """
    known = n > 0
    rate = np.where(known, n_hits / np.maximum(n, 1), np.nan)
    alpha = (1 - confidence) / 2
    # Many rows share the few counts there are, and a quantile costs more than all else.
    counts, of_row = np.unique(n * (n.max(initial=0) + 1) + n_hits, return_inverse=True)
    total, hits = np.divmod(counts, n.max(initial=0) + 1)
    a, b = hits + 0.5, total - hits + 0.5
    low = np.where(n_hits == 0, 0.0, betaincinv(a, b, alpha)[of_row])
    high = np.where(n_hits == n, 1.0, betaincinv(a, b, 1 - alpha)[of_row])
    return Accuracies(
        rate,
        np.where(known, low, np.nan),
        np.where(known, high, np.nan),
        np.where(known, squared_error(n_hits, n), np.nan),
    )


def difference_interval(one: Accuracies, other: Accuracies) -> tuple[np.ndarray, np.ndarray]:
    """Return an interval of the difference of two independent rates, from that of each.

    d - sqrt((p1 - l1)^2 + (u2 - p2)^2), d + sqrt((u1 - p1)^2 + (p2 - l2)^2): it keeps how lopsided
    either is, as near 0 and 1, and lies in [-1, 1] as these do. Where 1 and 0 are possible, so is
    their difference.

    Source: Newcombe 1998, Statistics in Medicine 17, 873 (method 10, there of Wilson intervals).

    >>> one, other = (jeffreys_accuracies(np.array([c]), np.array([9]), 0.95) for c in (9, 0))
    >>> low, high = difference_interval(one, other)
    >>> bool(low[0] > 0), float(high[0])
    (True, 1.0)
    """
    difference = one.estimate - other.estimate
    below = np.hypot(one.estimate - one.low, other.high - other.estimate)
    above = np.hypot(one.high - one.estimate, other.estimate - other.low)
    low = np.where((one.low == 0) & (other.high == 1), -1.0, np.maximum(difference - below, -1.0))
    high = np.where((one.high == 1) & (other.low == 0), 1.0, np.minimum(difference + above, 1.0))
    return low, high
