"""A table in a file: CSV and Parquet by columns, ``.npz`` by arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from overparam.data.column_doubts import doubtful_columns, without_row_numbers
from overparam.data.written_texts import (
    as_written,
    check_header,
    refuse_dates,
    refuse_decimal_commas,
)
from overparam.errors import DataError, UsageError, suggest

_TEXT_COLUMNS = 100  # at most as many different values in a column that is no number
_INPUTS = ("X", "x", "inputs", "x_train")


class TableFile(NamedTuple):
    """Inputs and labels of a table, and how they were read."""

    inputs: Any
    labels: Any
    notes: tuple[str, ...] = ()


def read_table_file(path: str | Path, target: str, *, groups: str | None = None) -> TableFile:
    """Return inputs and labels of a table: all other columns, and the column `target`.

    In a CSV file codes such as ``007`` stay texts, and a first column without a name that numbers
    the rows is left out; notes say so (see `written_texts`, `column_doubts`).

    Args:
        path: ``.csv``, ``.parquet`` (a DataFrame comes back, and a Series), or ``.npz`` with an
            array called `target`, and inputs ``X`` (or the only other array).
        groups: another column whose values are names, as labels are.

    Raises:
        UsageError: another kind of file, no such column, or pandas is not installed.
        DataError: the file cannot be read, its header does not say which column is which, it has
            no rows, or its labels are numbers with a comma.
    """
    place = Path(path)
    kinds = {".csv": "read_csv", ".parquet": "read_parquet", ".npz": ""}
    suffix = place.suffix.lower()
    if suffix not in kinds:
        raise UsageError(
            "this is no file of a table",
            got=str(path),
            allowed=", ".join(kinds) + ", or the name of a data set (`overparam data list`)",
        )
    if not place.is_file():
        raise UsageError("there is no such file", got=str(path))
    table = (
        _of_arrays(place, target) if suffix == ".npz" else _of_frame(place, suffix, target, groups)
    )
    if np.ndim(table.labels) and not len(table.labels):
        raise DataError(
            "the table has no rows", got=str(path), remedy="is there more in it than its header?"
        )
    return table


def as_numbers(table: Any) -> np.ndarray:
    """Return a DataFrame as float64 `[n, columns]`: what is no number becomes a column per value.

    Raises:
        UsageError: a column of texts with more than a hundred different values, as names have.
        DataError: dates, or numbers with a decimal comma.

    >>> import pandas as pd
    >>> as_numbers(pd.DataFrame({"size": [1, 2], "colour": ["red", "blue"]})).tolist()
    [[1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    """
    parts = []
    for name in table.columns:
        column = table[name]
        if column.dtype.kind in "biuf":  # also where missing ones have a mask: they become NaN
            parts.append(column.to_numpy(np.float64, na_value=np.nan)[:, None])
            continue
        known = sorted(column.dropna().astype(str).unique())
        refuse_decimal_commas(name, known)
        refuse_dates(name, known)
        if len(known) > _TEXT_COLUMNS:
            raise UsageError(
                f"column {name!r} holds too many different texts to be made numbers",
                got=len(known),
                allowed=f"at most {_TEXT_COLUMNS}",
                remedy="leave the column out, or give a model that takes texts",
            )
        parts.append(np.array(column.astype(str).to_numpy()[:, None] == np.array(known), float))
    return np.concatenate(parts, axis=1)


def _of_frame(path: Path, suffix: str, target: str, groups: str | None) -> TableFile:
    try:
        import pandas
    except ImportError:
        raise UsageError(
            f"a {suffix} file needs pandas, which is not installed",
            remedy="pip install pandas, or give the arrays as .npz",
        ) from None
    if suffix == ".csv":
        check_header(path)
    read: Callable[[Path], Any]
    read = pandas.read_csv if suffix == ".csv" else pandas.read_parquet
    try:
        frame = read(path)
    except ImportError as error:
        raise UsageError(
            f"pandas cannot read {suffix} files here", got=str(error), remedy="pip install pyarrow"
        ) from None
    except Exception as error:  # whatever a damaged file makes of its reader
        raise DataError(f"{path} cannot be read", got=f"{type(error).__name__}: {error}") from error
    _check_name(target, list(map(str, frame.columns)), "column")
    if len(frame.columns) < 2:
        raise DataError("the table has no column beside its labels", got=str(path))
    notes: tuple[str, ...] = ()
    names = [target] if groups is None else [target, groups]
    if suffix == ".csv":
        frame, notes = as_written(frame, path, names)
        frame, more = without_row_numbers(frame, names)
        notes += more
    notes += doubtful_columns(frame, names)
    if frame[target].dtype.kind == "O":
        refuse_decimal_commas(target, frame[target].dropna().astype(str).unique())
    return TableFile(frame.drop(columns=[target]), frame[target], notes)


def _of_arrays(path: Path, target: str) -> TableFile:
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except Exception as error:  # a damaged archive, or one of pickled objects
        raise DataError(f"{path} cannot be read", got=f"{type(error).__name__}: {error}") from error
    _check_name(target, list(arrays), "array")
    others = [name for name in arrays if name != target]
    named = [name for name in others if name in _INPUTS] or others
    if len(named) != 1:
        raise UsageError(
            "which array holds the inputs is not clear",
            got=", ".join(others) or "none beside the labels",
            allowed="one beside the labels, or one called X",
        )
    return TableFile(arrays[named[0]], arrays[target])


def _check_name(target: str, names: list[str], what: str) -> None:
    if target not in names:
        raise UsageError(
            f"the file has no such {what} of labels",
            got=target,
            allowed=", ".join(names[:20]),
            remedy=suggest(target, names),
        )
