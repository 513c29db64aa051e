"""Means over rows of what their labels cost, with intervals that know of labels not seen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from overparam.measures.clustering import Spread
from overparam.measures.probabilities.predicted_rows import PredictedRows
from overparam.measures.row_groups import MeanInterval
from overparam.measures.skewed_means import hit_and_miss, skewed_bounds


def label_mean(
    parts: Iterable[np.ndarray],
    rows: PredictedRows,
    added: np.ndarray,
    confidence: float,
    within: tuple[float, float] = (-np.inf, np.inf),
    swap: float | None = None,
) -> MeanInterval:
    """Return the mean of the first of some versions of a value, with what holds all intervals.

    Args:
        parts: each `[n, K]`, what a row counts if its label is this class.
        added: `[n, K]`, of `added_labels`.
        within: where the truth must lie. The mean, an estimate of it, may lie elsewhere; bounds
            then reach to it, and no further.
        swap: of a change between two models, as in `label_bounds`.
    """
    means, bounds = [], []
    for values in parts:  # one after the other: each is large
        means.append(float(of_labels(values, rows).mean()))
        bounds.append(label_bounds(values, rows, added, confidence, swap))
    low, high = np.clip([min(b[0] for b in bounds), max(b[1] for b in bounds)], *within)
    return MeanInterval(means[0], min(float(low), means[0]), max(float(high), means[0]))


def label_bounds(
    values: np.ndarray,
    rows: PredictedRows,
    added: np.ndarray,
    confidence: float,
    swap: float | None = None,
) -> tuple[float, float]:
    """Return bounds of the mean of `[n, K]` values of labels, groups drawn as wholes.

    Moments are those of the groups and of one hit and one miss more, each of a whole group.

    Args:
        swap: where values are changes between two models that may as well trade places: a mean
            that leans to one side in these rows may lean to the other, so bounds hold the t
            interval too. Two groups more change by this number, one in each direction (Bonett,
            Price 2012): models that agree on all rows at hand may differ on others.
    """
    own = of_labels(values, rows)
    n, n_groups = len(own), int(rows.group.max()) + 1
    mean = float(own.mean())
    sums = np.bincount(rows.group, weights=own - mean)
    apart = (values - mean) * _sizes(rows.group)[:, None]
    second, third = (
        float((sums**k).sum() + np.einsum("nk" + ",nk" * k + "->", added, *[apart] * k))
        for k in (2, 3)
    )
    if swap is not None:
        second += 2 * swap**2 * float(np.square(np.bincount(rows.group)).mean())
    spread = Spread(second * n_groups / (n_groups - 1) / n**2, n_groups - 1)
    low, high = skewed_bounds(mean, spread, third / n**3, confidence)
    reach = 0.0 if swap is None else spread.half_width(confidence)
    return min(low, mean - reach), max(high, mean + reach)


def added_labels(said: np.ndarray, group: np.ndarray, floor: float) -> np.ndarray:
    """Return the weight `[n, K]` of each label in one hit and one miss that were not seen.

    Each sums to 1. Rows of one group share the weight of one row, since they go together.
    """
    hit, miss = (p / _sizes(group)[:, None] for p in hit_and_miss(said, floor))
    return hit / hit.sum() + miss / miss.sum()


def rows_added(added: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return how many rows each added label is worth, `[n, K]`: all of its group."""
    return added * _sizes(group)[:, None]


def of_labels(values: np.ndarray, rows: PredictedRows) -> np.ndarray:
    """Return what `[n, K]` values are for the labels, `[n]`."""
    return np.take_along_axis(values, rows.labels[:, None], 1)[:, 0]


def _sizes(group: np.ndarray) -> np.ndarray:
    """Return how many rows the group of each row has, float64 `[n]`."""
    return np.bincount(group)[group].astype(np.float64)
