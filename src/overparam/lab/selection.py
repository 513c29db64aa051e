"""Levels of a curve chosen on the *other* seeds, so that choosing does not bias what is measured.

See `statistics.peak_test` and `statistics.monotone_test`, which say why and how well it works.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from overparam.lab.intervals import (
    LEVEL,
    Steps,
    checked_level,
    floats,
    half_widths,
    paired_difference,
)
from overparam.lab.verdict import UNKNOWN, Interval


def peak_over_side(
    logs: np.ndarray,
    near: np.ndarray,
    side: np.ndarray,
    level: float,
    steps: np.ndarray,
    against: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> Interval:
    """Log-ratio of peak to a level of one side; both selected on the other seeds.

    Args:
        steps: of the lattice of the logarithms at each level, `[m]`; the coarsest of the levels
            that are compared counts.
        against: which level of the side: `best_rows`, `worst_rows` or `worst_rows_since_best`.
    """
    if not side.any():  # of the design: nothing is missing, there is nothing
        return replace(UNKNOWN, level=checked_level(level))
    others = means_of_others(logs)
    peak, best = worst_rows(others, near), against(others, side)
    seeds = np.arange(logs.shape[1])
    a, b = logs[peak, seeds], logs[best, seeds]
    # A level that misses in this seed might have been its highest or its best.
    lacking = np.isnan(logs[near | side]).any(0)
    a, b = np.where(lacking, np.nan, a), np.where(lacking, np.nan, b)
    step = float(np.maximum(steps[peak], steps[best]).max(initial=0.0))
    return cross_selected_difference(a, b, level, step=step)


def cross_selected_difference(
    a: ArrayLike, b: ArrayLike, level: float = LEVEL, *, step: float = 0.0
) -> Interval:
    """Mean of a - b where each pair's levels were chosen on the other seeds (see `peak_test`).

    Args:
        a, b: `[n]`, one pair per seed. step: of the lattice of the differences.
    """
    plain = paired_difference(a, b, level, step=step)
    n, centre = plain.n, plain.estimate
    if n < 2:
        return plain
    longer = math.sqrt(1 + n / (n - 1))  # of the standard error, against s / √n
    low, high = centre + longer * (plain.low - centre), centre + longer * (plain.high - centre)
    return replace(plain, low=low, high=high)


def largest_interval(values: ArrayLike, level: float = LEVEL, *, step: Steps = 0.0) -> Interval:
    """Interval of the largest of several means over seeds, honest at both ends.

    The level that is largest in these seeds owes some of it to luck, and one chosen on the other
    seeds is at times not the largest: one lies too high, the other too low, the more seeds the
    more surely. So each end is taken where its error is on the safe side. The lower end is that
    of levels chosen on the other seeds: what they have, the largest has. The upper end is the
    highest of the levels' own: that the largest mean lies below a bound is shown where it is
    shown of every level by itself, which takes no correction for their number.

    Args:
        values: `[m, seeds]`. Seeds that lack a level count as missing: it might have been the one.
        step: of the lattice of the values; of each level, `[m]`, where they differ. Then every
            level has its own at the upper end, and the coarsest of those chosen counts at the
            lower one.
    """
    y = floats(values)
    whole = ~np.isnan(y).any(0)
    n_missing, y = int((~whole).sum()), y[:, whole]
    m, n = y.shape
    if m < 1 or n < 1:
        return replace(UNKNOWN, level=checked_level(level), n=n, n_missing=n_missing)
    rows, steps = best_rows(-means_of_others(y), np.ones(m, bool)), np.broadcast_to(step, m)
    chosen, coarsest = y[rows, np.arange(n)], float(steps[rows].max())
    found = cross_selected_difference(chosen, np.zeros(n), level, step=coarsest)
    with np.errstate(invalid="ignore"):  # of levels that diverged
        means = y.mean(1)
    # NaN where a level has no interval: of the largest nothing is known then.
    estimate, high = float(means.max()), float((means + half_widths(y, level, step=steps)).max())
    finite = math.isfinite(estimate) and math.isfinite(found.low)
    low = min(found.low, estimate) if finite else math.nan
    return replace(found, estimate=estimate, low=low, high=high, n_missing=n_missing)


def smallest_interval(values: ArrayLike, level: float = LEVEL, *, step: Steps = 0.0) -> Interval:
    """Interval of the smallest of several means over seeds (see `largest_interval`)."""
    found = largest_interval(-floats(values), level, step=step)
    return replace(found, estimate=-found.estimate, low=-found.high, high=-found.low)


def largest_reversal(up: ArrayLike, level: float = LEVEL, *, step: Steps = 0.0) -> Interval:
    """Interval of the largest fall from an earlier to a later level (see `largest_interval`).

    Args:
        up: `[m, seeds]`, curves that should rise. step: of the lattice of the values; of each
            level, `[m]`, where they differ: a pair has the larger of its two.
    """
    y = floats(up)
    earlier, later = np.triu_indices(len(y), k=1)
    steps = np.broadcast_to(step, len(y))
    steps = np.maximum(steps[earlier], steps[later])
    with np.errstate(invalid="ignore"):
        falls = y[earlier] - y[later]
    undefined = np.isnan(falls) & ~(np.isnan(y[earlier]) | np.isnan(y[later]))  # inf - inf
    return largest_interval(np.where(undefined, np.inf, falls), level, step=steps)


def means_of_others(values: np.ndarray) -> np.ndarray:
    """Mean of each level over the other seeds present, `[m, seeds]`; of one seed, its own values.

    NaN where no other seed has the level, or where infinities cancel.
    """
    n = values.shape[1]
    if n < 2:
        return values
    others = np.array([np.delete(np.arange(n), s) for s in range(n)])
    taken = values[:, others]
    present = ~np.isnan(taken)
    with np.errstate(invalid="ignore"):  # inf - inf, of levels that diverged, and 0 / 0
        return np.where(present, taken, 0.0).sum(2) / present.sum(2)


def best_rows(means: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Index of the row with the lowest mean in each column, among the rows marked."""
    rows = np.flatnonzero(among)
    known = np.where(np.isnan(means[rows]), np.inf, means[rows])
    return rows[np.argmin(known, axis=0)]


