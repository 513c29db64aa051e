"""Variance of a mean over rows seen by several targets: neither rows nor targets repeat freely."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincinv, stdtrit


@dataclass(frozen=True)
class Spread:
    """A variance and the degrees of freedom with which it is known."""

    variance: float
    freedom: float

    def half_width(self, confidence: float) -> float:
        """Half the length of the t interval."""
        return float(stdtrit(self.freedom, (1 + confidence) / 2)) * math.sqrt(self.variance)


def clustered_spread(rows: np.ndarray, targets: np.ndarray, entries: float) -> Spread:
    """Return the variance of a sum of parts, one per row and target, that sum to 0.

    V = V_rows + V_targets - V_entries: squares of the sums over targets, of the sums over rows, and
    of the single parts. Parts of one row resemble each other (it is hard for all), and parts of
    one target (it has learned more). Never below V_rows or V_entries; V_targets times T/(T - 1).
    One target: V_entries. Degrees of freedom by Satterthwaite's rule, or rows - 1.

    Args:
        rows: the sum of each row's parts, `[n]`. targets: of each target's, `[T]`.
        entries: the sum of all squares.

    Source: Cameron, Gelbach, Miller 2011, J. Business and Economic Statistics 29, 238.
    """
    n_targets, n_rows = len(targets), len(rows)
    if n_targets == 1:
        return Spread(entries, max(n_rows - 1, 1))
    of_rows = float((rows**2).sum())
    of_targets = float((targets**2).sum()) * n_targets / (n_targets - 1)
    variance = max(of_rows + of_targets - entries, of_rows, entries)
    doubt = of_targets**2 / (n_targets - 1) + of_rows**2 / max(n_rows - 1, 1)
    return Spread(variance, max(variance**2 / doubt, 1.0) if doubt > 0 else n_targets - 1)


@dataclass(frozen=True)
class ClusteredRate:
    """A fraction of entries `[targets, rows]`, worth as many independent trials as `n_effective`.

    Attributes:
        rate: hits / n. n: entries. n_effective: p (1 - p) / V, at most n, V the clustered variance.
        n_trials: the same, less what V is not known well enough for (a t quantile for a normal).
    """

    rate: float
    n: int
    n_effective: float
    n_trials: float

    def low(self, level: float) -> float:
        """Clopper-Pearson's lower bound, wrong with probability at most 1 - level."""
        hits = self.rate * self.n_trials
        return float(betaincinv(hits, self.n_trials - hits + 1, 1 - level)) if hits > 0 else 0.0

    def high(self, level: float) -> float:
        """Clopper-Pearson's upper bound, wrong with probability at most 1 - level."""
        hits, n = self.rate * self.n_trials, self.n_trials
        return float(betaincinv(hits + 1, n - hits, level)) if hits < n else 1.0


def clustered_rate(hits: np.ndarray, used: np.ndarray, confidence: float) -> ClusteredRate:
    """Return the fraction of hits among used entries, both bool `[targets, rows]`.

    One target: entries are independent trials, and the bounds are exact. Several: the effective
    number of trials by the design effect, as in sample surveys; where nothing or everything is
    hit, which says nothing of the clusters, each row counts once.

    Source: Korn, Graubard 1998, Survey Methodology 24, 193.
    """
    n = int(used.sum())
    rate = int((hits & used).sum()) / n
    if len(used) == 1:
        return ClusteredRate(rate, n, n, n)
    if rate in (0.0, 1.0):
        n_rows = float(used.any(0).sum())
        return ClusteredRate(rate, n, n_rows, n_rows)
    hit = hits & used
    rows, targets = (hit.sum(axis) - rate * used.sum(axis) for axis in (0, 1))
    spread = clustered_spread(rows / n, targets / n, rate * (1 - rate) / n)
    effective = min(rate * (1 - rate) / spread.variance, n)
    level = (1 + confidence) / 2
    normal, student = stdtrit(np.inf, level), stdtrit(spread.freedom, level)
    return ClusteredRate(rate, n, effective, effective * float(normal / student) ** 2)


def binomial_counts(n: int, n_trials: float, rate: float, level: float) -> tuple[int, int]:
    """Return counts 0 ... n between which a binomial count lies, each end missed with 1 - level.

    The smallest c with P(X <= c) > 1 - level, and the largest with P(X >= c) > 1 - level. Of n
    entries that are worth `n_trials` independent ones, c stands for c n_trials / n hits, and the
    binomial probabilities for the beta integrals that they equal.
    """

    def below(c: int) -> bool:  # whether so few are too unlikely
        hits = c * n_trials / n
        return hits < n_trials and betainc(n_trials - hits, hits + 1, 1 - rate) <= 1 - level

    def above(c: int) -> bool:
        hits = c * n_trials / n
        return hits > 0 and betainc(hits, n_trials - hits + 1, rate) <= 1 - level

    return _last(below, -1, n) + 1, n - (_last(lambda c: above(n - c), -1, n) + 1)


def _last(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The last whole number up to which a condition holds; it holds at `low`, not at `high`."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
