"""Errors measured at several numbers of rows: their means and noise, and whether they rise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, polygamma

from overparam.checks import check_range
from overparam.errors import DataError
from overparam.measures.checked_arrays import as_array as _plain
from overparam.measures.jeffreys import squared_error
from overparam.measures.subset_arrays import as_array, as_vector

_DRAWS = 5_000  # of the largest of many t statistics
_PRIOR_FREEDOM = 6  # degrees of freedom that the trend of the noise is worth at each size
_EXACTEST = 1e-4  # share of the largest error, to which a mean error is known at best
_USUAL_SLOPE = (-0.5, 0.5)  # of the variance of training as a power of the rows; and its deviation


@dataclass(frozen=True)
class MeasuredCurve:
    """Mean errors `[S]` by increasing number of rows, and what is not known of them.

    Attributes:
        rows: `[S]`, increasing. error: `[S]`. covariance: `[S, S]` of these means.
        freedom: degrees of freedom with which the covariance is known.
    """

    rows: np.ndarray
    error: np.ndarray
    covariance: np.ndarray
    freedom: float


@dataclass(frozen=True)
class CurveRise:
    """Whether error rises anywhere as rows grow.

    Attributes:
        rises: some rise is not chance. p_value: of the least likely rise among all pairs of sizes.
        from_rows, to_rows: that pair. rise, low, high: error at `to_rows` less that at `from_rows`,
            with bounds that hold for all pairs at once.
        largest_possible: no pair of sizes rises by more than this, at the same confidence; what
            `rises == False` leaves open.
        confidence: nominal coverage.
    """

    rises: bool
    p_value: float
    from_rows: float
    to_rows: float
    rise: float
    low: float
    high: float
    largest_possible: float
    confidence: float


def estimate_curve_rise(rows: Any, errors: Any, *, confidence: float = 0.95) -> CurveRise:
    """Return whether error rises from some number of rows to a larger one.

    T = max over s < t of (m_t - m_s) / se(m_t - m_s), against its distribution where all m are
    equal, which is the hardest case of "never rises". Nothing is fitted. More data can hurt at the
    interpolation threshold (Nakkiran et al. 2019, arXiv:1912.02292, section 7), where a fitted
    curve that only falls would hide it.

    Args:
        rows, errors: as in `estimate_more_data`; two sizes are enough here.
        confidence: nominal coverage, in (0, 1).

    Returns:
        `CurveRise`, in the unit of the errors. A rise that is there is found only where the
        noise lets it: see `largest_possible`.

    Raises:
        DataError: as in `estimate_more_data`. UsageError: a confidence outside (0, 1).

    Cost: O(S^2) for each of 5,000 draws of a fixed generator. Source of the simultaneous test:
    Hothorn, Bretz, Westfall 2008, Biometrical Journal 50, 346.

    >>> found = estimate_curve_rise([100, 200, 400], [[0.3, 0.31], [0.5, 0.51], [0.2, 0.21]])
    >>> found.rises, found.from_rows, found.to_rows, round(found.rise, 3)
    (True, 100.0, 200.0, 0.2)
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    curve = measured_curve(rows, errors)
    early, late = np.triu_indices(len(curve.rows), 1)
    rise = curve.error[late] - curve.error[early]
    spread = np.diag(curve.covariance)
    error = np.sqrt(spread[early] + spread[late] - 2 * curve.covariance[early, late])
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_normal(np.zeros(len(spread)), curve.covariance, _DRAWS, method="eigh")
    scale = np.sqrt(rng.chisquare(curve.freedom, _DRAWS) / curve.freedom)
    largest = ((drawn[:, late] - drawn[:, early]) / error).max(1) / scale
    most = int((rise / error).argmax())
    reach = float(np.quantile(largest, (1 + confidence) / 2)) * error
    p_value = float((1 + (largest >= (rise / error)[most]).sum()) / (1 + _DRAWS))
    return CurveRise(
        p_value < 1 - confidence,
        p_value,
        float(curve.rows[early[most]]),
        float(curve.rows[late[most]]),
        float(rise[most]),
        float((rise - reach)[most]),
        float((rise + reach)[most]),
        float((rise + reach).max()),
        confidence,
    )


