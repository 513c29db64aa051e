"""A table read column by column: numbers, dates and words, each with what is missing of it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

from overparam.data.arrays import is_missing
from overparam.data.column_dates import (
    PER_SECOND,
    all_read,
    array_nanoseconds,
    date_nanoseconds,
    read_dates,
)
from overparam.data.exact_entries import EXACT, kept_apart, read_exact_number, rounded_numbers
from overparam.data.tables import column_names, names_of
from overparam.errors import DataError, UsageError


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Attributes:
        name: the table's, as text, or its position.
        kind: ``number`` (truth values are 0 and 1), ``date`` or ``word``.
        values: float64 `[n]`: numbers, seconds since 1970, or numbers of levels; NaN is missing.
        levels: words in alphabetical order. Of numbers and dates none; but where float64 would
            merge different entries, these as they are (dates as fractions of seconds), in order.
    """

    name: str
    kind: str
    values: np.ndarray
    levels: tuple[Any, ...] = ()

    @property
    def missing(self) -> np.ndarray:
        """Whether the entry is missing, bool `[n]`."""
        return np.isnan(self.values)


def read_columns(table: Any) -> tuple[Column, ...]:
    """Return the columns of a table, each with numbers that keep what its entries say.

    Missing are None, NaN, NaT, NA, masked entries and empty text. Text is numbers where all of it
    reads as numbers, dates where all of it is ISO 8601 or of one other usual form (days and months
    that could be either leave it words), else words. Mixed entries are words.

    Numbers and dates that differ stay apart, also where float64 would merge them (whole numbers
    beyond 2^53, dates to the nanosecond): then all of the column are numbered in their order, and
    `Column.levels` has what they are. Order is kept so whatever their spread, and cells, cuts and
    ranks need no more. Of text only fractions are rounded: whole numbers with more digits than
    float64 holds are words, as names have so many and sizes seldom do. Numbers beyond 1.8e308 are
    words too.

    Args:
        table: `[n, p]`: an array, tensor, list of rows, SciPy sparse matrix, or a table of pandas,
            polars or pyarrow.

    Raises:
        DataError: another number of axes, no rows, no columns, columns of one name, or entries
            that are neither numbers, dates nor words, or have too many digits to be written.

    >>> [c.kind for c in read_columns([["1.5", "a", "2020-01-31"], ["", "b", None]])]
    ['number', 'word', 'date']
    """
    names = column_names(table)
    if names:
        parts = [_column_at(table, i) for i in range(len(names))]
        if not len(parts[0]):
            raise _wrong_shape([0, len(names)])
        return tuple(read_column(n, p) for n, p in zip(names, parts, strict=True))
    if hasattr(table, "tocsc"):
        held = table.tocsc()
        _check_shape(held.shape)
        return tuple(
            read_column(str(i), held[:, [i]].toarray().ravel()) for i in range(held.shape[1])
        )
    array = _as_array(table)
    _check_shape(array.shape)
    return tuple(read_column(str(i), array[:, i]) for i in range(array.shape[1]))


def read_column(name: str, entries: Any) -> Column:
    """Return one column from its entries `[n]`; as `read_columns`.

    Raises:
        DataError: as there.

    >>> read_column("a", ["x", None, "y"]).values
    array([ 0., nan,  1.])
    """
    given = _as_array(entries)
    if given.ndim != 1:
        raise DataError(f"{name} must have one entry for each row", got=list(given.shape))
    kind = given.dtype.kind
    if kind in "bf" or (kind in "iu" and not _beyond(given)):
        return Column(name, "number", given.astype(np.float64))
    if kind in "iu":
        held = kept_apart(given.tolist(), given.astype(np.float64))
        return Column(name, "number", *held)
    if kind in "mM":
        there = ~np.isnat(given)
        nano, unit = array_nanoseconds(given[there]), PER_SECOND if kind == "M" else 1000
        return _among(there, name, "date" if kind == "M" else "number", *_times(nano, unit))
    if kind not in "OUS":
        raise DataError(
            f"column {name!r} holds neither numbers, dates nor words",
            got=f"dtype {given.dtype}",
            remedy="leave it out, or convert it",
        )
    entries = [_plain(entry) for entry in given.tolist()]
    there = np.array([not _says_nothing(entry) for entry in entries], dtype=bool)
    present = [entry for entry, is_there in zip(entries, there, strict=True) if is_there]
    return _among(there, name, *_read_present(name, present))


def n_rows_of(table: Any) -> int:
    """Return the number of rows of a table, array, list or sparse matrix.

    >>> n_rows_of([[1], [2]])
    2
    """
    shape = getattr(table, "shape", None)
    return int(shape[0]) if shape else len(table)


def take(table: Any, rows: np.ndarray | None, columns: Sequence[int] | None = None) -> Any:
    """Return some rows and columns of a table, by position, as a table of its kind.

    Args:
        rows: positions, or None for all. columns: positions, or None for all.

    >>> take([[1, 2], [3, 4]], np.array([1]), [0]).tolist()
    [[3]]
    """
    names = names_of(table)
    if hasattr(table, "iloc"):
        table = table if rows is None else table.iloc[rows]
        return table if columns is None else table.iloc[:, list(columns)]
    if names:  # polars and pyarrow
        if rows is not None:
            table = table.take(rows) if hasattr(table, "take") else table[rows]
        return table if columns is None else table.select([names[i] for i in columns])
    if hasattr(table, "tocsr"):
        table = table.tocsr()
    elif not isinstance(table, torch.Tensor):
        table = np.asarray(table)
    table = table if rows is None else table[rows]
    return table if columns is None else table[:, list(columns)]


