"""Validators of values, used at every public entrance. They raise `errors.UsageError`."""

from __future__ import annotations

import errno
import math
import os
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
_MOST_PATH_LETTERS = 80  # that are shown of a path


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
    allowed = f"{'(' if open_low else '['}{low}, {high}{')' if open_high else ']'}"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UsageError(f"{name} must be a number", got=value, allowed=allowed)
    inside = (low < value if open_low else low <= value) and (
        value < high if open_high else value <= high
    )
    if not math.isfinite(value) or not inside:
        raise UsageError(f"{name} is out of range", got=value, allowed=allowed)
    return value


def check_count(name: str, value: int, low: int = 1, high: float = math.inf) -> int:
    """Return `value` if it is a whole number of at least `low` and at most `high`.

    >>> check_count("n_seeds", 3)
    3
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UsageError(f"{name} must be a whole number", got=value, allowed=f">= {low}")
    check_range(name, int(value), low, high)
    return int(value)


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
        text = str(found)
        shown = text if len(text) <= _MOST_PATH_LETTERS else f"{text[:_MOST_PATH_LETTERS]}…"
        raise UsageError(why, got=shown, remedy="choose another")
    return found
