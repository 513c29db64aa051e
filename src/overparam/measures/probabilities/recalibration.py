"""Probabilities recalibrated by a temperature, with or without a shift of each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import log_softmax, softmax

from overparam.measures.clustering import Spread
from overparam.measures.probabilities.predicted_rows import PredictedRows
from overparam.measures.row_groups import folds_of

SHARPEST, FLATTEST = 0.01, 100.0  # temperatures that are tried
_FOLDS = 5


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
    """Return -log of the label's probability under `[n, K]` said of these rows, in nats."""
    own = np.take_along_axis(said, rows.labels[:, None], 1)[:, 0]
    return -log_probabilities(own, rows.floor)


def recalibrate(rows: PredictedRows, *, shifts: bool) -> Recalibrated:
    """Return `[n, K]` probabilities softmax(log p / T + b), T and b fitted to the rows.

    T and b minimize the log loss, b shrunk by a standard normal prior on each b_k: a shift that
    few rows ask for stays near 0. Without `shifts` b = 0.

    Folds are of whole groups, and drawn by a fixed generator.
    """
    z = log_probabilities(rows.said, rows.floor)
    seen = _applied(z, _fit(z, rows.labels, shifts))
    unseen = np.empty_like(z)
    fold = folds_of(rows.group, _FOLDS)
    for f in np.unique(fold):
        here = fold == f
        unseen[here] = _applied(z[here], _fit(z[~here], rows.labels[~here], shifts))
    return Recalibrated(seen, unseen)


def temperature_interval(rows: PredictedRows, confidence: float) -> tuple[float, float, float]:
    """Return the temperature of least log loss, and the ends of its interval.

    The slope of the log loss in 1/T is a mean over rows. The interval holds each T at which that
    mean is within its t interval of 0, groups drawn as wholes: it is right for models that no
    temperature makes calibrated too, and reaches to 0 where a sharper model fits all rows.
    """
    z = log_probabilities(rows.said, rows.floor)
    z = z - z.max(1, keepdims=True)
    own = np.take_along_axis(z, rows.labels[:, None], 1)[:, 0]
    n_groups = int(rows.group.max()) + 1

    def score(log_sharpness: float) -> float:
        """Sum of slopes in units of its standard error; falls as sharpness rises."""
        said = softmax(z * np.exp(log_sharpness), axis=1)
        slopes = np.bincount(rows.group, weights=own - (said * z).sum(1))
        error = np.sqrt((slopes**2).sum() * n_groups / (n_groups - 1))
        return float(slopes.sum() / error) if error > 0 else 0.0

    flat, sharp = -np.log(FLATTEST), -np.log(SHARPEST)
    wide = Spread(1.0, n_groups - 1).half_width(confidence)

    def crossing(level: float) -> float:
        if score(flat) <= level:
            return flat
        return sharp if score(sharp) >= level else brentq(lambda s: score(s) - level, flat, sharp)

    best, low, high = crossing(0.0), crossing(wide), crossing(-wide)
    return (
        float(np.exp(-best)),
        0.0 if high == sharp else float(np.exp(-high)),
        float("inf") if low == flat else float(np.exp(-low)),
    )


def _applied(z: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    return softmax(z * fitted[0] + fitted[1:], axis=1)


def _fit(z: np.ndarray, labels: np.ndarray, shifts: bool) -> np.ndarray:
    """Return the sharpness 1/T and the shifts `[K]`: minimum of a convex function."""
    n, n_classes = z.shape
    z = z - z.max(1, keepdims=True)
    spread = (
        float(np.sqrt(np.square(z).mean())) or 1.0
    )  # units in which the minimum is well rounded
    z = z / spread
    counts = np.bincount(labels, minlength=n_classes)
    own = np.take_along_axis(z, labels[:, None], 1).sum()

    def loss(given: np.ndarray) -> tuple[float, np.ndarray]:
        b = given[1:] if shifts else np.zeros(n_classes)
        logs = log_softmax(z * given[0] + b, axis=1)
        said = np.exp(logs)
        value = -np.take_along_axis(logs, labels[:, None], 1).sum() + (b**2).sum() / 2
        slope = [(said * z).sum() - own, *((said.sum(0) - counts + b) if shifts else ())]
        return float(value) / n, np.array(slope) / n

    start = np.zeros(1 + shifts * n_classes)
    start[0] = spread
    bounds = [(spread / FLATTEST, spread / SHARPEST), *[(None, None)] * (shifts * n_classes)]
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"gtol": 1e-7}
    ).x
    return np.concatenate([found[:1] / spread, found[1:] if shifts else np.zeros(n_classes)])
