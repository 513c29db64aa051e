"""Influence of training rows on test rows, from models trained on random subsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import hypergeom

from overparam.checks import check_count, check_range
from overparam.errors import DataError, UsageError
from overparam.measures.jeffreys import squared_error
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

_BLOCK_ENTRIES = 2**24  # of the matrix that are alive at a time, in float32


@dataclass(frozen=True)
class InfluencePairs:
    """Pairs of a training row and a test row, the strongest first.

    Attributes:
        train, test: int64 `[n_pairs]`, the rows of each pair.
        influence: `[n_pairs]`, accuracy on the test row of the models that saw the training row,
            minus that of the others; in [threshold, 1], larger is stronger.
        standard_error: `[n_pairs]`, of the influence, > 0 (Jeffreys moments).
        n_above: pairs at or above the threshold, of which at most `max_pairs` are listed.
        n_by_chance: how many pairs would be there on average if no row had any influence. Where
            it is not far below `n_above`, the pairs are noise: train more models.
        n_rows: training rows that were looked at: memorized enough, and both in and out.
        n_models: models that count; n_left_out: models with a NaN on some test row, which do not.
        threshold: the least influence that is listed.
    """

    train: np.ndarray
    test: np.ndarray
    influence: np.ndarray
    standard_error: np.ndarray
    n_above: int
    n_by_chance: float
    n_rows: int
    n_models: int
    n_left_out: int
    threshold: float


def influence_scores(
    in_subset: Any,
    test_correct: Any = None,
    test_margins: Any = None,
    *,
    memorization: Any = None,
    threshold: float = 0.15,
    memorization_threshold: float = 0.25,
    max_pairs: int = 1_000_000,
) -> InfluencePairs:
    """Return the pairs of training and test rows with high influence.

    infl_ij = mean_{k: i in S_k} correct_kj - mean_{k: i not in S_k} correct_kj, the change of the
    accuracy on test row j when training row i is in the subset.

    Args:
        in_subset: bool `[K, n]`, training row i was in model k's subset.
        test_correct: `[K, m]`, 0 or 1, model k was right on test row j.
        test_margins: `[K, m]` in its place: right where it is > 0.
        memorization: `[n]`, memorization scores. Only rows of at least `memorization_threshold`
            are looked at, which is the published definition of a high-influence pair; NaN is not.
        threshold: the least influence listed, in (0, 1].
        max_pairs: the most pairs that are listed (32 bytes each).

    Returns:
        `InfluencePairs`. Rows never in, or never out, of some model have none. A model with a NaN
        on some test row has diverged and is left out.

    Raises:
        DataError: shapes that do not fit, values that are neither 0 nor 1, fewer than two models
            that have not diverged, or no row that is both in and out of some.
        UsageError: both or neither of `test_correct` and `test_margins`, or a number out of range.

    Cost: one product of 2 K n m operations in float32 (exact: sums of 0 and 1), by blocks of
    training rows; memory 4 K (n + m) bytes at most beside blocks of 64 MiB and the listed pairs.
    Assumption: subsets are drawn at random; pairs at the threshold are the ones that chance
    exaggerates most. Source: Feldman, Zhang 2020 (arXiv:2008.03703), section 2.

    >>> in_subset = np.array([[1, 0], [1, 1], [0, 1], [0, 0]])
    >>> pairs = influence_scores(in_subset, in_subset[:, :1])  # right if and only if row 0 is in
    >>> pairs.train, pairs.test, pairs.influence
    (array([0]), array([0]), array([1.]))
    """
    check_range("threshold", threshold, 0, 1, open_low=True)
    check_range("memorization_threshold", memorization_threshold, -1, 1)
    check_count("max_pairs", max_pairs)
    masks, correct, n_left_out = _read(in_subset, test_correct, test_margins)
    candidates = _candidates(masks.shape[1], memorization, memorization_threshold)
    n_in = masks.sum(0)
    known = (n_in > 0) & (n_in < len(masks))
    if not known.any():
        raise DataError(
            "no training row is both in and out of some model",
            got=f"{len(masks)} models",
            remedy="draw balanced subsets, or train more models",
        )
    looked_at = np.flatnonzero(candidates & known)
    # Sums are exact but their quotients are rounded: what equals the threshold is above it.
    kept = _Strongest(max_pairs, threshold - 1e-6)
    for rows in _row_blocks(looked_at, correct.shape[1]):
        kept.add(rows, _block(masks, correct, rows))
    train, test, found = kept.sorted()
    influence, standard_error = _counted(masks, correct, train, test, found)
    return InfluencePairs(
        train,
        test,
        influence,
        standard_error,
        kept.n_seen,
        _expected_by_chance(n_in[looked_at], correct, threshold),
        len(looked_at),
        len(masks),
        n_left_out,
        threshold,
    )


def influence_matrix(
    in_subset: Any, test_correct: Any = None, test_margins: Any = None, *, rows: Any = None
) -> np.ndarray:
    """Return the influence of some training rows, by default all, on every test row.

    Args:
        in_subset, test_correct, test_margins: as in `influence_scores`.
        rows: int `[r]`, the training rows that are asked for.

    Returns:
        float32 `[r, m]`, in [-1, 1]; NaN where a row is never in or never out. Its size is the
        caller's to judge: 60,000 x 10,000 take 2.4 GB.

    Raises:
        DataError, UsageError: as in `influence_scores`, but for rows that are all never in or out.

    Cost: 2 K r m operations. Source: as in `influence_scores`.

    >>> influence_matrix([[1, 0], [0, 1]], [[1, 0, 1], [0, 0, 1]]).tolist()
    [[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]
    """
    masks, correct, _ = _read(in_subset, test_correct, test_margins)
    n = masks.shape[1]
    asked = np.arange(n) if rows is None else as_array("rows", rows, (1,))
    if asked.dtype.kind not in "iu" or np.any((asked < 0) | (asked >= n)):
        raise DataError(
            "rows are no training rows", got=str(asked)[:80], allowed=f"whole numbers 0..{n - 1}"
        )
    found = np.empty((len(asked), correct.shape[1]), np.float32)
    done = 0
    for some in _row_blocks(asked, correct.shape[1]):
        found[done : done + len(some)] = _block(masks, correct, some)
        done += len(some)
    return found


def _read(in_subset: Any, test_correct: Any, test_margins: Any) -> tuple[Any, np.ndarray, int]:
    """Return masks bool `[K, n]`, correctness float32 `[K, m]` and the number of NaN models."""
    if (test_correct is None) == (test_margins is None):
        raise UsageError(
            "one of test_correct and test_margins is needed",
            got="both" if test_margins is not None else "neither",
        )
    name = "test_margins" if test_correct is None else "test_correct"
    masks = as_masks(in_subset)
    values = as_array(name, test_margins if test_correct is None else test_correct)
    check_fits(name, values, masks, rows=False)
    read = np.empty(tuple(masks.shape), bool)
    for rows in blocks(masks.shape[1], len(masks)):
        read[:, rows] = read_masks(masks, rows)
    correct = np.empty(tuple(values.shape), np.float32)
    lowest, highest = np.inf, -np.inf
    for rows in blocks(values.shape[1], len(masks)):
        if test_correct is None:
            margins = read_numbers(values, rows)
            lowest = min(lowest, np.fmin.reduce(margins, axis=None, initial=np.inf))
            highest = max(highest, np.fmax.reduce(margins, axis=None, initial=-np.inf))
            correct[:, rows] = np.where(np.isnan(margins), np.nan, margins > 0)
        else:
            correct[:, rows] = read_correct(name, values, rows)
    if lowest <= highest:
        check_margins(name, float(lowest), float(highest))
    finite = ~np.isnan(correct.sum(1))
    if finite.sum() < 2:
        raise DataError(
            f"fewer than two models without NaN in {name}",
            got=f"{int(finite.sum())} of {len(finite)}",
            remedy="look at why the models diverged",
        )
    if finite.all():
        return read, correct, 0
    return read[finite], correct[finite], int((~finite).sum())


def _candidates(n: int, memorization: Any, least: float) -> np.ndarray:
    if memorization is None:
        return np.ones(n, bool)
    scores = as_vector("memorization", memorization, n, "rows as in_subset")
    return scores >= least  # False at NaN


def _row_blocks(rows: np.ndarray, n_test: int) -> list[np.ndarray]:
    step = max(1, _BLOCK_ENTRIES // n_test)
    return [rows[start : start + step] for start in range(0, len(rows), step)]


def _block(masks: np.ndarray, correct: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the influence of some training rows, float32 `[rows, m]`."""
    inside = masks[:, rows].astype(np.float32)
    n_in = inside.sum(0)
    n_out = len(masks) - n_in
    with np.errstate(invalid="ignore", divide="ignore"):
        # in'c / n_in - (total - in'c) / n_out, from the one product in'c
        right_in = inside.T @ correct
        found = right_in * (1 / n_in + 1 / n_out)[:, None]
        found -= correct.sum(0)[None, :] / n_out[:, None]
    found[(n_in == 0) | (n_out == 0)] = np.nan
    return found


class _Strongest:
    """The largest of what was added, at most `most`; what falls out is let go at once.

    Rows come in rising order, so of equals those that came first are the ones to keep, and what is
    no larger than the least of a full list need not be sorted into it.
    """

    def __init__(self, most: int, threshold: float) -> None:
        self.most, self.threshold, self.n_seen = most, threshold, 0
        self._kept = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)

    def add(self, rows: np.ndarray, block: np.ndarray) -> None:
        above = block >= self.threshold
        self.n_seen += int(np.count_nonzero(above))
        if len(self._kept[0]) == self.most:
            above = block > self._kept[2].min()
        i, j = np.nonzero(above)
        train, test, found = self._kept
        train, test = np.append(train, rows[i]), np.append(test, j)
        found = np.append(found, block[i, j])
        if len(found) > self.most:
            least = np.partition(found, -self.most)[-self.most]
            kept = np.flatnonzero(found >= least)  # with all that equal it
            order = kept[_order(train[kept], test[kept], found[kept])[: self.most]]
            train, test, found = train[order], test[order], found[order]
        self._kept = train, test, found

    def sorted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        order = _order(*self._kept)
        train, test, influence = (values[order] for values in self._kept)
        return train, test, influence


