"""A record as a row of the store: its key, its columns, and its checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.errors import StoreError, UsageError
from overparam.lab.blame import place_of, text_of
from overparam.lab.encoding import ArrayAt, decode, encode
from overparam.lab.lazy import fields_of, made_by_class, outcome_of
from overparam.lab.sqlite_errors import FRESH
from overparam.stopping import is_stop

if TYPE_CHECKING:  # NumPy comes with the first record
    import numpy as np

    from overparam.lab.phenomenon import Phenomenon
    from overparam.lab.records import Record

# What fields that are declared so are read as. Any number was once kept in one declared int.
_STORED: dict[str | None, tuple[type, ...]] = {
    "float": (int, float),
    "int": (int, float),
    "str": (str,),
    "bool": (bool,),
}
COLUMNS = "key, unit, condition, seed, status, error, outcome, provenance, checksum"


def record_key(phenomenon_name: str, revision: int, condition: Any, seed: int) -> str:
    """Return the key of a cell: SHA-256 of name, revision, every condition field and the seed.

    Fields are hashed as canonical JSON, floats by their shortest exact decimal (`repr`). Equal
    conditions have equal keys: 1 and 1.0 in a field declared float are one value, as are 0.0
    and -0.0.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Condition:
    ...     ridge: float
    >>> record_key("demo", 1, Condition(1), 0) == record_key("demo", 1, Condition(1.0), 0)
    True
    """
    cell = {
        "phenomenon": phenomenon_name,
        "revision": int(revision),
        "condition": {
            f.name: canonical(getattr(condition, f.name), f.type)
            for f in fields_of(condition.__class__)
        },
        "seed": int(seed),
    }
    return hashlib.sha256(encode(cell, sort_keys=True).encode()).hexdigest()


def row_of(
    record: Record, unit: str, identity: tuple[str, int], put: Callable[[np.ndarray], str]
) -> tuple:
    """Return the columns of a record, its checksum last.

    Args:
        identity: name and revision of the phenomenon. put: keeps an array, returns its address.

    Raises:
        UsageError: a seed out of range, or a field of a type that would not come back as it was.
    """
    if not -(2**63) <= record.seed < 2**63:
        raise UsageError("seed is out of range", got=record.seed, allowed="[0, 2^63)")
    row = (
        record_key(*identity, record.condition, record.seed),
        unit,
        encode(field_values(record.condition)),
        int(record.seed),
        record.status,
        encode(record.error),  # as JSON: it may hold what SQLite's UTF-8 text cannot
        encode(field_values(record.outcome), put),
        encode(dict(record.provenance)),
    )
    return (*row, checksum(row))


def record_of(
    row: tuple, phenomenon: Phenomenon, get: Callable[[ArrayAt], np.ndarray], path: Path
) -> Record:
    """Return the record of a row, condition and outcome rebuilt as the phenomenon's dataclasses.

    Args:
        get: returns an array, when the outcome's field that holds it is first looked at.
        path: of the database, for messages.

    Raises:
        StoreError: damaged, or the fields are not those of the dataclasses.
    """
    from overparam.lab.records import Record

    check_row(row, path)
    key, _, condition, seed, status, error, outcome, provenance, _ = row
    values, text, facts = decode(outcome), decode(error), decode(provenance)
    made = rebuilt(phenomenon.condition, decode(condition))
    whole = (
        made is not None
        and status in ("done", "diverged", "failed")
        and (values is None) == (status == "failed")
        and isinstance(text, str)
        and isinstance(facts, dict)
        and record_key(phenomenon.name, phenomenon.revision, made, seed) == key
    )
    if not whole or not _is_as_declared(phenomenon.outcome, values):
        raise _damaged(key, f"{path} with values that this package does not write")
    return Record(
        condition=made,
        seed=seed,
        outcome=rebuilt(phenomenon.outcome, values, get),
        status=status,
        error=text,
        provenance=facts,
    )


def _is_as_declared(kind: type, values: Any) -> bool:
    if not isinstance(values, dict):
        return True  # None, or `rebuilt` says what is wrong with it
    declared = {f.name: getattr(f.type, "__name__", str(f.type)) for f in fields_of(kind)}
    return all(
        isinstance(value, _STORED[of])
        and (of not in ("float", "int") or not isinstance(value, bool))
        for name, value in values.items()
        if (of := declared.get(name)) in _STORED
    )


def check_row(row: tuple, path: Path) -> None:
    """Refuse a row whose columns are not those that were written."""
    if checksum(row[:-1]) != row[-1]:
        raise _damaged(row[0], f"{path} with another checksum")
    if [type(column) for column in row] != [str, str, str, int, *[str] * 5]:
        raise _damaged(row[0], f"{path} with columns of other types")


def _damaged(key: object, got: str) -> StoreError:
    return StoreError(f"record {str(key)[:12]} is damaged", got=got, remedy=FRESH)


def field_values(instance: Any) -> dict[str, Any] | None:
    """Return field to value, one level deep; None for the outcome of a failed cell."""
    if instance is None:
        return None
    return {f.name: getattr(instance, f.name) for f in fields_of(instance.__class__)}


def rebuilt(kind: type, values: Any, get: Callable[[ArrayAt], Any] | None = None) -> Any:
    """Return the dataclass `kind` with these field values; None for None.

    Args:
        get: returns an array; without it no field may hold one.

    Raises:
        StoreError: the fields are not those of the dataclass, or it refuses their values.
    """
    if values is None:
        return None
    known = {f.name for f in fields_of(kind)}
    if not isinstance(values, dict) or set(values) != known:
        found = set(values) if isinstance(values, dict) else set()
        raise StoreError(
            f"the stored fields are not those of {kind.__qualname__}",
            got=", ".join(sorted(found ^ known)),
            allowed=", ".join(sorted(known)),
            remedy=f"raise the phenomenon's revision, and {FRESH}",
        )
    try:
        return outcome_of(kind, values, get) if get else made_by_class(kind, values)
    except BaseException as error:  # of a class of the user's, whatever its `__post_init__` raises
        if is_stop(error):
            raise
        place = place_of(error)
        raise StoreError(
            f"{kind.__qualname__} refuses the stored values",
            got=f"{type(error).__name__}: {text_of(error)[:200]}{f' at {place}' if place else ''}",
            remedy=f"raise the phenomenon's revision where the class has changed, and {FRESH}",
        ) from error


def checksum(row: Sequence[Any]) -> str:
    """Return 16 hex digits of the SHA-256 of a row's columns."""
    text = "\x1f".join(map(str, row))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def canonical(value: Any, declared: object) -> Any:
    """Return a field's value such that equal conditions look the same."""
    if declared in (float, "float") and isinstance(value, Integral) and float(value) == value:
        value = float(value)
    return value + 0.0 if type(value) is float else value  # -0.0 + 0.0 is 0.0