def worst_rows(means: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Index of the row with the highest mean in each column, among the rows marked."""
    return best_rows(-means, among)


def worst_rows_since_best(means: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Index of the row with the highest mean in each column, from the lowest one marked on."""
    rows = np.flatnonzero(among)
    place = np.arange(len(rows))[:, None]
    since = place >= np.searchsorted(rows, best_rows(means, among))
    known = np.where(np.isnan(means[rows]) | ~since, -np.inf, means[rows])
    return rows[np.argmax(known, axis=0)]


def best_row(values: np.ndarray, among: np.ndarray) -> int | None:
    """Index of the row with the lowest mean over the seeds present, among the rows marked."""
    present = ~np.isnan(values)
    rows = np.flatnonzero(among & present.any(1))
    if not len(rows):
        return None
    with np.errstate(invalid="ignore"):  # inf - inf, of a level that diverged: never selected
        means = np.where(present, values, 0.0)[rows].sum(1) / present[rows].sum(1)
    return int(rows[np.argmin(np.where(np.isnan(means), np.inf, means))])


def reversal_of_means(up: np.ndarray) -> tuple[int, int]:
    """Indices i < j of the levels between which the mean over seeds falls most."""
    with np.errstate(invalid="ignore"):  # inf - inf, of levels that diverged: never selected
        mean = up.mean(1)
        fall = mean[:, None] - mean[None]
    later = np.tri(len(mean), k=-1, dtype=bool).T
    i, j = np.unravel_index(np.argmax(np.where(later & ~np.isnan(fall), fall, -np.inf)), fall.shape)
    return int(i), int(j)
