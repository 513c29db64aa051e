"""Duplicates: rows that equal other rows of their set, or rows of another set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from overparam.data.row_keys import first_of_equal
from overparam.data.rows import as_inputs, n_rows
from overparam.data.subsets import number_values
from overparam.data.tables import check_same_rows
from overparam.errors import DataError


@dataclass(frozen=True)
class Duplicates:
    """Which rows are copies of each other, within one set or over two.

    Attributes:
        group: int64 `[n]`, one number for all rows that are copies of each other: the position of
            the first of them.
        group_of_other: int64 `[m]`, the same of the other set's rows, counted on from n; below n
            where a row has a copy in the first set. None where there is no other set.
    """

    group: np.ndarray
    group_of_other: np.ndarray | None

    @property
    def sets(self) -> list[np.ndarray]:
        """Rows of the first set that are copies of each other, two or more, by their first row."""
        return sets_of_copies(self.group)

    @property
    def is_copy(self) -> np.ndarray:
        """Bool `[n]`: rows that have a copy earlier in the first set."""
        return self.group != np.arange(len(self.group))

    @property
    def is_in_first(self) -> np.ndarray:
        """Bool `[m]`: rows of the other set that have a copy in the first.

        Raises:
            DataError: there is no other set.
        """
        if self.group_of_other is None:
            raise DataError("there is no other set", remedy="search with other=")
        return self.group_of_other < len(self.group)


def find_duplicates(inputs: Any, other: Any = None) -> Duplicates:
    """Return which rows are exact copies of each other.

    Args:
        inputs: n rows: an array or tensor of any shape (images as they are), a table of pandas or
            polars with columns of any type, a SciPy sparse matrix, or a list of texts.
        other: m rows in the same form, such as the test set.

    Returns:
        `Duplicates`. Numbers are compared as numbers: 1 is 1.0 and 0 is -0, but 0.1 of float32 is
        not 0.1 of float64; whole numbers of any size exactly, also beside missing ones. A missing
        value is like another of its kind, so rows that lack the same are copies.

    Raises:
        DataError: no rows, masked or ragged ones, sets of different forms, shapes or columns.

    Cost: one pass, a key for each row (of its bytes), and a look at a dictionary.

    >>> found = find_duplicates([[1, 2], [3, 4], [1, 2]], [[3, 4], [5, 6]])
    >>> found.group, found.group_of_other, found.is_in_first
    (array([0, 1, 0]), array([1, 4]), array([ True, False]))
    >>> found.sets
    [array([0, 2])]
    """
    rows = rows_to_search("inputs", inputs)
    n = n_rows(rows)
    if other is None:
        return Duplicates(first_of_equal(rows), None)
    group = first_of_equal(rows, rows_to_search("other", other))
    return Duplicates(group[:n], group[n:])


def group_of_rows(*groupings: Any) -> np.ndarray:
    """Return one group for all rows that any grouping holds together, int64 `[n]`.

    What `groups=` of subsets, ensembles and cross-validation asks for: with copies in one group no
    row is judged by a model that was trained on its copy.

    Args:
        groupings: what `find_duplicates` or `find_near_duplicates` returned (of the first set), or
            values `[n]` of your own, such as patients.

    Returns:
        The position of the first row of each row's group. Groups that share a row are one.

    Raises:
        DataError: no grouping, other lengths, one index in two orders, missing values.

    Cost: O(n) for each grouping.

    >>> group_of_rows(find_duplicates(["a", "b", "a", "c"]), ["x", "y", "z", "y"])
    array([0, 1, 0, 1])
    """
    if not groupings:
        raise DataError("there is nothing to group by", remedy="give duplicates, or groups [n]")
    held = [getattr(grouping, "group", grouping) for grouping in groupings]
    try:
        n = len(held[0])
    except TypeError:
        raise DataError(
            "groups must be one value for each row", got=type(held[0]).__name__
        ) from None
    numbers = [number_values("groups", n, values) for values in held]
    check_same_rows({f"grouping {i}": values for i, values in enumerate(held, 1)})
    start = np.cumsum([n, *(int(of_row.max(initial=-1)) + 1 for of_row in numbers)])
    values = np.concatenate([at + of_row for at, of_row in zip(start, numbers, strict=False)])
    return joined_groups(n, np.tile(np.arange(n), len(held)), values)


def joined_groups(n: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the first row of what each of n rows is joined with, by edges left-right.

    What is n or more is no row, but may join rows.

    >>> joined_groups(4, np.array([0, 2]), np.array([2, 3]))
    array([0, 1, 0, 0])
    """
    size = 1 + max(n - 1, int(left.max(initial=0)), int(right.max(initial=0)))
    edges = coo_array((np.ones(len(left), bool), (left, right)), shape=(size, size))
    part = connected_components(edges, directed=False)[1][:n]
    _, first, of_row = np.unique(part, return_index=True, return_inverse=True)
    return first[of_row]


def sets_of_copies(group: np.ndarray) -> list[np.ndarray]:
    """Return the rows of each group that holds two or more, by their first row.

    >>> sets_of_copies(np.array([0, 1, 1, 0]))
    [array([0, 3]), array([1, 2])]
    """
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    parts: Sequence[np.ndarray] = np.split(order, starts[1:])
    return sorted((part for part in parts if len(part) > 1), key=lambda part: int(part[0]))


def rows_to_search(name: str, inputs: Any) -> Any:
    """Return rows in their form, at least one of them.

    Raises:
        DataError: no rows, or as in `overparam.data.rows.as_inputs`.
    """
    rows = as_inputs(inputs)
    if isinstance(inputs, list | tuple) and isinstance(rows, np.ndarray) and _may_differ(rows):
        rows = np.array(inputs, dtype=object)
    if not n_rows(rows):
        raise DataError(f"{name} hold no rows", got="0 rows", allowed="at least one row")
    return rows


def _may_differ(rows: np.ndarray) -> bool:
    """Whether one type for all of a list may have changed what it holds.

    It makes "1" of 1 among texts, and 2**53 of 2**53 + 1 among fractions.
    """
    return rows.dtype.kind in "US" or (
        rows.dtype.kind == "f" and bool((np.abs(rows) >= 2**53).any())
    )
