"""A record as a row of the store: its key, its columns, and its checksum."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from numbers import Integral
from typing import Any

from overparam.errors import StoreError
from overparam.lab.encoding import encode

FRESH = "run again with --fresh, or choose another --out"


def record_key(phenomenon_name: str, revision: int, condition: Any, seed: int) -> str:
    """Return the key of a cell: SHA-256 of name, revision, every condition field and the seed.

    Fields are hashed as canonical JSON, floats by their shortest exact decimal (`repr`). Equal
    conditions have equal keys: 1 and 1.0 in a field declared float are one value, as are 0.0
    and -0.0.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Condition:
    ...     ridge: float
    >>> record_key("demo", 1, Condition(1), 0) == record_key("demo", 1, Condition(1.0), 0)
    True
    """
    cell = {
        "phenomenon": phenomenon_name,
        "revision": int(revision),
        "condition": {
            f.name: _canonical(getattr(condition, f.name), f.type)
            for f in dataclasses.fields(condition)
        },
        "seed": int(seed),
    }
    return hashlib.sha256(encode(cell, sort_keys=True).encode()).hexdigest()


def field_values(instance: Any) -> dict[str, Any] | None:
    """Return field to value, one level deep; None for the outcome of a failed cell."""
    if instance is None:
        return None
    return {f.name: getattr(instance, f.name) for f in dataclasses.fields(instance)}


def rebuilt(kind: type, values: dict[str, Any] | None) -> Any:
    """Return the dataclass `kind` with these field values; None for None.

    Raises:
        StoreError: the fields are not those of the dataclass.
    """
    if values is None:
        return None
    known = {f.name for f in dataclasses.fields(kind)}
    if set(values) != known:
        raise StoreError(
            f"the stored fields are not those of {kind.__qualname__}",
            got=", ".join(sorted(set(values) ^ known)),
            allowed=", ".join(sorted(known)),
            remedy=f"raise the phenomenon's revision, and {FRESH}",
        )
    return kind(**values)


def checksum(row: Sequence[Any]) -> str:
    """Return 16 hex digits of the SHA-256 of a row's columns."""
    return hashlib.sha256("\x1f".join(map(str, row)).encode()).hexdigest()[:16]


def _canonical(value: Any, declared: object) -> Any:
    """A field's value such that equal conditions look the same."""
    if declared in (float, "float") and isinstance(value, Integral) and float(value) == value:
        value = float(value)
    return value + 0.0 if type(value) is float else value  # -0.0 + 0.0 is 0.0
