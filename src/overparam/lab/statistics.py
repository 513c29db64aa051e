"""Statistics of a study: intervals (see `intervals`, `bootstrap`) and tests of curves over seeds.

Everything is paired by seed. NaN is a missing value and is left out; infinities are values that
leave no interval (see `intervals`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from overparam.checks import check_choice, check_range
from overparam.errors import UsageError
from overparam.lab.bootstrap import bootstrap_interval
from overparam.lab.intervals import (
    LEVEL,
    Steps,
    exp_interval,
    floats,
    geometric_mean_interval,
    logs_above,
    mean_interval,
    median_interval,
    paired_difference,
    paired_log_ratio,
    present,
    step_of_logs,
)
from overparam.lab.selection import (
    best_row,
    best_rows,
    largest_reversal,
    peak_over_side,
    reversal_of_means,
    worst_rows,
    worst_rows_since_best,
)
from overparam.lab.verdict import Interval

__all__ = [
    "LEVEL",
    "How",
    "MonotoneTest",
    "PeakTest",
    "SignTest",
    "bootstrap_interval",
    "curve",
    "geometric_mean_interval",
    "mean_interval",
    "median_interval",
    "monotone_test",
    "paired_difference",
    "paired_log_ratio",
    "peak_test",
    "sign_test",
]

How = Literal["geometric", "mean", "median"]
Direction = Literal["increasing", "decreasing"]
Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True)
class SignTest:
    """Outcome of `sign_test`: counts of values above and below zero, and the exact p value.

    `n_missing` values were NaN; of what is missing p says nothing.
    """

    n_positive: int
    n_negative: int
    p_value: float
    n_missing: int = 0


def sign_test(values: ArrayLike, alternative: Alternative = "greater") -> SignTest:
    """Test with the exact binomial whether values (such as paired differences) exceed zero.

    Zeros say nothing and are left out. p is 1 where no value remains.

    >>> sign_test([0.3, 0.1, 0.4, 0.2, 0.5]).p_value
    0.03125
    """
    x, n_missing = present(values)
    above, below = int((x > 0).sum()), int((x < 0).sum())
    if above + below == 0:
        return SignTest(0, 0, 1.0, n_missing)
    from scipy import stats  # takes half a second, and few phenomena need it

    p = stats.binomtest(above, above + below, 0.5, alternative).pvalue
    return SignTest(above, below, float(p), n_missing)


@dataclass(frozen=True)
class MonotoneTest:
    """Outcome of `monotone_test`.

    Attributes:
        p_value: of Page's trend test against "no order among the levels"; small: there is a
            trend in the direction asked. NaN with fewer than two seeds or three levels.
        reversal: the largest step against the direction from an earlier to a later level, in the
            unit of the values; an interval above zero says that the curve is *not* monotone.
        reversal_levels: between which levels (selected on all seeds).
        n_seeds: seeds without a missing level.
    """

    p_value: float
    reversal: Interval
    reversal_levels: tuple[float, float]
    n_seeds: int


def monotone_test(
    levels: ArrayLike,
    matrix: ArrayLike,
    direction: Direction = "increasing",
    level: float = LEVEL,
    *,
    step: float = 0.0,
) -> MonotoneTest:
    """Test whether curves over levels follow one direction, and measure where they do not.

    Page's L tests the trend, ranks within each seed. Its p value takes it that without a trend
    the levels of a seed are exchangeable: of levels that share noise with their neighbours, or
    whose noise differs, it is too small, and no verdict here rests on it.

    A trend is not yet monotone, so the largest reversal is measured too, and looking for it among
    all pairs of levels is accounted for at both ends of its interval (`largest_interval`): the
    lower end, of pairs chosen on the other seeds, is above zero on flat curves of ten levels,
    which have no reversal, in 2.4 to 3.3 % of studies of two to eight seeds, and in up to 7 % of
    twenty seeds (nominal 2.5 %); the upper end is the highest of all pairs.

    Args:
        levels: `[m]` ascending. matrix: `[m, seeds]`. Seeds that miss at any level are left out
            and count as missing (`Interval.n_missing`): the level might have been the one that
            reverses. Ties get mean ranks (p is then approximate).
        step: of the lattice of the values, such as 1 / n_test (see `mean_interval`).

    Raises:
        UsageError: shapes that do not fit, levels not ascending, unknown direction.

    Source: Page, "Ordered hypotheses for multiple treatments", JASA 58 (1963).
    """
    check_choice("direction", direction, ["increasing", "decreasing"])
    x, y = _curves(levels, matrix)
    y = y if direction == "increasing" else -y
    reversal = largest_reversal(y, level, step=step)
    up = y[:, ~np.isnan(y).any(0)]
    m, n = up.shape
    p_value = math.nan
    if m >= 3 and n >= 2:
        from scipy import stats

        p_value = float(stats.page_trend_test(up.T).pvalue)
    if m < 2 or n < 1:
        return MonotoneTest(p_value, reversal, (math.nan, math.nan), n)
    i, j = reversal_of_means(up)
    return MonotoneTest(p_value, reversal, (float(x[i]), float(x[j])), n)


@dataclass(frozen=True)
class PeakTest:
    """Outcome of `peak_test`.

    Attributes:
        left, right: ratio of the peak's value to the best (lowest) on its left and right; both
            intervals above 1 say that there is a peak. NaN where a side has no levels.
        before, beyond: ratio of the peak's value to the *highest* on its left, from the lowest
            there on (before it, the first descent may start higher), and on its right: where one
            lies below 1, the peak stands farther to that side.
        peak_level, left_level, right_level: as selected on all seeds; NaN where there are none.
    """

    left: Interval
    right: Interval
    before: Interval
    beyond: Interval
    peak_level: float
    left_level: float
    right_level: float


def peak_test(
    levels: ArrayLike,
    matrix: ArrayLike,
    at: float,
    *,
    within: float = 2.0,
    floor: float = 0.0,
    step: Steps = 0.0,
    level: float = LEVEL,
) -> PeakTest:
    """Test whether curves peak near `at`, such as test errors near the interpolation threshold.

    Of each seed the log-ratio of its value at the peak to its value at the best level of either
    side is taken. Peak and best levels are those of the geometric mean of the *other* seeds
    (leave one seed out): chosen on the same values, the highest of many noisy levels would
    always look like a peak.

    The log-ratios of the seeds are unbiased but not independent, since seeds choose levels for
    each other: on flat curves of 13 noisy levels the plain t interval of five seeds lies wholly
    above 1 in 6.7 % of studies instead of 2.5 %, that of twenty seeds in 12 %. So the variance of
    the mean is s² (1/n + 1/(n-1)), Nadeau and Bengio's correction for overlapping training sets,
    which makes it 2.4 % and 3.4 %. That is of `left` and `right`; of each of the four intervals and
    either side of 1, on the same curves with `at` in their middle, it is 1.5 to 2.5 % with five
    seeds. With twenty it is 2 to 3 % above 1, but for `beyond`, which lies there in 5.5 %; and 4 to
    7 % below: nominally 2.5 % all. Where the levels are clear without a test, the interval is
    some 1.45 times as long as it need be.

    Args:
        levels: `[m]` ascending, > 0. matrix: `[m, seeds]`, >= 0; NaN where missing.
        at: where the peak is expected, > 0. within: factor >= 1; the peak is sought in
            [at / within, at · within] (where no level lies there, at the nearest), the sides
            are what lies beyond. floor: values below it count as this much (see
            `geometric_mean_interval`). step: of the lattice of the values, such as 1 / n_test;
            `[m]` where it differs by level. Of a ratio the coarser of the levels that are compared
            counts (see `step_of_logs`).

    A seed that lacks a level near `at` or on the side in question counts as missing: the level
    might have been its highest or its best. With one seed the ratios are those of its own highest
    and lowest levels, without interval.

    Raises:
        UsageError: shapes that do not fit, levels not ascending, negative values.

    Source: Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52
    (2003), section 4.2.

    >>> flat_then_peak = [[1, 1.1], [1, 1], [3, 3.2], [1, 1], [0.5, 0.6]]
    >>> peak_test([1, 10, 100, 1000, 10000], flat_then_peak, at=100).peak_level
    100.0
    """
    x, y = _curves(levels, matrix)
    check_range("levels", float(x[0]), 0, open_low=True)
    check_range("at", at, 0, open_low=True)
    check_range("within", within, 1)
    logs = logs_above(y, floor)
    near = (x >= at / within) & (x <= at * within)
    if not near.any():
        near = np.arange(len(x)) == np.argmin(np.abs(np.log(x / at)))
    left, right = x < x[near].min(), x > x[near].max()
    steps = step_of_logs(step, logs)

    def over(side: np.ndarray, against: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Interval:
        return exp_interval(peak_over_side(logs, near, side, level, steps, against))

    return PeakTest(
        left=over(left, best_rows),
        right=over(right, best_rows),
        before=over(left, worst_rows_since_best),
        beyond=over(right, worst_rows),
        peak_level=_level_or_nan(x, best_row(-logs, near)),
        left_level=_level_or_nan(x, best_row(logs, left)),
        right_level=_level_or_nan(x, best_row(logs, right)),
    )


def curve(
    levels: ArrayLike,
    matrix: ArrayLike,
    how: How = "geometric",
    level: float = LEVEL,
    *,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the central curve over seeds and its pointwise band, each `[m]`, for a figure.

    Args:
        levels: `[m]`. matrix: `[m, seeds]`. how: geometric or arithmetic mean with t intervals,
            or median with order statistics (a band from six seeds on).
        bounds: of what the values can be, such as (0, 1) for fractions; the band is cut there.
    """
    intervals: dict[str, Callable[[np.ndarray, float], Interval]] = {
        "geometric": geometric_mean_interval,
        "mean": mean_interval,
        "median": median_interval,
    }
    interval = intervals[check_choice("how", how, intervals)]
    _, y = _curves(levels, matrix)
    rows = [interval(row, level) for row in y]
    centre, low, high = (
        np.array([getattr(r, end) for r in rows]) for end in ("estimate", "low", "high")
    )
    return centre, np.maximum(low, bounds[0]), np.minimum(high, bounds[1])


def _curves(levels: ArrayLike, matrix: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(levels, float), floats(matrix)
    if x.ndim != 1 or y.ndim != 2 or len(x) != len(y) or len(x) == 0:
        raise UsageError(
            "levels and matrix do not fit",
            got=f"{list(x.shape)} and {list(y.shape)}",
            allowed="[m] and [m, seeds]",
        )
    if not (np.diff(x) > 0).all():
        raise UsageError("levels must ascend", got=x.tolist(), remedy="use Records.matrix")
    return x, y


def _level_or_nan(levels: np.ndarray, index: int | None) -> float:
    return math.nan if index is None else float(levels[index])
