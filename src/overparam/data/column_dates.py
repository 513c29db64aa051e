"""Dates and lengths of time of a column as whole nanoseconds, however they are written."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

PER_SECOND = 10**9
_EPOCH = datetime.datetime(1970, 1, 1)
_MICROSECOND = datetime.timedelta(microseconds=1)
_FORMS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%d %b %Y")
_FINE_UNITS = ("ns", "ps", "fs", "as")
_BELOW_MICROSECONDS = re.compile(r"[.,]\d{6}(\d+)")


def array_nanoseconds(times: np.ndarray) -> list[int]:
    """Return datetime64 since 1970, or timedelta64, of which none is missing.

    >>> array_nanoseconds(np.array(["1970-01-02"], dtype="datetime64[D]"))
    [86400000000000]
    """
    kind = times.dtype.kind
    if np.datetime_data(times.dtype)[0] in _FINE_UNITS:
        return [int(n) for n in times.astype(f"{kind}8[ns]").astype(np.int64)]
    # Of coarser units nanoseconds might not fit 64 bits.
    return [int(n) * 1000 for n in times.astype(f"{kind}8[us]").astype(np.int64)]


def date_nanoseconds(date: Any) -> int:
    """Return the same of a date of Python, NumPy or pandas.

    >>> date_nanoseconds(datetime.date(1970, 1, 2))
    86400000000000
    """
    if isinstance(date, np.datetime64):
        return array_nanoseconds(np.array([date]))[0]
    if not isinstance(date, datetime.datetime):
        date = datetime.datetime(date.year, date.month, date.day)
    since = date.replace(tzinfo=None) - _EPOCH
    micro = since // _MICROSECOND
    if date.tzinfo is not None:  # not by `astimezone`: of the first day, no other zone has one
        micro -= date.utcoffset() // _MICROSECOND
    return int(micro) * 1000 + getattr(since, "nanoseconds", 0)  # which pandas has


def read_dates(texts: Sequence[str]) -> list[int] | None:
    """Return the same of texts that are dates of one form, and of one only; else None.

    >>> read_dates(["1970-01-02"]), read_dates(["01/02/1970"])
    ([86400000000000], None)
    """
    found = all_read(texts, _iso_nanoseconds)
    if found is None:
        read = [all_read(texts, partial(_parsed, form)) for form in _FORMS]
        fitting = [dates for dates in read if dates is not None]
        found = fitting[0] if len(fitting) == 1 else None
    return found


def all_read(texts: Sequence[str], read: Callable[[str], Any]) -> list[Any] | None:
    """Return what is read of each text, or None where one cannot be read."""
    found = []
    for text in texts:
        try:
            found.append(read(text.strip()))
        except ValueError:
            return None
    return found


def _iso_nanoseconds(text: str) -> int:
    finer = _BELOW_MICROSECONDS.search(text)
    below = finer[1] if finer else ""
    if len(below) > 3:
        raise ValueError(text)
    return date_nanoseconds(datetime.datetime.fromisoformat(text)) + int(below.ljust(3, "0"))


def _parsed(form: str, text: str) -> int:
    return date_nanoseconds(datetime.datetime.strptime(text, form))
