"""Empirical Bayes: noisy values of rows shrunk to a smooth function of a cheap score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

_FOLDS = 5
_LEVEL_KNOTS, _SPREAD_KNOTS = 10, 6


@dataclass(frozen=True)
class SmoothPrior:
    """What a row's value is expected to be, N(level, spread), before its own is looked at."""

    level: np.ndarray
    spread: np.ndarray

    def shrink(self, values: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return posterior means and variances of values with a sampling variance.

        w values + (1 - w) level and w variance, w = spread / (spread + variance).
        """
        w = self.spread / (self.spread + variance)
        return w * values + (1 - w) * self.level, w * variance

    def of(self, rows: np.ndarray) -> SmoothPrior:
        """Return that of some rows, which may repeat."""
        return SmoothPrior(self.level[rows], self.spread[rows])


def fit_smooth_prior(
    score: np.ndarray, values: np.ndarray, variance: np.ndarray, known: np.ndarray
) -> SmoothPrior:
    """Fit level and spread of `values` as functions of `score`, each row by the others.

    Both are piecewise linear in the normal quantile of the score's rank, so only the order of the
    scores counts. Rows are in five folds; what is fitted on four is used on the fifth.

    Args:
        score: `[n]`. values: `[n]`, with sampling variances `variance`. known: bool `[n]`, which
            rows have a value.
    """
    place = ndtri((rankdata(score) - 0.5) / len(score))
    fold = np.argsort(np.argsort(score, kind="stable"), kind="stable") % _FOLDS
    level = _cross_fit(place, values, known, fold, _LEVEL_KNOTS)
    # What is left after the sampling variance; a tenth of the raw square keeps it positive.
    left = (values - level) ** 2
    spread = _cross_fit(place, left - variance, known, fold, _SPREAD_KNOTS)
    raw = _cross_fit(place, left, known, fold, _SPREAD_KNOTS)
    least = max(float(left[known].mean()), np.finfo(float).tiny) * 1e-3
    return SmoothPrior(level, np.maximum(np.maximum(spread, raw / 10), least))


def _cross_fit(
    place: np.ndarray, values: np.ndarray, known: np.ndarray, fold: np.ndarray, n_knots: int
) -> np.ndarray:
    knots = np.unique(np.quantile(place, np.linspace(0, 1, n_knots)))
    hats = np.stack([np.interp(place, knots, hat) for hat in np.eye(len(knots))], 1)
    found = np.empty(len(values))
    for held_out in range(_FOLDS):
        others = known & (fold != held_out)
        design = hats[others]
        square = design.T @ design + 1e-6 * len(design) * np.eye(len(knots))
        weights = np.linalg.solve(square, design.T @ values[others])
        found[fold == held_out] = hats[fold == held_out] @ weights
    return found
