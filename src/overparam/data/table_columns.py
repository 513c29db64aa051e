"""A table read column by column: numbers, dates and words, each with what is missing of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch

from overparam.checks import read_number
from overparam.data.arrays import is_missing
from overparam.data.tables import column_names, names_of
from overparam.errors import DataError, UsageError

_EPOCH = datetime.datetime(1970, 1, 1)
_FORMS_OF_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d %b %Y")


@dataclass(frozen=True, eq=False)
class Column:
    """One column of a table.

    Attributes:
        name: the table's, as text, or its position.
        kind: ``number`` (truth values are 0 and 1), ``date`` or ``word``.
        values: float64 `[n]`: numbers, seconds since 1970, or numbers of levels; NaN is missing.
        levels: of words, in the order of their numbers: alphabetical.
    """

    name: str
    kind: str
    values: np.ndarray
    levels: tuple[str, ...] = ()

    @property
    def missing(self) -> np.ndarray:
        """Whether the entry is missing, bool `[n]`."""
        return np.isnan(self.values)


def read_columns(table: Any) -> tuple[Column, ...]:
    """Return the columns of a table, each with numbers that keep what its entries say.

    Missing are None, NaN, NaT, NA, masked entries and empty text. Text is numbers where all of it
    reads as numbers, dates where all of it is ISO 8601 or of one other usual form (days and months
    that could be either leave it words), else words. Mixed entries are words.

    Args:
        table: `[n, p]`: an array, tensor, list of rows, SciPy sparse matrix, or a table of pandas,
            polars or pyarrow.

    Raises:
        DataError: another number of axes, no rows, no columns, columns of one name, or entries
            that are neither numbers, dates nor words.

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
    if given.dtype.kind in "biuf":
        return Column(name, "number", given.astype(np.float64))
    if given.dtype.kind == "M":
        return Column(name, "date", _seconds(given))
    if given.dtype.kind == "m":
        micro = given.astype("timedelta64[us]")
        return Column(name, "number", np.where(np.isnat(micro), np.nan, micro.astype(np.int64)))
    if given.dtype.kind not in "OUS":
        raise DataError(
            f"column {name!r} holds neither numbers, dates nor words",
            got=f"dtype {given.dtype}",
            remedy="leave it out, or convert it",
        )
    entries = [_plain(entry) for entry in given.tolist()]
    there = np.array([not _says_nothing(entry) for entry in entries], dtype=bool)
    kind, values, levels = _read_present([e for e, t in zip(entries, there, strict=True) if t])
    filled = np.full(len(entries), np.nan)
    filled[there] = values
    return Column(name, kind, filled, levels)


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


def position_of(name: Any, columns: Sequence[Column]) -> int:
    """Return the position of the column of a name, or of a position.

    Raises:
        UsageError: there is none.

    >>> position_of("b", [Column("a", "number", np.zeros(1)), Column("b", "number", np.zeros(1))])
    1
    """
    known = [column.name for column in columns]
    if str(name) not in known:
        raise UsageError("the table has no such column", got=name, allowed=", ".join(known[:20]))
    return known.index(str(name))


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
        return numbers if numbers.dtype.kind in "biufM" else np.array(values, dtype=object)
    return np.asarray(values)


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
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else entry


def _says_nothing(entry: Any) -> bool:
    return is_missing(entry) or (isinstance(entry, str) and not entry.strip())


def _read_present(entries: list[Any]) -> tuple[str, np.ndarray, tuple[str, ...]]:
    """Return kind, values and levels of entries of which none is missing."""
    if all(isinstance(entry, Real | Decimal | np.bool_) for entry in entries):
        return "number", np.array([float(entry) for entry in entries]), ()
    if all(isinstance(entry, datetime.date | np.datetime64) for entry in entries):
        return "date", np.array([_seconds_of(entry) for entry in entries]), ()
    levels, which = np.unique([str(entry) for entry in entries], return_inverse=True)
    if all(isinstance(entry, str) for entry in entries):
        texts = [str(level) for level in levels]
        numbers = _all_read(texts, read_number)
        if numbers is not None:
            return "number", np.array(numbers, dtype=np.float64)[which], ()
        dates = _as_dates(texts)
        if dates is not None:
            return "date", dates[which], ()
    return "word", which.astype(np.float64), tuple(str(level) for level in levels)


def _as_dates(texts: list[str]) -> np.ndarray | None:
    """Return seconds of texts that are dates of one form, and of one only."""
    found = _all_read(texts, datetime.datetime.fromisoformat)
    if found is None:
        read = [_all_read(texts, partial(_parsed, form)) for form in _FORMS_OF_DATES]
        fitting = [dates for dates in read if dates is not None]
        found = fitting[0] if len(fitting) == 1 else None
    return None if found is None else np.array([_seconds_of(date) for date in found])


def _parsed(form: str, text: str) -> datetime.datetime:
    return datetime.datetime.strptime(text, form)


def _all_read(texts: list[str], read: Callable[[str], Any]) -> list[Any] | None:
    found = []
    for text in texts:
        try:
            found.append(read(text.strip()))
        except ValueError:
            return None
    return found


def _seconds_of(date: Any) -> float:
    if isinstance(date, np.datetime64):
        return float(_seconds(np.array([date]))[0])
    if not isinstance(date, datetime.datetime):
        date = datetime.datetime(date.year, date.month, date.day)
    if date.tzinfo is not None:
        date = date.astimezone(datetime.UTC).replace(tzinfo=None)
    return float((date - _EPOCH).total_seconds())


def _seconds(dates: np.ndarray) -> np.ndarray:
    micro = dates.astype("datetime64[us]")
    return np.where(np.isnat(micro), np.nan, micro.astype(np.int64) / 1e6)
