"""Probabilities recalibrated by a temperature, with or without a shift of each class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import log_softmax, softmax

from overparam.measures.probabilities.label_means import (
    added_labels,
    label_bounds,
    of_labels,
    rows_added,
)
from overparam.measures.probabilities.predicted_rows import PredictedRows
from overparam.measures.row_groups import folds_of

SHARPEST, FLATTEST = 0.01, 100.0  # temperatures that are tried
_FOLDS = 5
_JEFFREYS = 0.5  # of a hit and of a miss, that every map is also fitted to


@dataclass(frozen=True)
class Recalibrated:
    """Rows after recalibration, each by a map that saw it and by one that did not.

    Attributes:
        seen, unseen: float64 `[n, K]`, probabilities after the map of all rows, and after that of
            the other folds.
    """

    seen: np.ndarray
    unseen: np.ndarray


def log_probabilities(said: np.ndarray, floor: float) -> np.ndarray:
    """Return logarithms, probabilities below the floor taken as the floor."""
    return np.log(np.maximum(said, floor))


def log_losses(said: np.ndarray, rows: PredictedRows) -> np.ndarray:
    """Return -log of each class's probability under `[n, K]` said of these rows, in nats."""
    return -log_probabilities(said, rows.floor)


def recalibrate(rows: PredictedRows, *, shifts: bool) -> Recalibrated:
    """Return `[n, K]` probabilities softmax(log p / T + b), T and b fitted to the rows.

    T and b minimize the log loss of the rows and of half a hit and half a miss where the model
    expects them (`added_labels`): that a few rows are all right does not make a model infallible.
    b is shrunk by a standard normal prior on each b_k: a shift that few rows ask for stays near 0.
    Without `shifts` b = 0.

    Folds are of whole groups, and drawn by a fixed generator.
    """
    z = log_probabilities(rows.said, rows.floor)

    def fitted(to: np.ndarray) -> np.ndarray:
        group = np.unique(rows.group[to], return_inverse=True)[1]
        labels = _JEFFREYS * rows_added(added_labels(rows.said[to], group, rows.floor), group)
        np.add.at(labels, (np.arange(len(labels)), rows.labels[to]), 1)
        return _fit(z[to], labels, shifts)

    seen = _applied(z, fitted(np.ones(len(z), bool)))
    unseen = np.empty_like(z)
    fold = folds_of(rows.group, _FOLDS)
    for f in np.unique(fold):
        here = fold == f
        unseen[here] = _applied(z[here], fitted(~here))
    return Recalibrated(seen, unseen)


def temperature_interval(rows: PredictedRows, confidence: float) -> tuple[float, float, float]:
    """Return the temperature that `recalibrate` fits, and the ends of its interval.

    The slope of the log loss in 1/T is a mean over rows. The interval holds each T at which the
    interval of that mean (`label_bounds`) holds 0, groups drawn as wholes: it is right for models
    that no temperature makes calibrated too, and reaches to 0 where a sharper model fits all rows.
    """
    z = log_probabilities(rows.said, rows.floor)
    z = z - z.max(1, keepdims=True)
    if not z.any():  # no temperature matters
        return 1.0, 0.0, float("inf")
    added = added_labels(rows.said, rows.group, rows.floor)
    half = _JEFFREYS * rows_added(added, rows.group)

    def slopes(log_sharpness: float) -> np.ndarray:
        """Of the log likelihood, if each class were the label; their mean falls in sharpness."""
        said = softmax(z * np.exp(log_sharpness), axis=1)
        found: np.ndarray = z - (said * z).sum(1, keepdims=True)
        return found

    def slope(log_sharpness: float) -> float:
        at = slopes(log_sharpness)
        return float(of_labels(at, rows).sum() + (half * at).sum())

    def bound(end: int, log_sharpness: float) -> float:
        return label_bounds(slopes(log_sharpness), rows, added, confidence)[end]

    flat, sharp = -np.log(FLATTEST), -np.log(SHARPEST)

    def crossing(falling: Callable[[float], float]) -> float:
        if falling(flat) <= 0:
            return flat
        return sharp if falling(sharp) >= 0 else brentq(falling, flat, sharp)

    best, low, high = crossing(slope), crossing(partial(bound, 0)), crossing(partial(bound, 1))
    return (
        float(np.exp(-best)),
        0.0 if high == sharp else float(np.exp(-high)),
        float("inf") if low == flat else float(np.exp(-low)),
    )


def _applied(z: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    return softmax(z * fitted[0] + fitted[1:], axis=1)


def _fit(z: np.ndarray, labels: np.ndarray, shifts: bool) -> np.ndarray:
    """Return the sharpness 1/T and the shifts `[K]`: minimum of a convex function.

    Args:
        labels: `[n, K]`, how often each class is the label.
    """
    n, n_classes = z.shape
    z = z - z.max(1, keepdims=True)
    spread = (
        float(np.sqrt(np.square(z).mean())) or 1.0
    )  # units in which the minimum is well rounded
    z = z / spread
    times, counts, own = labels.sum(1, keepdims=True), labels.sum(0), (labels * z).sum()

    def loss(given: np.ndarray) -> tuple[float, np.ndarray]:
        b = given[1:] if shifts else np.zeros(n_classes)
        logs = log_softmax(z * given[0] + b, axis=1)
        said = np.exp(logs) * times
        value = -(labels * logs).sum() + (b**2).sum() / 2
        slope = [(said * z).sum() - own, *((said.sum(0) - counts + b) if shifts else ())]
        return float(value) / n, np.array(slope) / n

    start = np.zeros(1 + shifts * n_classes)
    start[0] = spread
    bounds = [(spread / FLATTEST, spread / SHARPEST), *[(None, None)] * (shifts * n_classes)]
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-7}
    ).x
    return np.concatenate([found[:1] / spread, found[1:] if shifts else np.zeros(n_classes)])
