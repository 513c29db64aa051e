"""Predictions of a row by the models that did not see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.errors import DataError
from overparam.measures.subset_arrays import (
    as_array,
    as_masks,
    blocks,
    check_fits,
    check_probabilities,
    read_masks,
    read_numbers,
)


@dataclass(frozen=True)
class OutOfSample:
    """Mean prediction of the models that did not see a row.

    Attributes:
        probabilities: `[n]` of the row's label, or `[n, classes]`, in [0, 1]; NaN where no model
            counts. standard_error: of the same shape, over models; NaN where fewer than two count.
        n_out: int64 `[n]`, models that count. n_missing: int64 `[n]`, models that did not see the
            row and hold NaN.
    """

    probabilities: np.ndarray
    standard_error: np.ndarray
    n_out: np.ndarray
    n_missing: np.ndarray


def out_of_sample_probabilities(in_subset: Any, probabilities: Any) -> OutOfSample:
    """Return for each row the mean probability under the models that did not see it.

    p_i = mean_{k: i not in S_k} p_ki. What tools that look for label errors ask for; probabilities
    of models that saw the row only say that it was learned.

    Args:
        in_subset: bool `[K, n]`, row i was in model k's subset.
        probabilities: `[K, n]` of the row's own label, or `[K, n, classes]`, which sum to 1. NaN
            in a row of a model (one that diverged) leaves that model out of that row.

    Returns:
        `OutOfSample`. The standard error is the deviation over models / sqrt(n_out): of this mean
        as an estimate of that of infinitely many models.

    Raises:
        DataError: shapes that do not fit, values outside [0, 1] (logits), probabilities that do
            not sum to 1 within 0.01, or no row that some model did not see.

    Cost: O(K n classes), by blocks of rows. Assumption: subsets are drawn at random.

    >>> in_subset = [[1, 0], [0, 1], [0, 0]]
    >>> found = out_of_sample_probabilities(in_subset, [[0.9, 0.5], [0.1, 0.9], [0.3, 0.25]])
    >>> found.probabilities.round(3), found.n_out
    (array([0.2  , 0.375]), array([2, 2]))
    """
    masks = as_masks(in_subset)
    values = as_array("probabilities", probabilities, (2, 3))
    check_fits("probabilities", values, masks)
    shape = tuple(values.shape[1:])
    mean, error = np.full(shape, np.nan), np.full(shape, np.nan)
    n_out, n_missing = np.zeros(shape[0], np.int64), np.zeros(shape[0], np.int64)
    for rows in blocks(shape[0], len(masks), *shape[1:]):
        said = read_numbers(values, rows)
        check_probabilities(said)
        said = said if said.ndim == 3 else said[:, :, None]
        outside = ~read_masks(masks, rows)
        missing = np.isnan(said).any(2)
        counts = outside & ~missing
        n_out[rows], n_missing[rows] = counts.sum(0), (outside & missing).sum(0)
        some, error_of_some = _mean_and_error(said, counts)
        mean[rows] = some.reshape(-1, *shape[1:])
        error[rows] = error_of_some.reshape(-1, *shape[1:])
    if not n_out.any():
        raise DataError(
            "no row was left out by a model that says something of it",
            got=f"in_subset {list(masks.shape)}",
            remedy="train on subsets of the rows",
        )
    return OutOfSample(mean, error, n_out, n_missing)


def _mean_and_error(said: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard error over the models that count, of `[K, rows, classes]`."""
    n = counts.sum(0)[:, None].astype(np.float64)
    mean = np.where(counts[:, :, None], said, 0.0).sum(0) / np.where(n > 0, n, np.nan)
    apart = np.where(counts[:, :, None], said - mean, 0.0)
    squares = np.square(apart, out=apart).sum(0)
    return mean, np.sqrt(squares / np.where(n > 1, n * (n - 1), np.nan))
