"""Columns of a table that may not be what their reader takes them for: row numbers, mixed ones."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

_UNNAMED = ("", "Unnamed: 0")  # how pandas calls the first column where the header does not
_SIGNS = "%$€£¥"
_TOLD = 3  # values of a column


def without_row_numbers(frame: Any, kept: Collection[str]) -> tuple[Any, tuple[str, ...]]:
    """Return a table without the index that `DataFrame.to_csv` writes before its columns.

    As an input it would tell the order of the rows, such as that they are sorted by label.

    Args:
        kept: names of columns that are asked for, and stay.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"Unnamed: 0": [0, 1], "size": [5, 6], "kind": ["a", "b"]})
    >>> list(without_row_numbers(table, ["kind"])[0].columns)
    ['size', 'kind']
    """
    first = frame.columns[0]
    column = frame.iloc[:, 0]
    is_index = column.dtype.kind in "iu" and column.is_unique
    if str(first) not in _UNNAMED or first in kept or not is_index or len(frame.columns) < 3:
        return frame, ()
    note = "the first column has no name and numbers the rows: it was left out"
    return frame.iloc[:, 1:], (note,)


def doubtful_columns(frame: Any, names: Collection[str]) -> tuple[str, ...]:
    """Return notes on columns of texts most of whose values are, or look like, numbers.

    As names each value is an input of its own, and none of them is larger than another.

    Args:
        names: columns of names, such as labels, of which nothing is to be said.

    >>> import pandas as pd
    >>> doubtful_columns(pd.DataFrame({"age": ["31", "44", "?"]}), [])[0][:52]
    "column 'age' is read as names because of '?': where "
    """
    notes = []
    for name in frame.columns:
        column = frame[name]
        if name in names or column.dtype.kind in "biufcmM":
            continue
        texts = column.dropna().astype(str).drop_duplicates()
        numbers = _are_numbers(texts)
        if len(texts) and 0.5 < numbers.mean() < 1:
            others = ", ".join(map(repr, texts[~numbers].head(_TOLD)))
            notes.append(
                f"column {name!r} is read as names because of {others}: where that is a missing "
                "value, leave it empty, and the column is one of numbers"
            )
        elif len(texts) and not numbers.any() and _are_numbers(texts.map(_bare)).mean() > 0.5:
            notes.append(
                f"column {name!r} is read as names, such as {texts.iloc[0]!r}: write numbers "
                "without signs of percent or money, and with the ASCII minus"
            )
    return tuple(notes)


def _are_numbers(texts: Any) -> Any:
    import pandas

    return pandas.to_numeric(texts, errors="coerce").notna()


def _bare(text: str) -> str:
    return text.replace("\N{MINUS SIGN}", "-").strip(f"{_SIGNS} ")