def positions_of(names: Any, columns: Sequence[Column]) -> set[int]:
    """Return the positions of columns.

    Args:
        names: names, or positions where they are no column's name, or one of them by itself.

    Raises:
        UsageError: there is no such column.

    >>> known = [Column(name, "number", np.zeros(1)) for name in ("a", "b", "ab")]
    >>> positions_of("ab", known), positions_of(["a", 1], known)
    ({2}, {0, 1})
    """
    known = [column.name for column in columns]
    is_one = isinstance(names, str) or not hasattr(names, "__iter__") or str(names) in known
    return {_position_of(name, known) for name in ([names] if is_one else names)}


def _position_of(name: Any, known: list[str]) -> int:
    if str(name) in known:
        return known.index(str(name))
    is_position = isinstance(name, Integral) and not isinstance(name, bool)
    if is_position and 0 <= int(name) < len(known):
        return int(name)
    raise UsageError(
        "the table has no such column",
        got=name,
        allowed=f"{', '.join(known[:20])}, or positions up to {len(known) - 1}",
    )


def _column_at(table: Any, i: int) -> Any:
    return table.iloc[:, i] if hasattr(table, "iloc") else table[names_of(table)[i]]


def _as_array(values: Any) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        return (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    if isinstance(values, np.ma.MaskedArray):
        entries = np.array(values.data, dtype=object)
        entries[np.ma.getmaskarray(values)] = None
        return entries
    if isinstance(values, list | tuple):
        # Of objects: NumPy would turn [1, "a", None] into text.
        try:
            numbers = np.asarray(values)
        except ValueError:  # ragged
            return np.empty(0, dtype=object)
        keeps = numbers.dtype.kind in "biufM" and not _may_be_rounded(numbers)
        return numbers if keeps else np.array(values, dtype=object)
    array = np.asarray(values)
    # Whole numbers beside missing ones: pyarrow and polars make them float64.
    listed = getattr(values, "to_pylist", getattr(values, "to_list", None))
    was_float = isinstance(getattr(values, "dtype", None), np.dtype)
    if listed is not None and not was_float and _may_be_rounded(array):
        return np.array(listed(), dtype=object)
    return array


def _may_be_rounded(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and _beyond(array)


def _beyond(numbers: np.ndarray) -> bool:
    """Whether there are numbers so large that float64 does not hold all whole ones."""
    return bool(((numbers > EXACT) | (numbers < -EXACT)).any())


def _check_shape(shape: Sequence[int]) -> None:
    if len(shape) != 2 or 0 in shape:
        raise _wrong_shape(list(shape))


def _wrong_shape(shape: list[int]) -> DataError:
    return DataError(
        "a table has rows and columns",
        got=shape,
        allowed="[n, p], none of them 0",
        remedy="reshape one column with x.reshape(-1, 1), and images with x.reshape(len(x), -1)",
    )


def _plain(entry: Any) -> Any:
    if isinstance(entry, np.ndarray | torch.Tensor):
        return entry.tolist()  # as text, an array leaves out its middle
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else entry


def _says_nothing(entry: Any) -> bool:
    if isinstance(entry, Decimal):  # of which some raise where they are compared
        return entry.is_nan()
    return is_missing(entry) or (isinstance(entry, str) and not entry.strip())


def _among(
    there: np.ndarray, name: str, kind: str, values: np.ndarray, levels: tuple[Any, ...]
) -> Column:
    """Return a column of what is there and what is missing."""
    filled = np.full(len(there), np.nan)
    filled[there] = values
    return Column(name, kind, filled, levels)


def _read_present(name: str, entries: list[Any]) -> tuple[str, np.ndarray, tuple[Any, ...]]:
    """Return kind, values and levels of entries of which none is missing."""
    if all(isinstance(entry, Real | Decimal | np.bool_) for entry in entries):
        rounded = rounded_numbers(entries)
        if rounded is not None:
            return "number", *kept_apart(entries, rounded)
    if all(isinstance(entry, datetime.date | np.datetime64) for entry in entries):
        return "date", *_times([date_nanoseconds(entry) for entry in entries], PER_SECOND)
    levels, which = np.unique([_text(name, entry) for entry in entries], return_inverse=True)
    texts = [str(level) for level in levels]
    if all(isinstance(entry, str) for entry in entries):
        numbers = all_read(texts, read_exact_number)
        if numbers is not None:
            return "number", np.array(numbers, dtype=np.float64)[which], ()
        dates = read_dates(texts)
        if dates is not None:
            return "date", *_times([dates[i] for i in which], PER_SECOND)
    return "word", which.astype(np.float64), tuple(texts)


def _times(nanoseconds: list[int], unit: int) -> tuple[np.ndarray, tuple[Fraction, ...]]:
    """Return values and levels of times, in units of so many nanoseconds."""
    rounded = np.array([nano / unit for nano in nanoseconds], dtype=np.float64)
    values, levels = kept_apart(nanoseconds, rounded)
    return values, tuple(Fraction(nano, unit) for nano in levels)


def _text(name: str, entry: Any) -> str:
    try:
        return str(entry)
    except ValueError as error:  # Python writes numbers of up to some thousand digits
        raise DataError(
            f"column {name!r} holds a number with too many digits to be written",
            got=str(error),
            remedy="give it as text, or leave it out",
        ) from error
