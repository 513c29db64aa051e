"""Errors measured at several numbers of rows: their means and noise, and whether they rise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import digamma, polygamma

from overparam.checks import check_range
from overparam.data.tables import check_rows
from overparam.errors import DataError, UsageError
from overparam.measures.checked_arrays import as_array as _plain
from overparam.measures.jeffreys import squared_error
from overparam.measures.subset_arrays import as_array, as_groups, as_vector, check_squares

_DRAWS = 5_000  # of the largest of many t statistics
_PRIOR_FREEDOM = 6  # degrees of freedom that the trend of the noise is worth at each size
_EXACTEST = 1e-4  # share of the largest error, to which a mean error is known at best
_USUAL_SLOPE = (-0.5, 0.5)  # of the variance of training as a power of the rows; and its deviation


@dataclass(frozen=True)
class MeasuredCurve:
    """Mean errors `[S]` by increasing number of rows, and what is not known of them.

    Attributes:
        rows: `[S]`, increasing. error: `[S]`. covariance: `[S, S]` of these means.
        freedom: degrees of freedom with which the covariance is known, about.
        known: bool `[S, repeats]`, what was measured. of_training: `[S]`, variance of one model
            of the rest, what a repeat has in common at all sizes aside. of_rows: `[S, S]`,
            covariance of the means over test rows; row_freedom: degrees of freedom of
            it, infinite where errors are means.
    """

    rows: np.ndarray
    error: np.ndarray
    covariance: np.ndarray
    freedom: float
    known: np.ndarray
    of_training: np.ndarray
    of_rows: np.ndarray
    row_freedom: float


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


def estimate_curve_rise(
    rows: Any, errors: Any, *, groups: Any = None, confidence: float = 0.95
) -> CurveRise:
    """Return whether error rises from some number of rows to a larger one.

    T = max over s < t of (m_t - m_s) / se(m_t - m_s), against its distribution where all m are
    equal, which is the hardest case of "never rises". Nothing is fitted. More data can hurt at the
    interpolation threshold (Nakkiran et al. 2019, arXiv:1912.02292, section 7), where a fitted
    curve that only falls would hide it.

    Args:
        rows, errors, groups: as in `estimate_more_data`; two sizes are enough here.
        confidence: nominal coverage, in (0, 1).

    Returns:
        `CurveRise`, in the unit of the errors. A rise that is there is found only where the
        noise lets it: see `largest_possible`.

    Raises:
        DataError: as in `estimate_more_data`. UsageError: a confidence outside (0, 1).

    Cost: O(S^3) for each of 5,000 draws of a fixed generator. Source of the simultaneous test:
    Hothorn, Bretz, Westfall 2008, Biometrical Journal 50, 346.

    >>> found = estimate_curve_rise([100, 200, 400], [[0.3, 0.31], [0.5, 0.51], [0.2, 0.21]])
    >>> found.rises, found.from_rows, found.to_rows, round(found.rise, 3)
    (True, 100.0, 200.0, 0.2)
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    curve = measured_curve(rows, errors, groups)
    early, late = np.triu_indices(len(curve.rows), 1)
    rise = curve.error[late] - curve.error[early]
    n_each = curve.known.sum(1)
    error = _errors(curve.of_training / n_each, curve.of_rows, (early, late))
    largest = _largest_by_chance(curve, early, late)
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


