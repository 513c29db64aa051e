"""Columns of a CSV file whose texts say more than the numbers that a reader makes of them.

A code such as ``007`` is no 7, and two codes may become one number. What was written is kept there,
and said. Numbers with a decimal comma, and dates, are no numbers to any reader: they are told from
texts that are names.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection
from itertools import islice
from pathlib import Path
from typing import Any

from overparam.errors import DataError

_LEADING_ZERO = re.compile(r"[+-]?0\d")
_ZERO_IN_LINE = re.compile(rb'(?:^|[,"])\s*[+-]?0\d')
_WHOLE = re.compile(r"[+-]?\d+")
_WITH_COMMA = re.compile(r"[+-]?\d*(?:,\d+)*")
_DATE = re.compile(
    r"\d{4}-\d\d?-\d\d?([ T].*)?|\d\d?([./-])\d\d?\2\d{2,4}( .*)?"
    r"|[A-Z][a-z]{2,8}\.? \d\d?,? \d{4}|\d\d?\.?[ -][A-Z][a-z]{2,8}[ -]\d{2,4}"
)
_EXACT = 2.0**53  # floating numbers hold all whole ones up to here


def as_written(frame: Any, path: Path, names: Collection[str]) -> tuple[Any, tuple[str, ...]]:
    """Return a table that was read from a CSV file, and what of it stays as it was written.

    Columns of numbers become texts again where a text has leading zeros, or where several whole
    numbers became one; and those whose values are names also where any two texts became one,
    or where one among texts, such as NA, was taken for nothing.

    Args:
        frame: what pandas made of the file. names: columns of which each value is a name, such as
            labels and groups.

    Cost: a second look at the lines; columns that may have lost something are read again.
    """
    import pandas

    zeros, columns = _has_leading_zeros(path), list(map(str, frame.columns))
    asked = [
        i
        for i, name in enumerate(columns)
        if name in names
        or (
            (kind := frame.dtypes.iloc[i].kind) in "iuf"
            and (zeros or (kind == "f" and frame.iloc[:, i].abs().max() >= _EXACT))
        )
    ]
    if not asked:
        return frame, ()
    texts = pandas.read_csv(path, usecols=asked, dtype=str, keep_default_na=False, na_values=[""])
    kept, words = [], []
    for place, i in enumerate(asked):
        written = texts.iloc[:, place].astype(object).map(str.strip, na_action="ignore")
        read, is_name = frame.iloc[:, i], columns[i] in names
        missing = read.isna()
        if is_name and read.map(type).isin([str]).any():  # of texts "NA" is one more
            taken = list(written[missing].dropna().unique())
        else:
            taken, written = [], written.mask(missing)
        words += [(columns[i], text) for text in taken]
        if taken or _says_more(written, read, is_name=is_name):
            frame.isetitem(i, written)
            kept.append(columns[i])
    notes = [
        f"column {name!r}: {text!r} is a name there, not a missing one" for name, text in words
    ]
    if set(kept) - {name for name, _ in words}:
        which = ("column " if len(kept) == 1 else "columns ") + ", ".join(map(repr, kept))
        notes.append(f"{which}: kept as texts, which numbers would have merged or changed")
    return frame, tuple(notes)


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


def check_header(path: Path) -> None:
    """Refuse a CSV file whose header does not say which column is which.

    A reader would rename the second of two columns of one name, which is then one more input; and
    take the first of more cells than names for an index, so that all others move.

    Raises:
        DataError: it has a name twice, or the first row has more cells than the header has names.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        try:
            lines = list(islice(filter(None, csv.reader(file)), 2))
        except csv.Error:  # who reads the table says what is wrong
            return
    names = lines[0] if lines else []
    twice = [name for name, count in Counter(names).items() if count > 1 and name.strip()]
    if twice:
        raise DataError(
            f"{path} has several columns of one name",
            got=", ".join(map(repr, twice[:5])),
            allowed="names that differ",
            remedy="rename or leave out all but one of them in the file",
        )
    if len(lines) > 1 and len(lines[1]) > len(names):
        raise DataError(
            f"rows of {path} have more cells than the header has names",
            got=f"{len(lines[1])} cells, {len(names)} names",
            allowed="as many",
            remedy="name every column, an index too, or take the separator at the end of rows away",
        )


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
