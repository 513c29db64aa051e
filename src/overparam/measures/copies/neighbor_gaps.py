"""How much nearer than its neighbourhood a row's nearest neighbours are, against all other rows.

Where rows lie in a neighbourhood of m dimensions, d_1/d_7, the distance of the nearest over that
of the seventh, has a power law, and the gap log(d_7/d_1) an exponential tail, whatever the density
is there. A copy is far beyond that tail. The tail is read off the data set itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

PLACE = 7  # the neighbour that gives the scale; a row may have up to six near copies
_BULK = (0.5, 0.9)  # of the rows, between whose gaps the tail is fitted: a tenth may have copies
_SURE = 0.95  # that the tail is not longer than taken


@dataclass(frozen=True)
class GapTail:
    """The tail of gaps between rows that are no copies: P(gap > t) = share exp(-(t - start)/scale).

    Attributes:
        start: gap that a share of 0.1 exceeds. scale: of the exponential, an upper bound of it; 0
            where gaps tie, and nothing can be told.
        n: rows it was fitted to. usual: the median distance of a row's nearest neighbour.
    """

    start: float
    scale: float
    n: int
    usual: float

    def p_value(self, gap: np.ndarray) -> np.ndarray:
        """Return the probability that a row without copies has so large a gap, in (0, 1]."""
        if self.scale <= 0:
            return np.ones_like(gap)
        share = 1 - _BULK[1]
        return np.minimum(1.0, share * np.exp(-(gap - self.start) / self.scale))


def gaps(distances: np.ndarray) -> np.ndarray:
    """Return log(d_7/d_j) of the first six of each row's sorted distances, `[n, 6]`.

    >>> gaps(np.array([[1.0, 2, 2, 2, 2, 2, 4]])).round(2).tolist()
    [[1.39, 0.69, 0.69, 0.69, 0.69, 0.69]]
    """
    smallest = np.finfo(np.float64).tiny
    scale = np.log(np.maximum(distances[:, PLACE - 1 : PLACE], smallest))
    return scale - np.log(np.maximum(distances[:, : PLACE - 1], smallest))


def fit_tail(distances: np.ndarray) -> GapTail:
    """Return the tail of the first gap over rows, from sorted distances `[n, >= 7]`.

    Scale = (q_.9 - q_.5) / log(.5/.1), times 1 + 1.64 standard errors of it, so that small sets
    find no copies in what they happen to draw. Of Poisson points the hazard of the gap rises with
    the gap, so that the true tail is the shorter one; neighbourhoods of different dimensions make
    it longer.
    """
    first = gaps(distances)[:, 0]
    n = len(first)
    low, high = np.quantile(first, _BULK)
    left = [1 - share for share in _BULK]
    slope = (high - low) / np.log(left[0] / left[1])
    error = np.sqrt((1 / left[1] - 1 / left[0]) / n) / np.log(left[0] / left[1])
    scale = slope * (1 + float(ndtri(_SURE)) * error)
    return GapTail(float(high), float(scale), n, float(np.median(distances[:, 0])))


def largest_p(p_values: np.ndarray, false_share: float) -> float:
    """Return the largest p-value that counts as found, such that few of these are false.

    The rule of Benjamini and Hochberg 1995: the largest p of which n p / (how many are as small)
    is at most `false_share`; 0 where there is none.

    >>> largest_p(np.array([0.001, 0.02, 0.5, 0.9]), 0.05)
    0.02
    """
    ordered = np.sort(p_values)
    small = np.flatnonzero(ordered * len(ordered) <= false_share * np.arange(1, len(ordered) + 1))
    return float(ordered[small[-1]]) if len(small) else 0.0
