"""With how many digits a measured number is written: as many as its interval carries."""

from __future__ import annotations

import math

_WITHOUT_INTERVAL = 3  # significant digits of a number of unknown precision
_MOST = 15  # of any number: beyond it lies rounding


def significant_digits(value: float, low: float, high: float) -> int:
    """Return how many significant digits of `value` the interval carries; 0 if it is 0 beside it.

    The interval's width gets two digits, and the value's last digit stands where the width's does.
    A value that is not 0 keeps its first digit, so that the end of an interval does not seem to
    reach 0; but not a value inside an interval that holds 0 anyway.

    >>> significant_digits(-0.00098, -0.104, 0.102)
    0
    >>> [significant_digits(v, 2.31, 2.97) for v in (2.6342, 0.04, 0.0)]
    [3, 1, 0]
    >>> significant_digits(2.6342, float("nan"), float("nan"))
    3
    """
    width = abs(high - low)
    if not math.isfinite(value) or value == 0:
        return 0
    if not math.isfinite(width) or width <= 1e-13 * abs(value):
        return _WITHOUT_INTERVAL
    if abs(value) < 1e-6 * width:  # rounding
        return 0
    carried = _exponent(value) - _exponent(width) + 2
    small = abs(value) <= width / 20  # whose digits are less than half of the interval's last one
    if carried < 1 and small and low < min(value, 0) and max(value, 0) < high:
        return 0
    return min(max(carried, 1), _MOST)


def write_measured(value: float, low: float, high: float) -> str:
    """Return a finite `value` as plain text with the digits that its interval carries.

    >>> [write_measured(v, 2.31, 2.97) for v in (2.6342, 2.31, 2.97)]
    ['2.63', '2.31', '2.97']
    >>> [write_measured(v, -0.003, 0.52) for v in (0.2, -0.003, 1e-18)]
    ['0.20', '-0.003', '0']
    >>> write_measured(3.27e-8, 3.1e-8, 3.4e-8)
    '3.27e-08'
    """
    digits = significant_digits(value, low, high)
    if digits == 0:
        return "0"
    exponent = _exponent(value)
    if exponent < -4 or exponent >= 9:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(digits - 1 - exponent, 0)}f}"


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value)))