def measured_curve(rows: Any, errors: Any) -> MeasuredCurve:
    """Return mean errors by size and their covariance.

    The variance of training is that over repeats at one size, less what a repeat has in common at
    all sizes (its test fold, its draw of rows): that part moves the whole curve. With few repeats
    a variance is hardly known, so each is drawn to their trend, a power of the rows. With errors
    of single rows, the covariance of the row means over sizes is added: the same rows are hard at
    every size.

    Raises:
        DataError: shapes that do not fit, rows that are no distinct positive numbers, infinite
            errors, fewer than two sizes, fewer than two known repeats at a size, or repeats that
            do not overlap enough to tell their noise from their level.
    """
    held = as_array("errors", errors, (2, 3)).astype(np.float64)
    sizes = as_vector("rows", rows, len(held), "sizes as errors").astype(np.float64)
    if not (np.isfinite(sizes).all() and (sizes > 0).all() and len(np.unique(sizes)) == len(sizes)):
        raise DataError(
            "rows are no sizes, each once",
            got=str(_plain(rows).tolist())[:80],
            allowed="distinct numbers above 0",
            remedy="put all repeats of one size into one row of errors",
        )
    if np.isinf(held).any():
        raise DataError("errors hold infinity", got=int(np.isinf(held).sum()), allowed="NaN")
    order = np.argsort(sizes)
    sizes, held = sizes[order], held[order]
    known = ~np.isnan(held)
    if held.ndim == 3:
        n_known = known.sum(2)
        each = np.where(
            n_known > 0, np.where(known, held, 0).sum(2) / np.maximum(n_known, 1), np.nan
        )
    else:
        each = held
    fewest = int((~np.isnan(each)).sum(1).min())
    if len(sizes) < 2 or fewest < 2:
        raise DataError(
            "too little was measured to know its noise",
            got=f"{len(sizes)} sizes, one of them with {fewest} known repeats",
            allowed="at least two sizes, and two repeats at each",
            remedy="train again with other seeds or subsets",
        )
    covariance, freedom = _of_repeats(sizes, each)
    if held.ndim == 3:
        covariance = covariance + _of_rows(held, known)
    mean = np.nanmean(each, 1)
    least = (_EXACTEST * float(np.abs(mean).max())) ** 2 + np.finfo(float).tiny ** 0.5
    return MeasuredCurve(sizes, mean, covariance + least * np.eye(len(sizes)), freedom)


def _of_repeats(sizes: np.ndarray, each: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the covariance of means over repeats, and its degrees of freedom."""
    known = ~np.isnan(each)
    used = known.any(0)
    each, known = each[:, used], known[:, used]
    n_sizes, n_repeats = each.shape
    n_each = known.sum(1)
    apart = each - np.nanmean(each, 1, keepdims=True)
    shift = np.nanmean(apart, 0)
    freedom = int(known.sum()) - n_sizes - n_repeats + 1
    if freedom < 1:
        raise DataError(
            "each repeat was measured at one size or so, which leaves no noise to see",
            got=f"{int(known.sum())} errors of {n_repeats} repeats at {n_sizes} sizes",
            remedy="repeats are columns: use the first columns at each size",
        )
    squares = np.nansum((apart - shift) ** 2, 1)
    own = freedom * n_each / known.sum()  # degrees of freedom of each size's own variance
    variance = _drawn_to_trend(sizes, squares / own, own)
    common = max(float(shift.var(ddof=1)) - float(variance.mean()) / n_sizes, 0.0)
    # A difference of two means rests on the noise of two sizes, and on the trend of all.
    worth = min(float(freedom), _PRIOR_FREEDOM + float(own.mean()))
    return np.diag(variance / n_each) + common / n_repeats, worth


def _drawn_to_trend(sizes: np.ndarray, variance: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Return variances, each averaged with that of a power of the sizes fitted to all of them."""
    pooled = float((variance * freedom).sum() / freedom.sum())
    if pooled == 0:
        return variance
    logs = np.log(np.maximum(variance, 1e-3 * pooled)) - digamma(freedom / 2) + np.log(freedom / 2)
    at, doubt = np.log(sizes) - np.log(sizes).mean(), polygamma(1, freedom / 2)
    usual, spread = _USUAL_SLOPE
    slope = float(
        ((at * (logs - logs.mean()) / doubt).sum() + usual / spread**2)
        / ((at**2 / doubt).sum() + 1 / spread**2)
    )
    trend = np.exp(slope * at)
    trend *= pooled * freedom.sum() / (trend * freedom).sum()
    return (_PRIOR_FREEDOM * trend + freedom * variance) / (_PRIOR_FREEDOM + freedom)


def _of_rows(held: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the covariance of mean errors over draws of the test rows, `[S, S]`."""
    some = known.any(1)
    n_known = known.sum((1, 2))
    mean = np.where(known, held, 0).sum((1, 2)) / n_known
    parts = np.where(known, held - mean[:, None, None], 0).sum(1) / n_known[:, None]
    found = parts @ parts.T
    if ((held == 0) | (held == 1) | ~known).all():  # rows all right do not say that every row is
        least = squared_error(np.zeros(len(held)), some.sum(1))
        found[np.diag_indices(len(held))] = np.maximum(np.diag(found), least)
    return found
