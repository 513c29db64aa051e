"""Records as a flat table for other tools: CSV or Parquet, one row per record."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from overparam.checks import check_file
from overparam.errors import UsageError
from overparam.lab.arrays import array_address, npy_bytes
from overparam.lab.encoding import ArrayAt, encode
from overparam.lab.lazy import stored_value
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.records import Record, Records
from overparam.whole_file import write_whole

_OWN_COLUMNS = {"seed": "", "status": "", "error": "", "seconds": "s"}
_INT64 = range(-(2**63), 2**63)


def in_order(records: Records) -> Records:
    """Return records by seed and unit of work, whenever these ended: so that tables are equal."""

    def place(record: Record) -> tuple[int, int]:
        number = str(record.provenance.get("unit", "")).rpartition(" ")[2]
        return record.seed, int(number) if number.isdigit() else 0

    return Records(sorted(records, key=place))


def export_records(records: Records, phenomenon: Phenomenon, path: str | Path) -> list[Path]:
    """Write one row per record to `path`, whole or not at all; return the files written.

    Columns: the condition's fields, ``seed``, the outcome's fields, ``status``, ``error`` and
    ``seconds``. An array is given by its shape and its address in the store, as
    ``<field>_shape`` and ``<field>_sha256``; several arrays in one field, and other containers, as
    the text that the store keeps (see `lab.encoding`). No array is read for it. A field whose name
    is taken is called ``condition_<field>`` or ``outcome_<field>``. Cells that failed have empty
    outcomes. Numbers are exact: floats are their shortest decimal in CSV, doubles in Parquet.

    Args:
        path: ends in ``.csv`` (the units go beside it, into ``<name>.units.json``) or
            ``.parquet`` (the units are metadata of the fields; needs pyarrow).

    Raises:
        UsageError: another ending, something else than a file is there, or pyarrow is not
            installed. ResourceError: cannot be written.
    """
    path, *beside = table_files(path)
    columns, units = _columns(records, phenomenon)
    if beside:
        _write_csv(path, beside[0], columns, units)
    else:
        _write_parquet(path, columns, units)
    return [path, *beside]


def table_files(path: str | Path) -> list[Path]:
    """Return the files that `export_records` writes, the table first.

    Raises:
        UsageError: see there.
    """
    path = Path(path)
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise UsageError(
            "records can be exported to CSV and Parquet only",
            got=path.name,
            allowed="a name that ends in .csv or .parquet",
        )
    beside = [path.with_suffix(".units.json")] if path.suffix.lower() == ".csv" else []
    return [check_file(file) for file in (path, *beside)]


def _columns(
    records: Records, phenomenon: Phenomenon
) -> tuple[dict[str, list[Any]], dict[str, str]]:
    columns: dict[str, list[Any]] = {}
    units: dict[str, str] = {}

    def add(part: str, name: str, unit: str, values: list[Any]) -> None:
        if name in columns or name in _OWN_COLUMNS:
            name = f"{part}_{name}"
        columns[name], units[name] = values, unit

    for field in dataclasses.fields(phenomenon.condition):
        values = [_of(r.condition, field) for r in records]
        add("condition", field.name, field.metadata.get("unit", ""), values)
    columns["seed"], units["seed"] = [int(r.seed) for r in records], ""
    for field in dataclasses.fields(phenomenon.outcome):
        values = [_of(r.outcome, field) for r in records]
        unit = field.metadata.get("unit", "")
        if any(isinstance(v, np.ndarray | ArrayAt) for v in values):
            add("outcome", f"{field.name}_shape", "", [_shape(v) for v in values])
            add("outcome", f"{field.name}_sha256", "", [_address(v) for v in values])
        else:
            add("outcome", field.name, unit, values)
    own: Mapping[str, Callable[[Record], Any]] = {
        "status": lambda r: r.status,
        "error": lambda r: r.error,
        "seconds": lambda r: r.provenance.get("seconds"),
    }
    for name, value in own.items():
        columns[name], units[name] = [value(r) for r in records], _OWN_COLUMNS[name]
    return (
        {_text(name): [_cell(value) for value in values] for name, values in columns.items()},
        {_text(name): _text(str(unit)) for name, unit in units.items()},
    )


def _of(instance: Any, field: dataclasses.Field) -> Any:
    return None if instance is None else stored_value(instance, field.name)


def _cell(value: Any) -> Any:
    """Return a value as one cell of a table holds it: nothing, a number, or text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple | list | dict | complex):
        return encode(value, lambda array: array_address(npy_bytes(array)))
    return value


def _text(value: str) -> str:
    """Text that UTF-8 can hold: half a surrogate pair becomes its escape."""
    return value.encode("utf-8", "backslashreplace").decode()


def _shape(value: Any) -> str | None:
    if value is None:
        return None
    return json.dumps(value.shape if isinstance(value, ArrayAt) else np.shape(value))


def _address(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, ArrayAt):
        return value.address
    return array_address(npy_bytes(np.asarray(value)))


def _write_csv(
    path: Path, beside: Path, columns: dict[str, list[Any]], units: dict[str, str]
) -> None:
    def write(temporary: Path) -> None:
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))

    write_whole(path, write)
    write_whole(beside, json.dumps(units, indent=2, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, columns: dict[str, list[Any]], units: dict[str, str]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed",
            got=path.name,
            allowed="CSV without it",
            remedy="pip install overparam[parquet]",
        ) from None
    fields, arrays = [], []
    for name, values in columns.items():
        kind, convert = _parquet_kind(values)
        arrays.append(pyarrow.array([None if v is None else convert(v) for v in values], kind))
        fields.append(pyarrow.field(name, kind, metadata={"unit": units[name]}))
    table = pyarrow.table(arrays, schema=pyarrow.schema(fields))
    write_whole(path, lambda temporary: pyarrow.parquet.write_table(table, temporary))


def _parquet_kind(values: Sequence[Any]) -> tuple[str, Callable[[Any], Any]]:
    """The narrowest type that holds all values exactly, else text."""
    present = [v for v in values if v is not None]
    if all(isinstance(v, bool) for v in present) and present:
        return "bool", bool
    whole = [v for v in present if isinstance(v, int) and not isinstance(v, bool)]
    if len(whole) == len(present) and all(v in _INT64 for v in whole) and present:
        return "int64", int
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in present) and all(
        abs(v) <= 2**53 for v in whole
    ):
        return "double", float
    return "string", str
