"""Entries of a column that float64 would merge: kept apart, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from overparam.checks import read_number

EXACT = 2**53  # up to which float64 holds every whole number


def kept_apart(exact: Sequence[Any], rounded: np.ndarray) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Return what stands for entries, float64 `[n]`, and the different entries in their order.

    Rounded ones stand for themselves, and nothing more is returned, unless different entries are
    rounded to the same: then it is their places among the different ones.

    >>> kept_apart([2**60, 2**60 + 1], np.array([2.0**60, 2.0**60]))
    (array([0., 1.]), (1152921504606846976, 1152921504606846977))
    >>> kept_apart([0, 2**60 + 1], np.array([0.0, 2.0**60]))
    (array([0.0000000e+00, 1.1529215e+18]), ())
    """
    different = set(exact)
    if len(different) == len(set(rounded.tolist())):
        return rounded, ()
    levels = sorted(different)
    place = {entry: i for i, entry in enumerate(levels)}
    return np.array([place[entry] for entry in exact], dtype=np.float64), tuple(levels)


def rounded_numbers(entries: Sequence[Any]) -> np.ndarray | None:
    """Return numbers of any types as float64 `[n]`; None where one is too large for it.

    >>> rounded_numbers([1, 0.5]), rounded_numbers([10**400])
    (array([1. , 0.5]), None)
    """
    try:
        found = [float(entry) for entry in entries]
    except OverflowError:
        return None
    pairs = zip(found, entries, strict=True)
    too_large = any(np.isinf(number) and number != entry for number, entry in pairs)
    return None if too_large else np.array(found, dtype=np.float64)


def read_exact_number(text: str) -> float:
    """Return the number that a text is, unless its digits are more than float64 holds.

    Raises:
        ValueError: it is none, is too large, or is a whole one that would be rounded.

    >>> read_exact_number("9007199254740992"), read_exact_number("0.30000000000000000001")
    (9007199254740992, 0.3)
    """
    number = read_number(text)
    held = rounded_numbers([number])
    # By Python, which compares whole numbers exactly; NumPy rounds them first.
    is_rounded = held is None or (float(held[0]) != number and number == number)
    if is_rounded or (np.isinf(number) and any(c.isdigit() for c in text)):
        raise ValueError(text)
    return number
