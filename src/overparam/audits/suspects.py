"""Rows whose label is more likely wrong than right, by models that did not see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.isotonic import IsotonicRegression

from overparam.audits.subset_models import SubsetModels
from overparam.measures.copies.neighbor_gaps import largest_p
from overparam.measures.error import RateEstimate, wilson_interval
from overparam.measures.label_errors import estimate_noise_rate, rank_label_errors

_LIKELY = 0.5  # a label is doubted where it is more likely wrong than right
_MOST_PAIRS = 4_000_000  # of rows and classes, that the regression is fitted to
_LEAST = 1e-12
_FALSE_SHARE = 0.05  # of residuals that are called outliers
_BULK = (0.5, 0.9)  # of the residuals, between which their tail is fitted


@dataclass(frozen=True, eq=False)
class Suspects:
    """Rows whose label is doubted.

    Attributes:
        rows: int64 `[s]`, the most suspicious first.
        suggested: `[s]`, positions of the classes that are more probable; or the numbers that the
            models predict.
        chance: `[s]`, that the label is wrong. low, high: of the same, at the ends of `rate`.
        suspicion: `[n]`, 1 - p_out; of numbers the distance to the prediction, in units of the
            usual one. NaN where nothing is known.
        rate: of wrong labels among all rows; of numbers, of outliers.
    """

    rows: np.ndarray
    suggested: np.ndarray
    chance: np.ndarray
    low: np.ndarray
    high: np.ndarray
    suspicion: np.ndarray
    rate: RateEstimate

    @property
    def n_expected(self) -> tuple[float, float, float]:
        """How many labels of all rows are wrong, and the ends of its interval."""
        n = len(self.suspicion)
        return n * self.rate.rate, n * self.rate.low, n * self.rate.high

    @property
    def precision(self) -> tuple[float, float, float]:
        """Share of the doubted labels that are wrong, as expected, and the ends of its interval."""
        if not len(self.rows):
            return np.nan, np.nan, np.nan
        return float(self.chance.mean()), float(self.low.mean()), float(self.high.mean())


def suspects_among(
    models: SubsetModels, undecided: np.ndarray | None = None, confidence: float = 0.95
) -> Suspects:
    """Return the rows whose labels the models doubt.

    Classes: the share r of wrong labels is read off the surest rows (`estimate_noise_rate`), and
    taken to be the same everywhere and to fall on all other classes alike: on each with e =
    r/(C - 1). How often a row has a label of which the models say p is q(p), an isotonic regression
    over all rows and classes. So the right label is that one with probability p' = (q - e)/(1 - r -
    e), and where it is given, it is wrong with probability e (1 - p')/q. Labels are doubted where
    that is one half or more. It rises with 1 - p, which so is the order of the rows.

    Numbers: residuals out of sample, less their median, have an exponential tail, fitted between
    the median and the ninth tenth of their sizes; those beyond it are outliers, as many as keep the
    expected share of false ones at .05 (Benjamini and Hochberg 1995).

    Args:
        undecided: bool `[n]`, rows whose input is known not to decide the label: none is wrong.

    Raises:
        DataError: too few rows of which something is known.
    """
    if not models.has_classes:
        return _outliers(models, confidence)
    ensemble = models.ensemble
    said = np.array(ensemble.out_of_sample_probabilities().probabilities)
    if undecided is not None:
        said[undecided] = np.nan
    labels = ensemble.labels
    rate = estimate_noise_rate(said, labels, confidence=confidence)
    errors = rank_label_errors(said, labels)
    assert errors.suggested is not None  # there are labels
    known = np.isfinite(errors.suspicion)
    differs = known & (errors.suggested != labels)
    given = np.where(known, _how_often(said[known], labels[known], 1 - errors.suspicion), 1.0)
    chance, low, high = (
        np.where(differs, _chance(given, r, said.shape[1]), 0.0)
        for r in (rate.rate, rate.low, rate.high)
    )
    rows = errors.order[chance[errors.order] >= _LIKELY]
    suggested = errors.suggested[rows]
    return Suspects(rows, suggested, chance[rows], low[rows], high[rows], errors.suspicion, rate)


def _how_often(said: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return how often a label is given of which models say so much, for each p asked, `[n]`."""
    step = max(1, said.size // _MOST_PAIRS)
    some, given = said[::step], labels[::step, None] == np.arange(said.shape[1])
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fit.fit(some.ravel(), given.ravel().astype(float))
    return np.asarray(fit.predict(np.nan_to_num(asked)))


def _chance(given: np.ndarray, rate: float, n_classes: int) -> np.ndarray:
    """Return how probably a label is wrong that is given so often, where `rate` of all are."""
    each = rate / (n_classes - 1)
    right = np.clip((given - each) / max(1 - rate - each, _LEAST), 0, 1)
    return np.minimum(each * (1 - right) / np.maximum(given, _LEAST), 1.0)


def _predicted_out(models: SubsetModels) -> np.ndarray:
    """Return the mean prediction of the models that did not see a row, of numbers, `[n]`."""
    outside = ~models.in_subset
    said = np.where(outside, np.asarray(models.ensemble.predictions, float), 0.0)
    n_out = outside.sum(0)
    return np.where(n_out > 0, said.sum(0) / np.maximum(n_out, 1), np.nan)


def _outliers(models: SubsetModels, confidence: float) -> Suspects:
    predicted = _predicted_out(models)
    residual = np.asarray(models.ensemble.targets, float) - predicted
    known = np.isfinite(residual)
    size = np.abs(residual - np.nanmedian(residual))
    p = np.ones(len(size))
    p[known] = _tail(size[known])
    cut = largest_p(p[known], _FALSE_SHARE)
    found = known & (p <= cut) & (cut > 0)
    order = np.argsort(-np.where(known, size, -1.0), kind="stable")
    rows = order[found[order]]
    n, k = int(known.sum()), len(rows)
    # The share of false ones among the k smallest of n p-values, as Benjamini and Hochberg have it.
    false = np.minimum(p[rows] * n / np.arange(1, k + 1), 1.0)
    usual: Any = np.nanmedian(size) or 1.0
    return Suspects(
        rows,
        predicted[rows],
        1 - false,
        1 - false,
        np.ones(k),
        size / usual,
        RateEstimate(k / n, *wilson_interval(k, n, confidence), n, confidence),
    )


def _tail(size: np.ndarray) -> np.ndarray:
    """Return how often a residual is as large, by an exponential tail beyond the ninth tenth.

    Its scale is read between median and ninth tenth, plus 1.64 standard errors. The tail of normal
    residuals is the shorter one, so that they hold no outliers.
    """
    middle, start = np.quantile(size, _BULK)
    left = [1 - share for share in _BULK]
    width = np.log(left[0] / left[1])
    error = np.sqrt((1 / left[1] - 1 / left[0]) / len(size)) / width
    scale = (start - middle) / width * (1 + 1.64 * error)
    if scale <= 0:  # half of the residuals and more are equal: nothing is told
        return np.ones(len(size))
    return np.minimum(1.0, left[1] * np.exp(-(size - start) / scale))