def _errors(of_means: np.ndarray, of_rows: np.ndarray, pairs: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return the standard errors of differences of means, `[..., pairs]`.

    Args:
        of_means: `[..., S]`, variances over models. of_rows: `[..., S, S]`, covariance over test
            rows.
    """
    early, late = pairs
    apart = of_rows[..., early, early] + of_rows[..., late, late] - 2 * of_rows[..., early, late]
    return np.sqrt(of_means[..., early] + of_means[..., late] + apart)


def _largest_by_chance(curve: MeasuredCurve, early: np.ndarray, late: np.ndarray) -> np.ndarray:
    """Return draws of T where all means are equal, its noise estimated anew in each draw."""
    rng = np.random.default_rng(0)
    each = rng.standard_normal((_DRAWS, *curve.known.shape)) * np.sqrt(curve.of_training)[:, None]
    each = np.where(curve.known, each, 0.0)
    n_each = curve.known.sum(1)
    zero = np.zeros(len(n_each))
    mean = each.sum(2) / n_each
    mean += rng.multivariate_normal(zero, curve.of_rows, _DRAWS, method="eigh")
    variance = _of_training(curve.rows, each, curve.known)[0]
    of_rows = curve.of_rows
    if np.isfinite(curve.row_freedom):
        of_rows = _estimates(of_rows, int(curve.row_freedom), rng)
    error = _errors(variance / n_each, of_rows, (early, late))
    found: np.ndarray = ((mean[:, late] - mean[:, early]) / error).max(1)
    return found


def _estimates(covariance: np.ndarray, freedom: int, rng: np.random.Generator) -> np.ndarray:
    """Return draws of what a covariance may be estimated to be, `[draws, S, S]`: Wishart's.

    By Bartlett's decomposition; of fewer degrees of freedom than sizes they are singular.
    """
    values, vectors = np.linalg.eigh(covariance)
    size = len(values)
    lower = np.tril(rng.standard_normal((_DRAWS, size, size)), -1)
    lower[:, :, freedom:] = 0
    for i in range(min(size, freedom)):
        lower[:, i, i] = np.sqrt(rng.chisquare(freedom - i, _DRAWS))
    half = vectors * np.sqrt(np.maximum(values, 0)) @ lower
    found: np.ndarray = half @ half.transpose(0, 2, 1) / freedom
    return found


def measured_curve(rows: Any, errors: Any, groups: Any = None) -> MeasuredCurve:
    """Return mean errors by size and their covariance.

    The variance of training is that over repeats at one size, less what a repeat has in common at
    all sizes (its test fold, its draw of rows): that part moves the whole curve. With few repeats
    a variance is hardly known, so each is drawn to their trend, a power of the rows. With errors
    of single rows, the covariance of the row means over sizes is added: the same rows are hard at
    every size.

    Raises:
        DataError: shapes that do not fit, one index in two orders, rows that are no distinct
            positive numbers, infinite errors, missing groups, fewer than two sizes, fewer than two
            known repeats at a size, or repeats that do not overlap enough to tell their noise from
            their level.
    """
    check_rows(errors, rows, "rows", "errors")
    held = as_array("errors", errors, (2, 3)).astype(np.float64)
    sizes = as_vector("rows", rows, len(held), "sizes as errors").astype(np.float64)
    if not (np.isfinite(sizes).all() and (sizes > 0).all() and len(np.unique(sizes)) == len(sizes)):
        raise DataError(
            "rows are no sizes, each once",
            got=str(_plain(rows).tolist())[:80],
            allowed="distinct numbers above 0",
            remedy="put all repeats of one size into one row of errors",
        )
    check_squares("errors", held)
    order = np.argsort(sizes)
    sizes, held = sizes[order], held[order]
    known = ~np.isnan(held)
    if held.ndim == 2 and groups is not None:
        raise UsageError(
            "groups are of test rows, and errors are means over them",
            got=f"errors {list(held.shape)}",
            allowed="errors [sizes, repeats, n]",
        )
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
    n_known = (~np.isnan(each)).sum(1)
    used = ~np.isnan(each).all(0)
    mean, each = np.nanmean(each, 1), each[:, used]
    freedom = int(n_known.sum()) - sum(each.shape) + 1
    if freedom < 1:
        raise DataError(
            "each repeat was measured at one size or so, which leaves no noise to see",
            got=f"{int(n_known.sum())} errors of {each.shape[1]} repeats at {len(each)} sizes",
            remedy="repeats are columns: use the first columns at each size",
        )
    variance, shift = _of_training(sizes, np.nan_to_num(each), ~np.isnan(each))
    common = max(float(shift.var(ddof=1)) - float(variance.mean()) / len(each), 0.0)
    least = (_EXACTEST * float(np.abs(mean).max())) ** 2 + np.finfo(float).tiny ** 0.5
    of_rows = least * np.eye(len(sizes))
    row_freedom = np.inf
    if held.ndim == 3:
        of_group = as_groups("groups", groups, held.shape[2])
        n_groups = np.array([len(np.unique(of_group[each.any(0)])) for each in known])
        row_freedom = float(max(n_groups.min() - 1, 1))
        of_rows = of_rows + _of_rows(held, known, of_group, n_groups)
    covariance = np.diag(variance / n_known) + common / len(shift) + of_rows
    # A difference of two means rests on the noise of two sizes, and on the trend of all.
    worth = min(float(freedom), _PRIOR_FREEDOM + freedom / len(sizes))
    return MeasuredCurve(
        sizes, mean, covariance, worth, ~np.isnan(each), variance, of_rows, row_freedom
    )


def _of_training(
    sizes: np.ndarray, each: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the variance of one model at each size, `[..., S]`, and each repeat's own level.

    Args:
        each: `[..., S, repeats]`, 0 where not known. known: bool `[S, repeats]`.
    """
    n_each = known.sum(1)
    mean = each.sum(-1) / n_each
    apart = np.where(known, each - mean[..., None], 0.0)
    shift = apart.sum(-2) / known.sum(0)
    squares = np.where(known, np.square(apart - shift[..., None, :]), 0.0).sum(-1)
    own = (n_each.sum() - sum(known.shape) + 1) * n_each / n_each.sum()
    variance = squares / own  # each has this many degrees of freedom, about
    pooled = (variance * own).sum(-1, keepdims=True) / own.sum()
    pooled = np.maximum(pooled, np.finfo(float).tiny)
    logs = np.log(np.maximum(variance / pooled, 1e-3)) - digamma(own / 2) + np.log(own / 2)
    at, doubt = np.log(sizes) - np.log(sizes).mean(), polygamma(1, own / 2)
    usual, spread = _USUAL_SLOPE
    slope = (at * (logs - logs.mean(-1, keepdims=True)) / doubt).sum(-1) + usual / spread**2
    slope /= (at**2 / doubt).sum() + 1 / spread**2
    trend = np.exp(slope[..., None] * at)
    trend *= pooled * own.sum() / (trend * own).sum(-1, keepdims=True)
    return (_PRIOR_FREEDOM * trend + own * variance) / (_PRIOR_FREEDOM + own), shift


def _of_rows(
    held: np.ndarray, known: np.ndarray, of_group: np.ndarray, n_groups: np.ndarray
) -> np.ndarray:
    """Return the covariance of mean errors over draws of groups of test rows, `[S, S]`."""
    n_known = known.sum((1, 2))
    mean = np.where(known, held, 0).sum((1, 2)) / n_known
    parts = np.where(known, held - mean[:, None, None], 0).sum(1) / n_known[:, None]
    of_groups = np.stack([np.bincount(of_group, each) for each in parts])
    of_groups *= np.sqrt(n_groups / np.maximum(n_groups - 1, 1))[:, None]
    found: np.ndarray = of_groups @ of_groups.T
    if ((held == 0) | (held == 1) | ~known).all():  # rows all right do not say that every row is
        least = squared_error(np.zeros(len(held)), n_groups)
        found[np.diag_indices(len(held))] = np.maximum(np.diag(found), least)
    return found
