"""Confidence intervals over seeds: means, ratios, medians; paired where cells are.

Policy on missing values, here and in `statistics`: NaN means "no value" (a cell that failed,
diverged or was not run) and is left out, in paired statistics together with its partner;
`Interval.n` says how many values remain, `Interval.n_missing` how many are missing, and of what is
missing a clause concludes nothing. Masked values are missing too. Infinities are values: where they
make a mean meaningless, the ends of the interval are NaN, from which nothing is concluded either.
With fewer than two values there is an estimate and no interval, and the same where all values are
equal, unless the step of their lattice is told: values that agree say how coarse they are, not how
sure.

What few seeds cannot exclude: an interval is of a mean over seeds, from those that were run. That
n of n seeds agree leaves it open, at 95 %, that a share of up to 1 - 0.05^(1/n) of all seeds
behaves otherwise: 45 % with five, 31 % with eight, 26 % with ten. Where few seeds in a hundred do
something else entirely, studies that meet none of them have short intervals around what the others
do; so read "observed" as a statement on the mean of what is typical, not on every seed.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from overparam.checks import check_range
from overparam.errors import UsageError
from overparam.lab.verdict import Interval

LEVEL = 0.95

Steps = float | np.ndarray  # of a lattice: one, or that of every level `[m]`


def mean_interval(
    values: ArrayLike,
    level: float = LEVEL,
    *,
    step: float = 0.0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """Return the arithmetic mean with Student's t interval, mean ± t(n-1) s / √n.

    Assumes independent values (one per seed) that are roughly normal.

    Args:
        values: `[n]`, NaN where missing.
        step: distance of the lattice on which values lie, such as 1 / n_test for fractions of test
            rows. The standard deviation counts as at least one step: without that floor, the
            intervals of few seeds that agree have width 0, and miss in 10 % (eight seeds) to 60 %
            (two) of studies of a small fraction; with it, in at most 5.5 %. 0: no step is known,
            and values that all agree have no interval.
        bounds: of what the values can be, such as (0, 1) for fractions; the ends are cut there.

    Raises:
        UsageError: values that are not `[n]`, a step that is not >= 0.

    >>> print(mean_interval([1.0, 2.0, 3.0]))
    2.0 [-0.5, 4.5]
    >>> print(mean_interval([1.0, 1.0, 1.0], step=0.01, bounds=(0, 1)))
    1.000 [0.975, 1.000]
    """
    x, n_missing = present(values)
    n = len(x)
    with np.errstate(invalid="ignore"):
        estimate = float(np.mean(x)) if n else math.nan
    half = float(half_widths(x[None], level, step=step)[0])
    low, high = max(bounds[0], estimate - half), min(bounds[1], estimate + half)
    if math.isnan(half):  # max and min keep whichever they see first
        low = high = math.nan
    return Interval(estimate, low, high, level, n, n_missing)


def half_widths(rows: np.ndarray, level: float = LEVEL, *, step: Steps = 0.0) -> np.ndarray:
    """Return t(n-1) s / √n of every row of `[m, n]`, NaN where a row has no interval.

    Args:
        step: of the lattice of all rows, or of each, `[m]`.
    """
    checked_level(level)
    _check_step(step)
    m, n = rows.shape
    if n < 2:
        return np.full(m, math.nan)
    with np.errstate(invalid="ignore"):  # rows that hold an infinity have no spread
        spread, centre = rows.std(1, ddof=1), np.abs(rows.mean(1))
    # Rounding leaves equal values a spread of some 1e-17 of their size.
    spread = np.where(spread <= 1e-14 * centre, 0.0, spread)
    spread = np.where(np.isfinite(spread), np.maximum(spread, step), math.nan)
    quantile = special.stdtrit(n - 1, 0.5 + level / 2)
    return np.where(spread > 0, quantile * spread / math.sqrt(n), math.nan)


def geometric_mean_interval(
    values: ArrayLike, level: float = LEVEL, *, floor: float = 0.0, step: float = 0.0
) -> Interval:
    """Return the geometric mean exp(mean log x), with the t interval of the logarithms.

    The right centre for errors that range over decades, as near an interpolation threshold.

    Args:
        values: `[n]`, all >= 0. floor: values below it count as this much, such as half an
            example, 0.5 / n_test. Without it a zero makes the estimate 0 and the ends NaN.
        step: of the lattice of the values themselves (see `mean_interval`).

    Raises:
        UsageError: a negative value.

    >>> print(geometric_mean_interval([2.0, 2.0, 2.0], step=0.1))
    2.00 [1.77, 2.26]
    """
    logs = logs_above(_vector("values", values), floor)
    return exp_interval(mean_interval(logs, level, step=float(step_of_logs(step, logs))))


def median_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Return the median with the interval between two order statistics.

    [x_(k), x_(n+1-k)] for the largest k with 2 P(Binomial(n, 1/2) < k) <= 1 - level. It holds the
    median with *at least* this probability whatever the (continuous) distribution; at 95 % that
    takes six values, and with fewer the ends are NaN. Infinities are values like any other.

    Raises:
        UsageError: values that are not `[n]`.

    >>> print(median_interval([1, 2, 3, 4, 5, 6, 7, 8, 9]))
    5.0 [2.0, 8.0]
    """
    x, n_missing = present(values)
    x, n = np.sort(x), len(x)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, checked_level(level), 0, n_missing)
    below, above = float(x[(n - 1) // 2]), float(x[n // 2])
    estimate = below if below == above else 0.5 * (below + above)
    # How many of the lowest values have a probability, of so many or fewer of n below the median,
    # of at most the tail: k is the first count that has more.
    tail = (1 - checked_level(level)) / 2
    k = int(np.searchsorted(special.bdtr(np.arange(n), n, 0.5), tail, side="right"))
    if k < 1:
        return Interval(estimate, math.nan, math.nan, level, n, n_missing)
    return Interval(estimate, float(x[k - 1]), float(x[n - k]), level, n, n_missing)


def paired_difference(
    a: ArrayLike, b: ArrayLike, level: float = LEVEL, *, step: float = 0.0
) -> Interval:
    """Return the mean of a - b over pairs with its t interval, `a` and `b` both `[n]`.

    Args:
        step: of the lattice of the differences (see `mean_interval`).

    Raises:
        UsageError: not two `[n]`, or a step that is not >= 0.
    """
    a, b = _pairs(a, b)
    with np.errstate(invalid="ignore"):
        difference = a - b
    undefined = np.isnan(difference) & ~(np.isnan(a) | np.isnan(b))  # inf - inf: no missing value
    return mean_interval(np.where(undefined, np.inf, difference), level, step=step)


def paired_log_ratio(
    a: ArrayLike, b: ArrayLike, level: float = LEVEL, *, floor: float = 0.0, step: float = 0.0
) -> Interval:
    """Return the ratio exp(mean log(a / b)) over pairs, with the t interval of the logarithms.

    Args:
        a, b: `[n]`, >= 0. floor: values below it count as this much; without it a zero on either
            side leaves no interval. step: of the lattice on which a and b lie, such as
            1 / n_test (see `mean_interval`).

    Raises:
        UsageError: not two `[n]`, a negative value, or a step that is not >= 0.

    >>> print(paired_log_ratio([2.0, 4.0], [1.0, 1.0]))
    3 [0.03, 231]
    """
    a, b = (logs_above(values, floor) for values in _pairs(a, b))
    coarser = np.maximum(step_of_logs(step, a), step_of_logs(step, b))
    return exp_interval(paired_difference(a, b, level, step=float(coarser)))


def step_of_logs(step: Steps, logs: ArrayLike) -> np.ndarray:
    """Return how far apart neighbours of a lattice are in logarithms, at each level, `[...]`.

    A row of test examples more is a small part of a large error and a large part of a small one:
    so the step is of the levels that are compared, each by itself, and of a pair the larger one.

    Args:
        step: of the lattice of the values, one or that of every level. logs: their logarithms,
            `[..., seeds]`; the step is taken at their geometric mean, without zeros and without
            what is missing.

    >>> step_of_logs(0.01, np.log([[0.5, 0.5], [0.02, 0.02]])).round(2).tolist()
    [0.02, 0.5]
    """
    _check_step(step)
    x = np.asarray(logs, float)
    there = np.isfinite(x)
    n = there.sum(-1)
    means = np.where(there, x, 0.0).sum(-1) / np.maximum(n, 1)
    return np.where(n > 0, step / np.exp(means), 0.0)


def logs_above(values: ArrayLike, floor: float) -> np.ndarray:
    """Return log(max(values, floor)), -inf for zeros above no floor; refuse negative values."""
    x = floats(values)
    if (x < 0).any():
        raise UsageError(
            "a ratio or geometric mean needs values >= 0",
            got=float(np.nanmin(x)),
            allowed=">= 0",
            remedy="use differences instead",
        )
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(x, floor))


def exp_interval(interval: Interval) -> Interval:
    """Return the interval of exp(x) from that of x."""
    with np.errstate(over="ignore"):
        estimate, low, high = np.exp([interval.estimate, interval.low, interval.high]).tolist()
    return replace(interval, estimate=estimate, low=low, high=high)


def floats(values: ArrayLike) -> np.ndarray:
    """Return values in float64, NaN where they are masked."""
    if isinstance(values, np.ma.MaskedArray):
        return np.ma.filled(values.astype(np.float64), np.nan)
    return np.asarray(values, float)


def present(values: ArrayLike) -> tuple[np.ndarray, int]:
    """Return those of `[n]` values that are not missing, and how many are."""
    x = _vector("values", values)
    there = ~np.isnan(x)
    return x[there], int((~there).sum())


def _pairs(a: ArrayLike, b: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    x, y = _vector("paired values", a), _vector("paired values", b)
    if len(x) != len(y):
        raise UsageError("paired values differ in length", got=f"{len(x)} and {len(y)}")
    return x, y


def _vector(name: str, values: ArrayLike) -> np.ndarray:
    x = floats(values)
    if x.ndim != 1:
        raise UsageError(f"{name} must be one for each seed", got=list(x.shape), allowed="[n]")
    return x


def _check_step(step: Steps) -> None:
    if not (np.asarray(step) >= 0).all():
        raise UsageError("a step is out of range", got=step, allowed=">= 0; 0: none is known")


def checked_level(level: float) -> float:
    """Return a confidence level inside (0, 1)."""
    return check_range("level", level, 0, 1, open_low=True, open_high=True)
