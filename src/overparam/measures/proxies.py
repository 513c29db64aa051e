"""Cheap proxies of memorization from one run's trace: what each epoch said of every row.

Every score is float64 `[n]` and points one way: **higher = more memorized**. A trace is
`[epochs, n]`, an array, a memory map or a tensor; it is read by blocks of rows and never modified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from overparam.errors import DataError
from overparam.measures.checked_arrays import (
    as_array,
    checked_labels,
    checked_numbers,
)

_TRACE = "[epochs, n]"
_BLOCK = 4096  # rows that are read at once, so that memory-mapped traces stay on the disk


@dataclass(frozen=True, eq=False)
class Forgetting:
    """How often every row was learned and lost again; all `[n]`.

    Attributes:
        score: events, or the number of presentations where the row was never learned, which is
            more than any learned row can have; higher = more memorized; NaN where it was never
            presented.
        events: times it was right and at its next presentation wrong, 0 ... presentations / 2.
        rate: events by the times it was right and presented again, in [0, 1]; NaN where it never
            was.
        never_learned: bool, right at no presentation. presentations: how often it was seen.
    """

    score: np.ndarray
    events: np.ndarray
    rate: np.ndarray
    never_learned: np.ndarray
    presentations: np.ndarray


def final_loss(losses: ArrayLike) -> np.ndarray:
    """Return the loss of every row at the last epoch: the baseline of all proxies.

    Args:
        losses: `[epochs, n]`.

    Returns:
        float64 `[n]`, in units of the loss (nats); higher = more memorized, as long as training
        was stopped before every row was fitted. NaN and infinity are passed on.

    Raises:
        DataError: not real numbers `[epochs, n]`.

    Cost: O(n).

    >>> final_loss([[2.0, 2.0], [0.5, 1.5]]).tolist()
    [0.5, 1.5]
    """
    return checked_numbers("losses", losses, _TRACE)[-1].astype(np.float64)


def cumulative_loss(losses: ArrayLike) -> np.ndarray:
    """Return the cumulative sample loss (CSL) of every row, sum_t l(w_t, z_i).

    Args:
        losses: `[epochs, n]`, every row at every epoch.

    Returns:
        float64 `[n]`, in units of the loss (nats), in [0, inf) for losses >= 0; higher = more
        memorized. NaN where an epoch is NaN (sums over unequal numbers of epochs do not compare);
        infinity is passed on.

    Raises:
        DataError: not real numbers `[epochs, n]`.

    Cost: O(epochs n). Source: Ravikumar et al. 2025 (CSL-Mem, ICML).

    >>> cumulative_loss([[2.0, 2.0], [0.5, 1.5]]).tolist()
    [2.5, 3.5]
    """
    return _over_rows("losses", losses, lambda block: _quietly(block.sum, 0))


def loss_interquartile_range(losses: ArrayLike) -> np.ndarray:
    """Return the interquartile range of every row's loss along training, q_.75 - q_.25.

    Args:
        losses: `[epochs, n]`; quartiles between two epochs are interpolated linearly.

    Returns:
        float64 `[n]`, in units of the loss (nats), in [0, inf); higher = more memorized, and more
        exposed to membership inference. NaN where an epoch is NaN or infinite.

    Raises:
        DataError: not real numbers `[epochs, n]`.

    Cost: O(epochs n log epochs). Source: Pollock et al. 2024 (arXiv:2411.05743).

    >>> loss_interquartile_range([[4.0], [3.0], [2.0], [1.0], [0.0]]).tolist()
    [2.0]
    """

    def spread(block: np.ndarray) -> np.ndarray:
        known = np.isfinite(block).all(0)
        low, high = np.quantile(np.where(known, block, 0), [0.25, 0.75], axis=0)
        return np.where(known, high - low, np.nan)

    return _over_rows("losses", losses, spread)


def area_under_margin(margins: ArrayLike) -> np.ndarray:
    """Return minus the area under the margin (AUM) of every row, -mean_t margin_t(z_i).

    The source's AUM is high for clean rows; here its sign is turned, so that as everywhere in this
    module higher = more memorized.

    Args:
        margins: `[epochs, n]`, output of the assigned label minus the largest other output.

    Returns:
        float64 `[n]`, in units of the outputs, above 0 for rows that are mostly wrong. NaN where
        an epoch is NaN; infinity is passed on.

    Raises:
        DataError: not real numbers `[epochs, n]`.

    Cost: O(epochs n). Source: Pleiss, Zhang, Elenberg, Weinberger 2020 (arXiv:2001.10528).

    >>> area_under_margin([[-1.0, 1.0], [1.0, 3.0]]).tolist()
    [-0.0, -2.0]
    """
    return _over_rows("margins", margins, lambda block: -_quietly(block.mean, 0))


def forgetting_events(correct: ArrayLike) -> Forgetting:
    """Return how often every row was forgotten: right at one presentation, wrong at the next.

    Args:
        correct: bool, 0/1 or NaN, `[epochs, n]`: whether the row was classified rightly when it
            was presented. NaN: not presented in this epoch; the next presentation counts.

    Returns:
        `Forgetting`; its `score` is higher = more memorized. Never-learned rows lie above all
        others in it, in the source too.

    Raises:
        DataError: not `[epochs, n]`, or something else than 0, 1 and NaN (such as losses).

    Cost: O(epochs n). Source: Toneva et al. 2019 (arXiv:1812.05159).

    >>> found = forgetting_events([[1, 0, 1], [0, 0, 1], [1, 0, 1]])
    >>> found.score.tolist(), found.rate.tolist(), found.never_learned.tolist()
    ([1.0, 3.0, 0.0], [1.0, nan, 0.0], [False, True, False])
    """
    counts = _over_rows("correct", correct, _count_forgetting, n_values=4)
    events, chances, hits, shown = counts
    never = (hits == 0) & (shown > 0)
    with np.errstate(invalid="ignore"):
        rate = events / np.where(chances > 0, chances, np.nan)
    score = np.where(never, shown, np.where(shown > 0, events, np.nan))
    return Forgetting(score, events, rate, never, shown)


def iteration_learned(predictions: ArrayLike, labels: ArrayLike | None = None) -> np.ndarray:
    """Return the first epoch from which on a row's prediction is the final one.

    Args:
        predictions: classes, `[epochs, n]` (or the trace of what was right, as 0/1).
        labels: classes `[n]`; where they are given, a row whose final prediction is not its label
            was not learned and gets epochs + 1, more than any learned row.

    Returns:
        float64 `[n]`, in epochs, 1 ... epochs (1: never changed); higher = more memorized. NaN
        where an epoch is NaN.

    Raises:
        DataError: not real numbers `[epochs, n]`, or labels that do not fit.

    Cost: O(epochs n). Source: Baldock, Maennel, Neyshabur 2021 (arXiv:2106.09647), section 2.

    >>> iteration_learned([[0, 1, 2], [1, 1, 0], [1, 1, 2]]).tolist()
    [2.0, 1.0, 3.0]
    >>> iteration_learned([[0, 1, 2], [1, 1, 0], [1, 1, 2]], labels=[1, 0, 2]).tolist()
    [2.0, 4.0, 3.0]
    """

    def first(block: np.ndarray) -> np.ndarray:
        changed = block != block[-1]
        last = len(block) - np.argmax(changed[::-1], 0)  # the epoch of the last change, from 1
        found = np.where(changed.any(0), last + 1.0, 1.0)
        return np.where(np.isnan(block).any(0), np.nan, found)

    found = _over_rows("predictions", predictions, first)
    if labels is not None:
        trace = as_array(predictions)
        # Which classes there are is not known here: any whole number >= 0 may be one.
        y = checked_labels(labels, trace.shape[1], np.iinfo(np.int64).max)
        wrong = (trace[-1] != y) & ~np.isnan(found)
        found[wrong] = len(trace) + 1
    return found


def _over_rows(
    name: str,
    trace: ArrayLike,
    f: Callable[[np.ndarray], np.ndarray],
    *,
    n_values: int = 0,
) -> np.ndarray:
    """Return f of every row's trace, `[n]` or `[n_values, n]`, from blocks in float64."""
    found = checked_numbers(name, trace, _TRACE)
    n = found.shape[1]
    result = np.empty((n_values, n) if n_values else n)
    for start in range(0, n, _BLOCK):
        block = slice(start, start + _BLOCK)
        result[..., block] = f(found[:, block].astype(np.float64))
    return result


def _quietly(reduce: Callable[[int], np.ndarray], axis: int) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs meet
        return reduce(axis)


def _count_forgetting(block: np.ndarray) -> np.ndarray:
    known = ~np.isnan(block)
    strange = known & (block != 0) & (block != 1)
    if strange.any():
        raise DataError(
            "correct holds something else than 0, 1 and NaN",
            got=f"{block[strange][0]:g}",
            remedy="give (predictions == labels)",
        )
    n = block.shape[1]
    before = np.full(n, np.nan)  # at the row's last presentation
    events, chances = np.zeros(n), np.zeros(n)
    for now, shown in zip(block, known, strict=True):
        again = shown & (before == 1)
        chances += again
        events += again & (now == 0)
        before = np.where(shown, now, before)
    return np.stack([events, chances, (block == 1).sum(0), known.sum(0)])
