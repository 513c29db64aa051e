"""Constant, duplicated and collinear columns by name; how classes are balanced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_range, read_number
from overparam.data.column_dates import all_read
from overparam.data.table_columns import Column, n_rows_of, read_columns
from overparam.measures.jeffreys import jeffreys_accuracies
from overparam.measures.linear.linear_columns import can_be_multiplied
from overparam.measures.linear.linear_design import Relation, identify_coefficients
from overparam.measures.tables.screened_target import read_target

_NAMED_AT_MOST = 5


@dataclass(frozen=True)
class ColumnFaults:
    """Columns that say nothing, or nothing of their own.

    Attributes:
        constant: names of columns of one value, nothing missing. empty: of which all is missing.
        duplicated: groups of names of columns with equal entries, missing ones too.
        renamed: groups of names of columns of which each has the others' entries under other names
            (one to one): codes and words for them.
        collinear: each column of numbers that is a sum of multiples of others and a constant; none
            are looked for where there are as many columns as rows, since then every one is.
        not_checked: columns of numbers that have missing entries, infinity, entries too large or
            small to be multiplied, or different ones that float64 would merge: they cannot be
            compared so.
        nearly_numbers: columns of words of which more than half of the different entries are
            numbers, each with entries that are none, such as ``?``: what is missing, perhaps.
    """

    constant: tuple[str, ...]
    empty: tuple[str, ...]
    duplicated: tuple[tuple[str, ...], ...]
    renamed: tuple[tuple[str, ...], ...]
    collinear: tuple[Relation, ...]
    not_checked: tuple[str, ...]
    nearly_numbers: dict[str, tuple[str, ...]]


def find_column_faults(table: Any) -> ColumnFaults:
    """Return constant, empty, duplicated and collinear columns, by name.

    Args:
        table: `[n, p]`, as in `estimate_column_scores`.

    Returns:
        `ColumnFaults`. A column is in one list only: constant ones are not called collinear, of
        duplicates the first stands for all, and renamed groups have a column of words, of values
        that repeat. Collinear to rounding (`identify_coefficients` says the tolerance).

    Raises:
        DataError: a table that cannot be read.

    Cost: O(n p min(n, p)), of the collinear ones.

    >>> found = find_column_faults([[1, 1, "a", 5, 2], [2, 2, "b", 5, 4], [2, 2, "b", 5, 4.5]])
    >>> found.constant, found.duplicated, found.renamed, found.collinear
    (('3',), (('0', '1'),), (('0', '2'),), ())
    """
    columns = read_columns(table)
    empty = [c for c in columns if c.missing.all()]
    constant = [c for c in columns if not c.missing.any() and len(np.unique(c.values)) == 1]
    rest = [c for c in columns if c not in empty and c not in constant]
    duplicated = _groups(rest, _entries)
    first = {name for group in duplicated for name in group[1:]}
    rest = [c for c in rest if c.name not in first]
    renamed = _groups([c for c in rest if _may_be_renamed(c)], _partition)
    words = {c.name for c in rest if c.kind == "word"}
    renamed = tuple(group for group in renamed if words & {*group})
    numbers = [c for c in rest if c.kind == "number"]
    usable = [c for c in numbers if not c.levels and can_be_multiplied(_largest(c)).all()]
    relations: tuple[Relation, ...] = ()
    if len(usable) > 1 and len(usable[0].values) > len(usable):
        design = np.stack([c.values for c in usable], axis=1)
        found = identify_coefficients(design, names=[c.name for c in usable], fit_intercept=True)
        relations = found.relations
    return ColumnFaults(
        tuple(c.name for c in constant),
        tuple(c.name for c in empty),
        duplicated,
        renamed,
        relations,
        tuple(c.name for c in numbers if c not in usable),
        {c.name: others for c in columns if (others := _among_numbers(c))},
    )


@dataclass(frozen=True, eq=False)
class ClassBalance:
    """Shares of the classes, the most frequent first.

    Attributes:
        classes: `[K]`, as they were given. counts: int64 `[K]`. share: `[K]`; low, high: each
            share's Jeffreys interval.
        n_effective: exp of the entropy, in 1 ... K: as many equally large classes are as uncertain.
        majority: accuracy of always saying the most frequent class.
    """

    classes: np.ndarray
    counts: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_effective: float
    majority: float


def class_balance(target: Any, *, confidence: float = 0.95) -> ClassBalance:
    """Return how large the classes are.

    Args:
        target: `[n]`, classes of any type.

    Raises:
        DataError: missing entries, one class, fewer than 10 rows. UsageError: a confidence outside
            (0, 1).

    Cost: O(n log n).

    >>> found = class_balance(["a"] * 9 + ["b"] * 3)
    >>> found.classes.tolist(), found.counts.tolist(), found.majority
    (['a', 'b'], [9, 3], 0.75)
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    known = read_target(target, n_rows_of(target), "classes")
    counts = np.bincount(known.codes)
    order = np.argsort(-counts, kind="stable")
    counts, n = counts[order], int(counts.sum())
    found = jeffreys_accuracies(counts, np.full(len(counts), n), confidence)
    share = counts / n
    return ClassBalance(
        known.classes[order],
        counts,
        share,
        found.low,
        found.high,
        float(np.exp(-(share * np.log(share)).sum())),
        float(share[0]),
    )


def _groups(columns: list[Column], key: Any) -> tuple[tuple[str, ...], ...]:
    found: dict[Any, list[str]] = {}
    for column in columns:
        found.setdefault(key(column), []).append(column.name)
    return tuple(tuple(names) for names in found.values() if len(names) > 1)


def _entries(column: Column) -> tuple[Any, ...]:
    """What equal columns share: words by their texts."""
    return column.kind, column.levels, (column.values + 0.0).tobytes()


def _largest(column: Column) -> np.ndarray:
    return np.abs(column.values).max(keepdims=True)


def _among_numbers(column: Column) -> tuple[str, ...]:
    """Return the first words that are no numbers where most of the column's are."""
    if column.kind != "word":
        return ()
    others = [word for word in column.levels if all_read([word], read_number) is None]
    return tuple(others[:_NAMED_AT_MOST]) if 2 * len(others) < len(column.levels) else ()


def _partition(column: Column) -> bytes:
    """What columns share that are equal but for the names of their values: order of appearance."""
    values = np.where(column.missing, np.inf, column.values)
    _, first, codes = np.unique(values, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes].astype(np.int64).tobytes()


def _may_be_renamed(column: Column) -> bool:
    """Whether some value repeats: columns of which all differ are one to one by chance."""
    return len(np.unique(column.values[~column.missing])) < int((~column.missing).sum())
