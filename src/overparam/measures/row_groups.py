"""Rows that belong together: numbered, and the error of a mean over rows that vary with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.data.arrays import is_missing
from overparam.errors import DataError
from overparam.measures.checked_arrays import as_array
from overparam.measures.clustering import Spread


@dataclass(frozen=True)
class MeanInterval:
    """A mean over rows, with its interval.

    Attributes:
        mean, low, high: in the unit of what is averaged.
    """

    mean: float
    low: float
    high: float


def numbered(name: str, values: Any, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the different names among `[n]` values, in order, and each row's number, int64 `[n]`.

    Args:
        name: what the values are called in messages. values: words, numbers or truth values.

    Raises:
        DataError: another number of rows or axes, missing values, or kinds without an order.

    >>> numbered("groups", [7, 2, 7], 3)
    (array([2, 7]), array([1, 0, 1]))
    """
    held = as_array(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if held.dtype.kind == "U" and isinstance(values, list | tuple):
        held = np.array(values, dtype=object)  # NumPy makes texts of all that stand among texts
    if held.shape != (n_rows,) or not n_rows:
        raise DataError(
            f"{name} must have one value for each row", got=list(held.shape), allowed=[n_rows]
        )
    missing = sum(map(is_missing, held.tolist())) if held.dtype.kind in "fOM" else 0
    if missing:
        raise DataError(
            f"{name} hold missing values",
            got=f"{missing} of {n_rows}",
            remedy="drop these rows, or give what is missing a name of its own",
        )
    try:
        names, numbers = np.unique(held, return_inverse=True)
    except TypeError:
        kinds = sorted({type(value).__name__ for value in held.tolist()})
        raise DataError(
            f"{name} are of kinds that have no order among each other",
            got=", ".join(kinds),
            remedy="make all of them texts, or numbers",
        ) from None
    return names, numbers.reshape(-1).astype(np.int64)


def cluster_numbers(groups: Any, n_rows: int) -> np.ndarray:
    """Return the number of each row's group, int64 `[n]`; each row is its own where none are given.

    Raises:
        DataError: as `numbered`, or all rows are one group, which shows no variation.
    """
    if groups is None:
        return np.arange(n_rows)
    names, numbers = numbered("groups", groups, n_rows)
    if len(names) < 2:
        raise DataError(
            "all rows are one group: nothing says how groups vary",
            got=f"{n_rows} rows",
            allowed="at least two groups",
            remedy="leave groups out if rows are independent",
        )
    return numbers


def mean_spread(values: np.ndarray, group: np.ndarray) -> Spread:
    """Return the squared standard error of the mean of `[n]` values, groups drawn as wholes.

    V = G/(G - 1) sum_g (sum_{i in g} (x_i - m))^2 / n^2, with G - 1 degrees of freedom; of groups
    of one row each, s^2/n.

    >>> mean_spread(np.array([0.0, 1.0, 2.0]), np.arange(3)).variance  # 1 / 3
    0.3333333333333333
    """
    sums = np.bincount(group, weights=values - values.mean())
    n_groups = len(np.unique(group))
    scale = n_groups / max(n_groups - 1, 1) / len(values) ** 2
    return Spread(float((sums**2).sum()) * scale, max(n_groups - 1, 1))


def folds_of(group: np.ndarray, n_folds: int) -> np.ndarray:
    """Return the fold of each row, int64 `[n]`: groups stay whole, folds hold as many groups.

    Drawn by a fixed generator, so that equal input gives equal folds.
    """
    names, numbers = np.unique(group, return_inverse=True)
    order = np.random.default_rng(0).permutation(len(names))
    return (order % min(n_folds, len(names)))[numbers]
