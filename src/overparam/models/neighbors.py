"""Means over k nearest neighbours, where ties are shared: the order of the rows never matters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial.distance import cdist

from overparam.checks import check_choice, check_count
from overparam.errors import DataError

METRICS = ("euclidean", "cityblock", "chebyshev")
_ENTRIES = 4_000_000  # of distances that are held at once


def neighbor_distances(
    queries: np.ndarray, rows: np.ndarray, metric: str
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of queries with their distances to all rows, `[b, n]`.

    Distances are of differences, not of a Gram matrix: equal rows are at distance 0 exactly, and
    rows that are equally far are so to the last bit.

    Raises:
        UsageError: an unknown metric.
        DataError: distances that overflow.

    >>> [d.tolist() for _, d in neighbor_distances(np.ones((1, 1)), np.zeros((2, 1)), "cityblock")]
    [[[1.0, 1.0]]]
    """
    check_choice("metric", metric, METRICS)
    step = max(1, _ENTRIES // len(rows))
    for start in range(0, len(queries), step):
        block = slice(start, min(start + step, len(queries)))
        distances = cdist(queries[block], rows, metric)
        if not np.isfinite(distances).all():
            raise DataError("distances between rows overflow", remedy="scale the features")
        yield block, distances


def shared_weights(distances: np.ndarray, k: int) -> np.ndarray:
    """Return the weights of the k nearest of every line of `[b, n]`; they sum to 1.

    What is nearer than the k-th distance weighs 1/k; all that lie exactly at it share what is
    left, as if one drew among them. Infinite distances are of rows that are left out.

    >>> shared_weights(np.array([[0.0, 1.0, 1.0, 2.0]]), 2).tolist()
    [[0.5, 0.25, 0.25, 0.0]]
    """
    last = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
    nearer, tied = distances < last, distances == last
    left = k - nearer.sum(1, keepdims=True)
    return (nearer + tied * (left / tied.sum(1, keepdims=True))) / k


def checked_neighbors(n_neighbors: int, n_rows: int) -> int:
    """Return k if there are as many rows to be neighbours.

    Raises:
        UsageError: not a whole number >= 1.
        DataError: more neighbours than rows.

    >>> checked_neighbors(3, 3)
    3
    """
    k = check_count("n_neighbors", n_neighbors)
    if k > n_rows:
        raise DataError("there are fewer rows than neighbours", got=k, allowed=f"<= {n_rows}")
    return k
