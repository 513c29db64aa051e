"""What a user holds fields of a `Condition` at, and what a design places in them, by range.

A list of numbers is a field of text, such as ``"2 3 9"``; `whole_numbers` reads it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from overparam.checks import (
    check_choice,
    check_count,
    check_range,
    read_number,
    read_whole,
    told_range,
)
from overparam.errors import UsageError, suggest

_BEYOND = 2**63  # what neither NumPy nor SQLite holds


def check_settings(condition: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return `settings` converted to the fields' types; strings as the command line gives them.

    Raises:
        UsageError: no such field, or one that only the design can place; a value of another type
            or out of range.
    """
    fields = {f.name: f for f in dataclasses.fields(condition)}
    checked = {}
    for name, raw in settings.items():
        if name not in fields:
            raise UsageError(
                f"{condition.__name__} has no such field",
                got=name,
                allowed=", ".join(fields),
                remedy=suggest(name, fields),
            )
        instead = fields[name].metadata.get("instead")
        if instead:
            raise UsageError(
                f"{name} is placed by the design", got=f"{name}={raw}", remedy=f"set {instead}"
            )
        checked[name] = _check_value(name, raw, fields[name])
    return checked


def out_of_range(condition: Any) -> tuple[str, Any, str] | None:
    """Return the first field that lies outside its declared range, its value and what is allowed.

    Fields without a range, and values that are no numbers, are the author's own. A float that is
    "not a number" is none of any field's: no two are equal, and a cell must be told from another.
    """
    for declared in dataclasses.fields(condition):
        value, meta = getattr(condition, declared.name), declared.metadata
        if meta.get("choices") and value not in meta["choices"]:
            return declared.name, value, ", ".join(map(str, meta["choices"]))
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        low, high = _range(meta)
        if not low <= value <= high or (meta.get("odd") and value % 2 == 0):
            return declared.name, value, _allowed(meta)
    return None


def whole_numbers(condition: Any, name: str, *, places: str, low: int | None = None) -> list[int]:
    """Return the numbers of a field of text, rising, each once.

    Args:
        condition: that has the field `name`. places: the field that the numbers are for, whose
            range they must lie in. low: the least, where that is not the field's own.

    Raises:
        UsageError: something else than whole numbers, none at all, or one out of range.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Condition:
    ...     depth: int = dataclasses.field(default=0, metadata={"low": 1})
    ...     depths: str = "9 2 3 2"
    >>> whole_numbers(Condition(), "depths", places="depth")
    [2, 3, 9]
    """
    text = getattr(condition, name)
    meta = dict(next(f for f in dataclasses.fields(condition) if f.name == places).metadata)
    if low is not None:
        meta["low"] = low
    try:
        numbers = sorted({read_whole(word) for word in text.split()})
    except ValueError:
        numbers = []
    if not numbers:
        raise UsageError(
            f"{name} must be whole numbers, with spaces between them",
            got=text,
            allowed=f"of each {_allowed(meta)}",
        )
    for number in numbers:
        _check_whole(name, number, meta)
    return numbers


def _check_value(name: str, raw: Any, declared: dataclasses.Field) -> Any:
    meta = declared.metadata
    # The type itself, or its name where the author postponed annotations.
    kind = getattr(declared.type, "__name__", str(declared.type))
    if meta.get("choices"):
        return check_choice(name, str(raw), meta["choices"])
    if kind == "str":
        return str(raw)
    if kind == "bool":
        return {"true": True, "1": True, "false": False, "0": False}[
            check_choice(name, str(raw).lower(), ["true", "false", "1", "0"])
        ]
    try:
        number = read_number(raw) if isinstance(raw, str) else float(raw)
        whole = kind == "int" and number == int(number)
        number = int(number) if whole else float(number)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{name} must be a number", got=raw, allowed=_allowed(meta)) from None
    if kind == "int":
        return _check_whole(name, number, meta, raw)
    return check_range(name, number, *_range(meta))


def _check_whole(name: str, number: float, meta: Mapping[str, Any], raw: Any = None) -> int:
    low, high = _range(meta)
    got = number if raw is None else raw
    if abs(number) >= _BEYOND:
        raise UsageError(f"{name} is out of range", got=got, allowed=f"[{low}, 2^63)")
    whole = check_count(name, number, low=low, high=high)  # type: ignore[arg-type]
    if meta.get("odd") and whole % 2 == 0:
        raise UsageError(f"{name} must be odd", got=got, allowed=_allowed(meta))
    return whole


def _range(meta: Mapping[str, Any]) -> tuple[float, float]:
    low: float = -math.inf if meta.get("low") is None else meta["low"]
    high: float = math.inf if meta.get("high") is None else meta["high"]
    return low, high


def _allowed(meta: Mapping[str, Any]) -> str:
    low, high = _range(meta)
    return told_range(low, high) + (", odd" if meta.get("odd") else "")
