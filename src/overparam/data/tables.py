"""Tables of pandas, polars and pyarrow: columns are taken by name, rows in the order they have.

What names or an index say otherwise is refused, since no number that comes later would tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from overparam.errors import DataError, UsageError


def names_of(table: Any) -> list[Any]:
    """Return the names of a table's columns as they are; none of what is no table."""
    columns = getattr(table, "columns", None)
    names = getattr(table, "column_names", None)  # pyarrow's, whose `columns` are the contents
    if columns is not None and isinstance(names, list):
        return names
    return [] if columns is None else list(columns)


def column_names(table: Any) -> tuple[str, ...]:
    """Return the names of a table's columns, as text; none of what is no table.

    Raises:
        DataError: two columns have one name: no name could tell which of them is meant.
    """
    names = tuple(map(str, names_of(table)))
    if not names or len(getattr(table, "shape", ())) != 2:
        return ()
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(
            "the table has several columns of one name",
            got=", ".join(map(repr, repeated[:5])),
            allowed="names that differ, also as text",
            remedy="rename them, drop the copies with frame.loc[:, ~frame.columns.duplicated()], "
            "or give frame.to_numpy(), which has all columns by position",
        )
    return names


def check_columns(table: Any, known: tuple[str, ...], of: str) -> None:
    """Refuse a table whose columns are others than those known, or stand in another order.

    Args:
        known: names, or nothing where none are known. of: whose columns those are.

    Raises:
        UsageError: they differ. DataError: two have one name.
    """
    check_column_names(column_names(table), known, of, names_of(table))


def check_column_names(
    names: tuple[str, ...], known: tuple[str, ...], of: str, given: Sequence[Any] = ()
) -> None:
    """Refuse names of columns that are others than those known, or stand in another order.

    Args:
        names, known: nothing where none are known. given: the names as the table has them.

    Raises:
        UsageError: they differ.
    """
    if not names or not known or names == known:
        return
    place = next((i for i, (a, b) in enumerate(zip(names, known, strict=False)) if a != b), None)
    raise UsageError(
        f"the table's columns are not those of {of}",
        got=f"{len(names)} columns" if place is None else f"{names[place]!r} at position {place}",
        allowed=f"{len(known)} columns" if place is None else f"{known[place]!r} there",
        remedy=f"give them in the same order: frame[{list(known)}]"
        if set(given or names) >= set(known) and len(known) <= 8
        else "give the same columns in the same order",
    )


def label_position(table: Any, labels: Any) -> int | None:
    """Return which column of a table is named as its labels; None where they are given themselves.

    A name may be anything that pandas takes for one: text, a number, a date, or a tuple where
    columns have several levels. A tuple that is the name of a column is that name; what else has
    entries is labels.

    Raises:
        UsageError: a name that no column has. DataError: two columns have one name.
    """
    names = names_of(table)
    try:
        position = {name: i for i, name in enumerate(names)}.get(labels)
    except TypeError:  # such as a list or an array
        return None
    if position is None and (isinstance(labels, str) or (names and _is_name(labels))):
        of_text = all(isinstance(name, str) for name in (labels, *names))
        raise UsageError(
            "the table has no such column of labels",
            got=labels,
            allowed=", ".join(map(str if of_text else repr, names[:20])) or "a DataFrame",
        )
    if position is not None:
        column_names(table)  # of which none may stand twice
    return position


def part_column(table: Any, position: int) -> tuple[Any, Any]:
    """Return a table without one of its columns, and that column."""
    others = [i for i in range(len(names_of(table))) if i != position]
    if hasattr(table, "iloc"):  # by position: of names, [True, False] would be a mask of rows
        return table.iloc[:, others], table.iloc[:, position]
    names = names_of(table)
    return table.select([names[i] for i in others]), table[names[position]]


def check_rows(inputs: Any, labels: Any, what: str = "labels", of: str = "inputs") -> None:
    """Refuse inputs and labels with one index in different orders: which goes with which?

    Args:
        labels: or anything else that has one value for each row. what: it is called.
        of: what is given in place of inputs.

    Other indexes that differ say nothing of what belongs together; rows are taken in order.

    Raises:
        DataError: they have.
    """
    index: Any = getattr(inputs, "index", None)
    other: Any = getattr(labels, "index", None)
    if not hasattr(index, "equals") or not hasattr(other, "equals") or index.equals(other):
        return
    have, want = ([None if _is_nan(label) else label for label in i] for i in (index, other))
    if Counter(have) != Counter(want):
        return
    # By numbers, since pandas.NA compares with nothing.
    number = {label: i for i, label in enumerate(have)}
    pairs = zip(have, want, strict=True)
    differ = next(((a, b) for a, b in pairs if number[a] != number[b]), None)
    if differ is None:  # one instant in two zones, a number of two types
        return
    raise DataError(
        f"{of} and {what} have the same index in different orders",
        got=f"{differ[0]} in a row of the {of} where the {what} have {differ[1]}",
        allowed="the same order",
        remedy=f"give {what}.loc[{of}.index] to join them by index, or {of}.to_numpy() and "
        f"{what}.to_numpy() where they belong together as they stand",
    )


def check_same_rows(given: Mapping[str, Any]) -> None:
    """Refuse any two of several things given for each row with one index in different orders.

    Args:
        given: what has one value for each row, or nothing (None), by what it is called.

    Raises:
        DataError: as `check_rows`.
    """
    for (of, one), (what, other) in combinations(given.items(), 2):
        check_rows(one, other, what, of)


def by_row(table: Any) -> Any:
    """Return what is `[K, n]` with its n rows first, where a table of pandas may name them."""
    return table.T if hasattr(table, "iloc") else table


def _is_nan(label: Any) -> bool:
    return isinstance(label, float) and label != label


def _is_name(value: Any) -> bool:
    """Whether this, which no column is called, was meant for a name: a single thing, or text."""
    if isinstance(value, tuple):
        return any(isinstance(part, str) for part in value)
    return not hasattr(value, "__iter__") and np.ndim(value) == 0
