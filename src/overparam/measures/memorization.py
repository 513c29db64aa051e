"""Memorization scores: what a row's label owes to the row's own presence in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.errors import DataError, UsageError
from overparam.measures.jeffreys import Accuracies, difference_interval, jeffreys_accuracies
from overparam.measures.margin_tail import MarginBlocks, Tally, tail_accuracies
from overparam.measures.subset_arrays import (
    as_array,
    as_masks,
    as_vector,
    blocks,
    check_fits,
    check_margins,
    read_correct,
    read_masks,
    read_numbers,
)

FEWEST_ROWS = 50  # that a prior is fitted to
_LARGEST = 1e100


@dataclass(frozen=True)
class MemorizationScores:
    """Memorization of each row, all arrays `[n]`.

    Attributes:
        estimate: accuracy in minus accuracy out, in [-1, 1]; near 0 for a row that others teach,
            near 1 for one that is learned by heart.
        low, high: bounds of the interval. standard_error: > 0, of the estimate.
        accuracy_in, accuracy_out: how often models are right on the row that saw it, or did not.
        n_in, n_out: int64, how many models these are. n_missing: int64, models with NaN on the
            row, which are neither. The score is NaN where `n_in` or `n_out` is 0.
        confidence: nominal coverage of the intervals.
        method: ``counted``, ``margin tail`` or ``margin tail and prior``.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    standard_error: np.ndarray
    accuracy_in: np.ndarray
    accuracy_out: np.ndarray
    n_in: np.ndarray
    n_out: np.ndarray
    n_missing: np.ndarray
    confidence: float
    method: str


