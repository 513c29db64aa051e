"""Columns of a CSV file whose texts say more than the numbers that a reader makes of them.

A code such as ``007`` is no 7, and two codes may become one number. What was written is kept there,
and said. Numbers with a decimal comma, and dates, are no numbers to any reader: they are told from
texts that are names.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Any

from overparam.errors import DataError

_LEADING_ZERO = re.compile(r"[+-]?0\d")
_ZERO_IN_LINE = re.compile(rb'(?:^|[,"])\s*[+-]?0\d')
_WHOLE = re.compile(r"[+-]?\d+")
_WITH_COMMA = re.compile(r"[+-]?\d*(?:,\d+)*")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([ T].*)?|\d\d?([./-])\d\d?\2\d{2,4}( .*)?")
_EXACT = 2.0**53  # floating numbers hold all whole ones up to here


def as_written(frame: Any, path: Path, names: Collection[str]) -> tuple[Any, tuple[str, ...]]:
    """Return a table that was read from a CSV file, and what of it stays as it was written.

    Columns of numbers become texts again where a text has leading zeros, or where several whole
    numbers became one; and those whose values are names also where any two texts became one.

    Args:
        frame: what pandas made of the file. names: columns of which each value is a name, such as
            labels and groups.

    Cost: a second look at the lines; columns that may have lost something are read again.
    """
    import pandas

    if _has_column_without_name(path):  # which is the table's index
        return frame, ()
    zeros, columns = _has_leading_zeros(path), list(map(str, frame.columns))
    asked = [
        i
        for i, name in enumerate(columns)
        if (kind := frame.dtypes.iloc[i].kind) in "iuf"
        and (zeros or name in names or (kind == "f" and frame.iloc[:, i].abs().max() >= _EXACT))
    ]
    if not asked:
        return frame, ()
    texts = pandas.read_csv(path, usecols=asked, dtype=str)
    kept = []
    for place, i in enumerate(asked):
        written = texts.iloc[:, place].astype(object).map(str.strip, na_action="ignore")
        if _says_more(written, frame.iloc[:, i], is_name=columns[i] in names):
            frame.isetitem(i, written)
            kept.append(columns[i])
    if not kept:
        return frame, ()
    which = ("column " if len(kept) == 1 else "columns ") + ", ".join(map(repr, kept))
    return frame, (f"{which}: kept as texts, which numbers would have merged or changed",)


def refuse_decimal_commas(name: Any, texts: Collection[str]) -> None:
    """Refuse texts that are numbers with a comma.

    Raises:
        DataError: all of them are.
    """
    if any("," in text for text in texts) and all(map(_WITH_COMMA.fullmatch, texts)):
        raise DataError(
            f"column {name!r} holds numbers with a comma",
            got=next(text for text in texts if "," in text),
            allowed="numbers with a point, and nothing between thousands",
            remedy="read the file with pandas.read_csv(path, decimal=',') or thousands=',', and "
            "write it again",
        )


def refuse_dates(name: Any, texts: Collection[str]) -> None:
    """Refuse texts that are dates: as names, each would be a column of its own.

    Raises:
        DataError: all of them are.
    """
    if len(texts) and all(map(_DATE.fullmatch, texts)):
        raise DataError(
            f"column {name!r} holds dates",
            got=next(iter(texts)),
            allowed="numbers, or texts that are names",
            remedy="make numbers of them, such as days since the first, or leave the column out",
        )


def _has_column_without_name(path: Path) -> bool:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        lengths = [len(cells) for cells in islice(filter(None, csv.reader(file)), 2)]
    return len(set(lengths)) > 1


def _has_leading_zeros(path: Path) -> bool:
    with path.open("rb") as lines:
        return any(_ZERO_IN_LINE.search(line) for line in lines)


def _says_more(written: Any, numbers: Any, *, is_name: bool) -> bool:
    pairs = dict(zip(written, numbers, strict=True))  # what is missing is no text
    texts = [text for text in pairs if isinstance(text, str)]
    if any(map(_LEADING_ZERO.match, texts)):
        return True
    compared = [text for text in texts if is_name or _WHOLE.fullmatch(text)]
    return len({pairs[text] for text in compared}) < len(compared)
