"""Sums that do not depend on their order: equal numbers have an equal mean, to the last digit.

A score that is 0 in exact arithmetic and -3e-15 after rounding is no tie any more, and on which
side of 0 it falls depends on who is left out of a mean: that alone would tell members from others.
"""

from __future__ import annotations

import numpy as np

Total = tuple[np.ndarray, np.ndarray]  # what is added up, and what rounding has taken from it

_SPLIT = 2.0**27 + 1  # cuts a number in two halves of at most 26 digits


def add_exactly(total: Total, values: np.ndarray) -> Total:
    """Return a total and values, nothing of them being lost to rounding.

    Source: Knuth, The Art of Computer Programming 2, 4.2.2, theorem B.

    >>> total = add_exactly(add_exactly((np.float64(1e16), np.float64(0)), 1.0), -1e16)
    >>> total[0] + total[1]
    np.float64(1.0)
    """
    high, low = total
    found = high + values
    added = found - high
    return found, low + ((high - (found - added)) + (values - added))


def mean_of_total(total: Total, count: np.ndarray) -> np.ndarray:
    """Return total / count as if it were rounded once; count is whole, from 1 to 2^26.

    >>> tenth = np.float64(0.1)
    >>> total = add_exactly(add_exactly((tenth, tenth * 0), tenth), tenth)
    >>> mean_of_total(total, np.array(3)) == tenth, (tenth + tenth + tenth) / 3 == tenth
    (np.True_, np.False_)
    """
    high = total[0] + total[1]
    low = (total[0] - high) + total[1]
    found = high / count
    scaled = _SPLIT * found
    upper = scaled - (scaled - found)
    product = found * count
    error = (upper * count - product) + (found - upper) * count  # found x count - product
    left = ((high - product) - error) + low
    return np.asarray(found + left / count)