@np.errstate(under="ignore")  # tails of far margins are 0, whatever a script has set
def memorization_scores(
    in_subset: Any,
    correct: Any = None,
    margins: Any = None,
    prior: Any = None,
    *,
    confidence: float = 0.95,
) -> MemorizationScores:
    """Return how much the label of each row is memorized, with intervals.

    mem_i = P(model is right on row i | i in its subset) - P(model is right on row i | i not in it),
    from K models trained on random subsets.

    With `correct` alone both are counted. With `margins` they are read off the tail of the margins'
    distribution, which needs about half the models (`margin_tail`), and with a `prior`
    besides a third where models are few.

    Args:
        in_subset: bool `[K, n]`, row i was in model k's subset.
        correct: `[K, n]`, 0 or 1, model k was right on row i; NaN where that is not known.
        margins: `[K, n]`, logit of the row's label minus the largest other logit, in place of
            `correct`; right where > 0. Not finite is not known.
        prior: `[n]`, beside `margins`: any score that goes with difficulty, best the loss of one
            more run on all rows, summed over its epochs (`cumulative_loss`). Only the order of
            rows counts, in either direction; a score of no use does little harm.
        confidence: nominal coverage of each row's interval, in (0, 1).

    Returns:
        `MemorizationScores`. A row that was never in, or never out, has NaN.

    Raises:
        DataError: shapes that do not fit, values that are neither 0 nor 1, a prior with NaN or for
            fewer than 50 rows, or no row that is both in and out of some model; with `margins`, no
            row on which two models say something on the same side.
        UsageError: both or neither of `correct` and `margins`, a prior without margins, or a
            confidence outside (0, 1).

    Cost: O(K n), twice with margins; beside the inputs, which may be mapped from files, some
    blocks of 32 MiB and arrays `[n]`. Assumption: models are independent given their subsets, and
    subsets say nothing else of a row (they are drawn at random, balanced or not). Differs from the
    source, which counts and gives no interval. Source: Feldman, Zhang 2020 (arXiv:2008.03703).

    >>> in_subset = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    >>> correct = np.array([[1, 1], [1, 1], [0, 1], [0, 1]])  # row 0 where it was in, row 1 always
    >>> scores = memorization_scores(in_subset, correct)
    >>> scores.estimate, scores.low.round(2)
    (array([1., 0.]), array([ 0.06, -0.67]))
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    if (correct is None) == (margins is None):
        raise UsageError(
            "one of correct and margins is needed",
            got="neither" if correct is None else "both",
            remedy="margins say more; their sign is what correct holds",
        )
    if prior is not None and margins is None:
        raise UsageError("a prior is for margins, and there are none", remedy="give margins")
    masks = as_masks(in_subset)
    name = "correct" if margins is None else "margins"
    values = as_array(name, correct if margins is None else margins)
    check_fits(name, values, masks)
    read = _Ensemble(masks, values, margins is not None)
    inside, outside = read.tallies()
    _check_sides(inside, outside, len(masks))
    one: Accuracies
    if margins is None:
        one, other = (jeffreys_accuracies(t.n_right, t.n, confidence) for t in (inside, outside))
        method = "counted"
    else:
        for side, tally in (("in", inside), ("out of", outside)):
            _check_spread(side, tally, len(masks))
        n_known = min(int((tally.n > 0).sum()) for tally in (inside, outside))
        expected = None if prior is None else _check_prior(prior, masks.shape[1], n_known)
        one = tail_accuracies(inside, read.side(True), expected, confidence)
        other = tail_accuracies(outside, read.side(False), expected, confidence)
        method = "margin tail" if prior is None else "margin tail and prior"
    low, high = difference_interval(one, other)
    return MemorizationScores(
        one.estimate - other.estimate,
        low,
        high,
        np.sqrt(one.variance + other.variance),
        one.estimate,
        other.estimate,
        inside.n,
        outside.n,
        len(masks) - inside.n - outside.n,
        confidence,
        method,
    )


@dataclass(frozen=True)
class _Ensemble:
    """Masks and what is said of rows, read by blocks of rows."""

    masks: Any
    values: Any
    are_margins: bool

    def tallies(self) -> tuple[Tally, Tally]:
        """Return what models say that saw a row, and what those say that did not."""
        n_rows = self.masks.shape[1]
        inside, outside = _empty_tally(n_rows), _empty_tally(n_rows)
        lowest, highest = np.inf, -np.inf
        for rows, said, masks, known in self._read():
            lowest = min(lowest, said.min(where=known, initial=np.inf))
            highest = max(highest, said.max(where=known, initial=-np.inf))
            for tally, counts in ((inside, masks & known), (outside, ~masks & known)):
                kept = np.where(counts, said, 0.0)
                tally.n[rows], tally.n_right[rows] = counts.sum(0), (kept > 0).sum(0)
                tally.mean[rows] = kept.sum(0) / np.maximum(tally.n[rows], 1)
                apart = np.where(counts, kept - tally.mean[rows], 0.0)
                tally.squares[rows] = np.square(apart, out=apart).sum(0)
        if self.are_margins and lowest <= highest:
            check_margins("margins", float(lowest), float(highest))
        return inside, outside

    def side(self, inside: bool) -> MarginBlocks:
        """Return what reads the blocks again, with the models of one side."""
        return lambda: (
            (rows, said, (masks == inside) & known) for rows, said, masks, known in self._read()
        )

    def _read(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
        for rows in blocks(self.masks.shape[1], len(self.masks)):
            if self.are_margins:
                # Beyond all use, and squares of more would be no numbers.
                said = read_numbers(self.values, rows)
                known = np.isfinite(said)
                said = np.clip(said, -_LARGEST, _LARGEST)
            else:
                said = read_correct("correct", self.values, rows)
                known = ~np.isnan(said)
            yield rows, said, read_masks(self.masks, rows), known


def _empty_tally(n_rows: int) -> Tally:
    counts, sums = np.zeros((2, n_rows), np.int64), np.zeros((2, n_rows))
    return Tally(counts[0], counts[1], sums[0], sums[1])


def _check_sides(inside: Tally, outside: Tally, n_models: int) -> None:
    if not np.any((inside.n > 0) & (outside.n > 0)):
        side = "never in" if not inside.n.any() else "never out"
        raise DataError(
            "no row is both in and out of some model that says something of it",
            got=f"{n_models} models; {int((inside.n == 0).sum())} rows never in, "
            f"{int((outside.n == 0).sum())} never out",
            remedy=f"rows that are {side} have no score; draw balanced subsets, or more models",
        )


def _check_spread(side: str, tally: Tally, n_models: int) -> None:
    if not tally.squares.sum() > 0:
        raise DataError(
            f"the spread of margins is not known: no row is {side} two models that differ",
            got=f"{n_models} models",
            remedy="train more models, or give correct (margins > 0) to count",
        )


def _check_prior(prior: Any, n_rows: int, n_known: int) -> np.ndarray:
    scores = as_vector("prior", prior, n_rows, "rows as in_subset").astype(np.float64)
    if np.isnan(scores).any():
        raise DataError(
            "prior holds NaN",
            got=f"{int(np.isnan(scores).sum())} of {n_rows} rows",
            remedy="give every row a number; one and the same where nothing is known",
        )
    if n_known < FEWEST_ROWS:
        raise DataError(
            "too few rows to fit a prior to",
            got=f"{n_known} that are in, or out of, some model",
            allowed=f">= {FEWEST_ROWS}",
            remedy="leave the prior out",
        )
    return scores
