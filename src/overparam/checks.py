"""Validators of values and paths, used at every public entrance. They raise `errors.UsageError`."""

from __future__ import annotations

import errno
import math
import os
import re
import stat
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import TypeVar

from overparam.errors import UsageError, suggest

T = TypeVar("T")

NO_PLACE = {  # by what the system says of a path where nothing can be
    errno.ENAMETOOLONG: "a path is too long for the file system",
    errno.ELOOP: "a path leads in a circle of links",
    errno.ENOTDIR: "a file stands where a path needs a folder",
}
MOST_COUNT = 2**63 - 1  # what NumPy and SQLite hold
_MOST_PATH_LETTERS = 80  # that are shown of a path
_MOST_DIGITS = 600  # that Python always reads; it refuses to read some thousands
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def check_choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`; suggest the near one otherwise.

    >>> check_choice("scale", "smoke", ["smoke", "standard"])
    'smoke'
    """
    known = list(choices)
    if value not in known:
        raise UsageError(
            f"unknown {name}",
            got=value,
            allowed=", ".join(known),
            remedy=suggest(str(value), known),
        )
    return value


def check_range(
    name: str,
    value: float,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return `value` if it is a finite number within the range.

    >>> check_range("label_noise_rate", 0.2, 0, 1)
    0.2
    """
    allowed = told_range(low, high, open_low=open_low, open_high=open_high)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UsageError(f"{name} must be a number", got=value, allowed=allowed)
    inside = (low < value if open_low else low <= value) and (
        value < high if open_high else value <= high
    )
    if not inside or not _is_finite(value):
        raise UsageError(f"{name} is out of range", got=value, allowed=allowed)
    return value


def told_range(low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> str:
    """Return a range of finite numbers as it is written: an end without a bound is open.

    >>> told_range(0, 1, open_low=True), told_range(0, math.inf)
    ('(0, 1]', '[0, inf)')
    """
    starts, ends = open_low or math.isinf(low), open_high or math.isinf(high)
    return f"{'(' if starts else '['}{low}, {high}{')' if ends else ']'}"


def check_count(name: str, value: int, low: int = 1, high: float = MOST_COUNT) -> int:
    """Return `value` if it is a whole number of at least `low` and at most `high`.

    >>> check_count("n_seeds", 3)
    3
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UsageError(f"{name} must be a whole number", got=value, allowed=f">= {low}")
    check_range(name, int(value), low, high)
    return int(value)


def read_whole(text: str) -> int:
    """Return the whole number that a text is, in the digits 0 to 9 and with nothing between them.

    Python itself also reads underscores and the digits of every script.

    Raises:
        ValueError: it is none, or one of some hundred digits.

    >>> read_whole(" 12 ")
    12
    """
    if re.fullmatch(rf"[+-]?[0-9]{{1,{_MOST_DIGITS}}}", text.strip()) is None:
        raise ValueError(text)
    return int(text)


def read_number(text: str) -> float:
    """Return the number that a text is: a whole one exactly, another as a float.

    Raises:
        ValueError: it is none, or is written as only Python does (see `read_whole`).

    >>> read_number("9007199254740993"), read_number("1e3"), read_number("nan")
    (9007199254740993, 1000.0, nan)
    """
    try:
        return read_whole(text)
    except ValueError:
        if not text.isascii() or "_" in text:
            raise
        return float(text)


def check_path(path: str | os.PathLike[str]) -> Path:
    """Return a path where a file or folder is, or could be.

    >>> str(check_path("studies/mine"))
    'studies/mine'
    """
    found, why = Path(path), None
    if "\0" in str(found):
        why = "a path holds a NUL character"
    else:
        try:
            os.lstat(found)
        except OSError as error:  # others are told by what is done there
            why = NO_PLACE.get(error.errno or 0)
    if why is not None:
        raise _no_place(why, found)
    return found


def check_working_folder() -> None:
    """Refuse to work in a folder that was deleted: no relative path leads anywhere.

    Raises:
        UsageError: it was.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise UsageError(
            "the working folder cannot be used",
            got=error.strerror,
            remedy="it was deleted, perhaps; change to one that exists",
        ) from error


def check_file(path: str | os.PathLike[str]) -> Path:
    """Return a path where a file may be written: a plain file is there, or nothing.

    A link is followed. What is there, but is no plain file, would be lost by moving a file there.
    Where nothing can be for another reason, writing will tell.

    Raises:
        UsageError: a folder, device, pipe or socket is there, or a link that leads to itself.

    >>> str(check_file("report.html"))
    'report.html'
    """
    found = Path(path)
    try:
        mode = os.stat(found).st_mode
    except ValueError:  # a NUL character
        return check_path(found)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _no_place(NO_PLACE[errno.ELOOP], found) from None
        return found
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise _no_place(f"{kind} stands where a file is to be written", found)
    return found


def check_folder(what: str, path: str | os.PathLike[str]) -> Path:
    """Return the path of a folder that is there.

    Args:
        what: is in it, for the message.

    >>> str(check_folder("studies", "."))
    '.'
    """
    found = check_path(path)
    if not found.is_dir():
        raise UsageError(f"there is no such folder of {what}", got=str(found))
    return found


def _is_finite(value: Real) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        return False


def _no_place(why: str, path: Path) -> UsageError:
    text = str(path)
    shown = text if len(text) <= _MOST_PATH_LETTERS else f"{text[:_MOST_PATH_LETTERS]}…"
    return UsageError(why, got=shown, remedy="choose another")
