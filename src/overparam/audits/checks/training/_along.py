"""Choosing a step of a training on some rows, and judging it on others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from overparam.audits.comparison import in_points
from overparam.audits.finding import Measured
from overparam.measures.test_error.interpolation_harm import estimate_interpolation_harm

FEWEST_ROWS = 20  # test rows, ten to choose by and ten to judge by
_SMOOTHED_FROM = 10  # steps: of fewer, each stands for itself

Choose = Callable[[np.ndarray], tuple[int, ...]]


def smoothed(error: np.ndarray) -> np.ndarray:
    """Return errors `[T, m]` averaged over three steps each, so that no single one is chosen.

    A step that happened to be good is not one at which the next training would stop as well.
    """
    if len(error) < _SMOOTHED_FROM:
        return error
    padded = np.concatenate([error[:1], error, error[-1:]])
    counts = np.full((len(error), 1), 3.0)
    found: np.ndarray = (padded[:-2] + padded[1:-1] + padded[2:]) / counts
    return found


def halves(n_rows: int, groups: np.ndarray | None, seed: int) -> np.ndarray:
    """Return which rows are of the first half, bool `[n]`; groups stay whole."""
    group = np.arange(n_rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(int(group.max()) + 1)
    found: np.ndarray = (order % 2 == 0)[group]
    return found


def chosen_elsewhere(error: np.ndarray, first: np.ndarray, choose: Choose) -> list[np.ndarray]:
    """Return errors of every row at the steps that the rows of the other half choose.

    Args:
        error: `[T, m]`. first: which rows are of the first half. choose: returns steps for the mean
            error `[T]` of some rows.

    Returns:
        One array `[m]` for each step that is chosen.
    """
    parts: list[np.ndarray] = []
    for half in (first, ~first):
        steps = choose(error[:, ~half].mean(1))
        if not parts:
            parts = [np.empty(error.shape[1]) for _ in steps]
        for part, step in zip(parts, steps, strict=True):
            part[half] = error[step, half]
    return parts


def fall(
    before: np.ndarray, after: np.ndarray, groups: np.ndarray | None, confidence: float
) -> Measured:
    """Return by how many points the errors `[m]` of the same rows are lower afterwards."""
    scores = -np.stack([before, after])[:, None]
    found = estimate_interpolation_harm(scores, groups=groups, confidence=confidence)
    return in_points(found.gain[0], found.low[0], found.high[0])


def best_step(error: np.ndarray) -> tuple[int, ...]:
    """Return the step of the lowest error, the last of equal ones.

    >>> best_step(np.array([0.3, 0.1, 0.2, 0.1]))
    (3,)
    """
    return (len(error) - 1 - int(np.argmin(error[::-1])),)


def bump(error: np.ndarray) -> tuple[int, ...]:
    """Return three steps: before a rise, on its top, and after it has fallen again.

    Those of the largest rise that is followed by as large a fall.

    >>> bump(np.array([0.5, 0.2, 0.4, 0.3, 0.1]))
    (1, 2, 4)
    """
    n = len(error)
    lowest_before = np.minimum.accumulate(error)
    lowest_after = np.minimum.accumulate(error[::-1])[::-1]
    top = int(np.argmax(error - np.maximum(lowest_before, lowest_after)))
    before = int(np.argmin(error[: top + 1]))
    return before, top, n - 1 - int(np.argmin(error[top:][::-1]))
