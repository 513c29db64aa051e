"""Where a curve over levels crosses a value: per seed, and with an interval over seeds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from overparam.errors import UsageError
from overparam.lab.intervals import LEVEL, floats, mean_interval
from overparam.lab.verdict import Interval


def crossings(
    levels: ArrayLike, matrix: ArrayLike, at: float, *, falling: bool = True
) -> np.ndarray:
    """Return for every seed the level at which its curve last passes `at`, float `[seeds]`.

    Args:
        levels: `[m]`, rising. matrix: `[m, seeds]`, NaN where missing.
        at: value to cross, in the unit of `matrix`.
        falling: the curve comes from above `at` and ends below it; otherwise the reverse.

    Returns:
        Linear interpolation between the last level at which the curve is still on its first
        side and the next one. ``inf`` where it never leaves that side, ``-inf`` where it is
        never on it, NaN where a level is missing: the curve might have come back there. "Last"
        because a curve with noise may do so.

    Raises:
        UsageError: shapes that do not fit, or levels that do not rise.

    >>> crossings([1, 2, 4], [[1.0, 1.0], [0.5, 1.0], [-0.5, 1.0]], 0.0).tolist()
    [3.0, inf]
    """
    x, y = np.asarray(levels, float), floats(matrix)
    if y.ndim != 2 or len(y) != len(x) or (np.diff(x) <= 0).any():
        raise UsageError(
            "levels and matrix do not fit",
            got=f"levels {x.tolist()}, matrix {y.shape}",
            allowed="m rising levels and [m, seeds]",
        )
    signed = (y - at) * (1 if falling else -1)
    return np.array([_crossing(x, column) for column in signed.T])


def crossing_interval(
    levels: ArrayLike,
    matrix: ArrayLike,
    at: float,
    *,
    falling: bool = True,
    level: float = LEVEL,
) -> Interval:
    """Return the mean over seeds of `crossings` with its interval.

    A place between two levels is not known better than the levels are spaced, however many seeds
    there are: where a curve falls sharply, the line between the levels errs by up to their
    distance, and in all seeds alike. So the interval is Student's t over seeds, and reaches at
    least from the mean of the levels before the crossing to the mean of those after it. It ends
    where the levels end, beyond which no crossing is seen.

    It is of the mean in the unit of the levels, and Student's t is for crossings that lie evenly
    about it. Where they differ by factors, give the logarithms of the levels, and take
    `exp_interval` of what comes back, the geometric mean. Of crossings of five seeds that are
    lognormal (.8 in the logarithm), the interval ends below their arithmetic mean in 12 % of
    studies (4 % at .5); that of the logarithms misses the geometric mean in 2 % on either side.

    Where a seed's curve does not cross, its crossing is infinite and the interval has no ends; a
    seed that lacks a level counts as missing.
    """
    found, x = crossings(levels, matrix, at, falling=falling), np.asarray(levels, float)
    known = found[~np.isnan(found)]
    if len(known) < 2 or not np.isfinite(known).all():
        return mean_interval(found, level)
    after = np.clip(np.searchsorted(x, known), 1, len(x) - 1)
    before, behind = float(x[after - 1].mean()), float(x[after].mean())
    # Seeds that agree have no interval of their own; half a spacing stands in for it.
    step, ends = (behind - before) / math.sqrt(12), (float(x[0]), float(x[-1]))
    over_seeds = mean_interval(found, level, step=step, bounds=ends)
    low, high = min(over_seeds.low, before), max(over_seeds.high, behind)
    return replace(over_seeds, low=low, high=high)


def _crossing(x: np.ndarray, signed: np.ndarray) -> float:
    if np.isnan(signed).any():
        return float("nan")
    before = np.flatnonzero(signed >= 0)
    if not len(before):
        return -np.inf
    last = before[-1]
    if last == len(x) - 1:
        return np.inf
    if np.isinf(signed[last : last + 2]).any():  # there is no line between them
        return float(x[last + np.isinf(signed[last])])
    share = signed[last] / (signed[last] - signed[last + 1])
    return float(x[last] + share * (x[last + 1] - x[last]))
