"""Bootstrap intervals, of any statistic of seeds.

Missing values are treated as in `intervals`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from overparam.checks import check_count
from overparam.lab.intervals import LEVEL, checked_level, floats
from overparam.lab.verdict import Interval
from overparam.streams import Streams


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[[np.ndarray], float],
    streams: Streams,
    n_resamples: int = 2000,
    level: float = LEVEL,
) -> Interval:
    """Return `statistic(values)` with its bias-corrected and accelerated (BCa) bootstrap interval.

    Where BCa is undefined (all resamples on one side of the estimate) the percentile interval is
    returned; where all resamples are alike there is none. Below ten values any bootstrap interval
    is too short; prefer a t interval.

    Args:
        values: `[n]` or `[n, ...]`; rows are resampled; rows that hold a NaN are left out.
        statistic: of an array like `values`, one number.
        streams: resamples come from its stream "bootstrap".

    Source: Efron, "Better bootstrap confidence intervals", JASA 82 (1987), section 4.
    """
    check_count("n_resamples", n_resamples, 10)
    x = floats(values)
    whole = ~np.isnan(x.reshape(len(x), -1)).any(1)
    x, n_missing = x[whole], int((~whole).sum())
    n = len(x)
    if n < 2:
        estimate = float(statistic(x)) if n else math.nan
        return Interval(estimate, math.nan, math.nan, checked_level(level), n, n_missing)
    estimate = float(statistic(x))
    rows = streams.numpy("bootstrap").integers(0, n, (n_resamples, n))
    resampled = np.array([statistic(x[r]) for r in rows], float)
    alike = (resampled == resampled[0]).all()
    if alike or np.isnan(resampled).any() or not math.isfinite(estimate):
        return Interval(estimate, math.nan, math.nan, level, n, n_missing)
    leave_one_out = np.array([statistic(np.delete(x, i, 0)) for i in range(n)], float)
    tails = np.array([(1 - checked_level(level)) / 2, (1 + level) / 2])
    low, high = np.quantile(resampled, _bca_tails(estimate, resampled, leave_one_out, tails))
    return Interval(estimate, float(low), float(high), level, n, n_missing)


def _bca_tails(
    estimate: float, resampled: np.ndarray, leave_one_out: np.ndarray, tails: np.ndarray
) -> np.ndarray:
    """Tail probabilities corrected for bias z0 and acceleration a (Efron 1987, eq. 3.8)."""
    below = np.mean(resampled < estimate) + 0.5 * np.mean(resampled == estimate)
    deviation = leave_one_out.mean() - leave_one_out
    spread = float((deviation**2).sum())
    if spread == 0 or not 0 < below < 1 or not math.isfinite(spread):
        return tails
    acceleration = float((deviation**3).sum()) / (6 * spread**1.5)
    z0 = special.ndtri(below)
    z = z0 + special.ndtri(tails)
    return special.ndtr(z0 + z / (1 - acceleration * z))
