"""Curves along one training: of all seeds, smoothed, and between which times they rise most."""

from __future__ import annotations

import numpy as np

from overparam.lab.records import Records

NEIGHBOURS = 2  # traced epochs on either side over which an error is averaged


def curves_of(records: Records) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return epochs `[t]`, smoothed test and training errors `[t, seeds]`, NaN where missing."""
    column = {seed: i for i, seed in enumerate(records.seeds)}
    there = records.measured
    epochs = there[0].outcome.epochs if len(there) else np.array([])
    curves = np.full((2, len(epochs), len(column)), np.nan)
    for r in there:
        errors = np.stack([r.outcome.test_errors, r.outcome.train_errors])
        curves[:, :, column[r.seed]] = errors
    test, train = (
        mean_over_neighbours(errors, NEIGHBOURS) if len(epochs) else errors for errors in curves
    )
    return epochs, test, train


def times_of_largest_rise(values: np.ndarray) -> tuple[int, int]:
    """Return the times i <= j between which `[t]` values rise most.

    >>> times_of_largest_rise(np.array([5.0, 2.0, 4.0, 3.0]))
    (1, 2)
    """
    peak = int(np.argmax(values - np.minimum.accumulate(values)))
    return int(np.argmin(values[: peak + 1])), peak


def mean_over_neighbours(values: np.ndarray, reach: int) -> np.ndarray:
    """Return means of `[m, seeds]` over each level and `reach` on either side, fewer at the ends.

    >>> mean_over_neighbours(np.array([[1.0], [3.0], [8.0]]), 1).ravel().tolist()
    [2.0, 4.0, 5.5]
    """
    windows = [slice(max(0, i - reach), i + reach + 1) for i in range(len(values))]
    return np.stack([values[window].mean(0) for window in windows])