def _order(train: np.ndarray, test: np.ndarray, influence: np.ndarray) -> np.ndarray:
    return np.lexsort((test, train, -influence))


def _counted(
    masks: np.ndarray, correct: np.ndarray, train: np.ndarray, test: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return influence and standard error of some pairs in float64, from their counts.

    How often the models that saw the row are right is a whole number: the product's rounding is
    undone by rounding to it.
    """
    n_in, right = masks.sum(0)[train], correct.sum(0, dtype=np.float64)[test]
    n_out = len(masks) - n_in
    right_in = np.rint((found + right / n_out) * n_in * n_out / len(masks))
    variance = squared_error(right_in, n_in) + squared_error(right - right_in, n_out)
    return right_in / n_in - (right - right_in) / n_out, np.sqrt(variance)


def _expected_by_chance(n_in: np.ndarray, correct: np.ndarray, threshold: float) -> float:
    """Return the mean number of pairs above the threshold if subsets did not matter.

    With T of K models right on a test row, the number of them among the n_in models that saw a
    training row is then hypergeometric: exact, and a table over the few values of n_in and T.
    """
    k = len(correct)
    of_in, rows = np.unique(n_in, return_counts=True)
    of_right, tests = np.unique(correct.sum(0).astype(np.int64), return_counts=True)
    inside, right = of_in[:, None], of_right[None, :]
    # infl >= threshold if and only if the right ones inside are at least this many
    least = (threshold + right / (k - inside)) * (inside * (k - inside)) / k
    tail = hypergeom.sf(np.ceil(least - 1e-6) - 1, k, right, inside)
    return float(rows @ tail @ tests)
