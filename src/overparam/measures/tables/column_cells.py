"""Columns cut into cells: any form of dependence on a target becomes a difference between cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import rankdata

from overparam.data.table_columns import Column
from overparam.measures.tables.screened_target import Target

_MOST_CELLS = 20
_FEWEST_OF_A_WORD = 5  # rows; rarer words share a cell
_PRIOR_ROWS = 1.0  # that the whole counts for in the rates of a cell
_AT_ONCE = 2**24  # entries of permuted targets


def cells_of(column: Column) -> np.ndarray:
    """Return the cell of each entry, int64 `[n]`, numbered from 0.

    Numbers and dates: at most sqrt(n), 20 cells of equally many rows; equal values share one.
    Words: one for each, rare ones share one. What is missing has a cell of its own.
    """
    there = ~column.missing
    values, cells = column.values[there], np.zeros(len(there), np.int64)
    if column.kind == "word":
        _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
        cells[there] = np.where(counts[codes] >= _FEWEST_OF_A_WORD, codes + 2, 1)
    elif len(values):
        n_cells = int(np.clip(round(len(values) ** 0.5), 2, _MOST_CELLS))
        middle = (rankdata(values) - 0.5) / len(values)
        cells[there] = 1 + np.minimum((middle * n_cells).astype(np.int64), n_cells - 1)
    return _numbered(cells)


def is_missing(column: Column) -> np.ndarray:
    """Return 1 for entries that are missing, int64 `[n]`; 0 where all or none are."""
    return _numbered(column.missing)


def is_usual(column: Column) -> np.ndarray:
    """Return 1 for entries of the commonest value, int64 `[n]`; what is missing is one value.

    0 where all have it, or no value repeats.
    """
    values = np.where(column.missing, np.inf, column.values)
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    usual = int(counts.argmax())
    return _numbered((codes == usual) & (counts[usual] > 1))


def _numbered(cells: np.ndarray) -> np.ndarray:
    """Return cells numbered from 0, so that none is empty."""
    return np.unique(cells, return_inverse=True)[1].astype(np.int64)


def target_scores(target: Target) -> np.ndarray:
    """Return the target as `[n, k]` of mean 0 whose cell means make chi-squared statistics.

    One column for each class, (1[class] - share) / sqrt(share): Pearson's. Numbers: standardized
    ranks: Kruskal and Wallis'.
    """
    if target.n_classes:
        return class_scores(target.codes)
    centred = target.ranks - target.ranks.mean()
    return (centred / centred.std())[:, None]


def class_scores(codes: np.ndarray) -> np.ndarray:
    """Return classes `[n]` as standardized indicators `[n, k]`, of classes that have rows."""
    share = np.bincount(codes) / len(codes)
    indicators = np.eye(len(share))[:, share > 0][codes]
    return (indicators - share[share > 0]) / np.sqrt(share[share > 0])


def permutation_p_values(
    cells: Sequence[np.ndarray],
    scores: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return p-values `[p]` of independence, adjusted for the number of columns.

    Statistic of a column: sum over cells of |sum of scores|² / rows, in deviations of its own
    permutations from their mean. Each is compared with the largest of all columns in every
    permutation of the target (Westfall and Young's single step): if no column depends on the
    target, a p-value at or below alpha is there with probability at most alpha, exactly.
    """
    n, k = scores.shape
    starts = np.cumsum([0, *(int(c.max()) + 1 for c in cells)])
    places = np.concatenate([c + s for c, s in zip(cells, starts[:-1], strict=True)])
    rows = np.tile(np.arange(n), len(cells))
    membership = csr_array((np.ones(len(rows)), (places, rows)), shape=(int(starts[-1]), n))
    sizes = np.asarray(membership.sum(1)).ravel()
    statistics = np.empty((len(cells), n_permutations + 1))
    orders = np.concatenate(
        [np.arange(n)[None], rng.permuted(np.tile(np.arange(n), (n_permutations, 1)), axis=1)]
    )
    step = max(_AT_ONCE // max(n * k, int(starts[-1]) * k), 1)
    for first in range(0, len(orders), step):
        some = orders[first : first + step]
        sums = membership @ scores[some].transpose(1, 0, 2).reshape(n, -1)
        between = (sums.reshape(-1, len(some), k) ** 2).sum(2) / sizes[:, None]
        statistics[:, first : first + step] = np.add.reduceat(between, starts[:-1])
    return largest_of_all(statistics)


def largest_of_all(statistics: np.ndarray) -> np.ndarray:
    """Return adjusted p-values `[p]` of statistics `[p, 1 + permutations]`, the first observed.

    A statistic that no permutation changes says nothing: its p-value is 1.

    >>> largest_of_all(np.array([[9.0, 1.0, 2.0, 3.0], [5.0, 5.0, 5.0, 5.0]]))
    array([0.25, 1.  ])
    """
    middle, spread = statistics.mean(1, keepdims=True), statistics.std(1, keepdims=True)
    varies = spread[:, 0] > 1e-9 * np.maximum(np.abs(middle[:, 0]), 1e-9)
    found = np.ones(len(statistics))
    if varies.any():
        apart = (statistics[varies] - middle[varies]) / spread[varies]
        reached = apart.max(0)[None, :] >= apart[:, :1] - 1e-9
        found[varies] = reached.mean(1)
    return found


def cross_fitted(cells: np.ndarray, target: Target, folds: np.ndarray) -> np.ndarray:
    """Return what a column alone says of each row: shares of classes `[n, K]`, or mean rank `[n]`.

    Those of the rows of other folds in the row's cell, of which the whole counts for one more.
    """
    n_cells, n_folds = int(cells.max()) + 1, int(folds.max()) + 1
    scores = np.eye(target.n_classes)[target.codes] if target.n_classes else target.ranks[:, None]
    place = folds * n_cells + cells
    sums = np.stack([np.bincount(place, s, n_folds * n_cells) for s in scores.T], axis=-1)
    sums = sums.reshape(n_folds, n_cells, -1)
    sizes = np.bincount(place, minlength=n_folds * n_cells).reshape(n_folds, n_cells, 1)
    others, n_others = sums.sum(0) - sums, sizes.sum(0) - sizes
    prior = others.sum(1, keepdims=True) / n_others.sum(1, keepdims=True)
    said = (others + _PRIOR_ROWS * prior) / (n_others + _PRIOR_ROWS)
    found = said[folds, cells]
    return found if target.n_classes else found[:, 0]
