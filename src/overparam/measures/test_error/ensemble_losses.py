"""Loss of the average of infinitely many models, row by row, from that of a few."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SMALLEST = np.finfo(np.float64).eps  # probability that counts as none
MOST_LOG_LOSS = -float(np.log(SMALLEST))
_TIE = 1e-9  # relative; sums of equal shares differ by rounding
_STEP_POWER = 0.75
_SPLITS = 8  # of the models in two halves, at random

Losses = Callable[[np.ndarray], np.ndarray]


def zero_one_losses(shares: np.ndarray) -> np.ndarray:
    """Return `[..., classes]`, the loss of the largest share if a class is right; ties are split.

    >>> zero_one_losses(np.array([[3.0, 1.0, 0.0], [2.0, 2.0, 0.0]]))
    array([[0. , 1. , 1. ],
           [0.5, 0.5, 1. ]])
    """
    most = shares.max(-1, keepdims=True)
    first = shares >= most - _TIE * np.abs(most)
    return 1 - first / first.sum(-1, keepdims=True)


def brier_losses(shares: np.ndarray) -> np.ndarray:
    """Return `[..., classes]`, the squared distance of probabilities to each one-hot vector."""
    return np.square(shares).sum(-1, keepdims=True) - 2 * shares + 1


def log_losses(shares: np.ndarray) -> np.ndarray:
    """Return `[..., classes]`, - log of each probability, those below 2e-16 as if they were that.

    >>> log_losses(np.array([[1.0, 0.0]])).round(1)
    array([[-0., 36.]])
    """
    found: np.ndarray = -np.log(np.maximum(shares, SMALLEST))
    return found


def of_infinitely_many(
    values: np.ndarray,
    counts: np.ndarray,
    losses: Losses,
    *,
    steps: bool,
    votes: bool,
    most: float = np.inf,
) -> tuple[np.ndarray, np.ndarray]:
    """Return losses `[rows, classes]` of the average of all models, and of infinitely many.

    The loss of the average of m models is about a + b / m^q, so two sizes m > h give
    a = (m^q e_m - h^q e_h) / (m^q - h^q). Losses without steps have q = 1, up to terms in 1/m^2,
    and take h = m - 1, all of these averaged: the jackknife, exact for squared losses. Those with
    steps (`steps`) fall with m^-1/2 while most rows are undecided, and with 1/m once few are; they
    take q = 3/4, and halves, in random splits, since single models hardly ever change the answer.
    Even numbers of `votes` count as one fewer: a tie that is split is worth what one vote less is.

    Args:
        values: `[K, rows, classes]`; what is averaged, finite wherever it counts.
        counts: bool `[K, rows]`. Rows of which too few count get NaN.
        losses: of an average, `[..., classes]`.
        most: what losses are cut at. Where an average of fewer models reaches it, nothing is
            extrapolated: a single model is all that keeps the loss finite.
    """
    values = np.where(counts[:, :, None], values, 0.0)
    n, total = counts.sum(0), values.sum(0)
    here = losses(total / np.maximum(n, 1)[:, None])
    n_models = len(values)
    extrapolated, n_valid = np.zeros_like(here), np.zeros(len(n))
    if not steps:
        for k in range(n_models):
            rest = n - counts[k]
            used = counts[k] & (rest > 0)
            fewer = losses((total - values[k]) / np.maximum(rest, 1)[:, None])
            slope = np.where(fewer < most, n[:, None] * here - rest[:, None] * fewer, np.inf)
            extrapolated += np.where(used[:, None], slope, 0)
            n_valid += used
        extrapolated = np.where(np.isinf(extrapolated), here * n_valid[:, None], extrapolated)
    else:
        rng = np.random.default_rng(0)
        size = _effective(n, votes)
        for _ in range(_SPLITS):
            half = rng.permutation(n_models) < n_models // 2
            some, of_some = counts[half].sum(0), values[half].sum(0)
            for m, shares in ((some, of_some), (n - some, total - of_some)):
                h = _effective(m, votes)
                used = (m > 0) & (h < size)
                fewer = losses(shares / np.maximum(m, 1)[:, None])
                ratio = (h / np.maximum(size, 1))[:, None] ** _STEP_POWER
                slope = (here - ratio * fewer) / np.where(used[:, None], 1 - ratio, 1.0)
                extrapolated += np.where(used[:, None], slope, 0)
                n_valid += used
    known = n_valid > 0
    found = np.where(known[:, None], extrapolated / np.maximum(n_valid, 1)[:, None], np.nan)
    return np.where(known[:, None], here, np.nan), found


def _effective(n: np.ndarray, votes: bool) -> np.ndarray:
    return np.where((n % 2 == 0) & (n > 0), n - 1, n) if votes else n
