"""What is damaged in a study, or missing from it, found by reading all of it once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.errors import StoreError
from overparam.lab.arrays import array_address
from overparam.lab.database import DATABASE, check_kind
from overparam.lab.design import design_of
from overparam.lab.encoding import ArrayAt, decode
from overparam.lab.named_rows import named_values
from overparam.lab.rows import COLUMNS, check_row, record_of
from overparam.lab.sqlite_errors import FRESH, sqlite_errors

if TYPE_CHECKING:
    from overparam.lab.store import Store

_OUTCOME = COLUMNS.split(", ").index("outcome")


def damage_of(
    connection: sqlite3.Connection,
    path: Path,
    rows: Callable[[], list[tuple]],
    array: Callable[[ArrayAt], Any],
    record: Callable[[tuple], Any],
) -> list[str]:
    """Return what is damaged or missing, one sentence each.

    SQLite's own integrity check; the checksum of every record, of all that is known of the study,
    of every choice, and of every array, those too that no record refers to; and whether each
    record is one that is written.

    Args:
        path: of the database. rows: returns the records' rows. array: reads an array.
        record: makes a record of a row, as who reads it does.
    """
    problems: list[str] = []

    def noting(step: Callable[..., Any], *given: Any) -> Any:
        try:
            with sqlite_errors(path):
                return step(*given)
        except StoreError as error:
            problems.append(str(error))
            return ()

    def whole() -> None:
        check_kind(connection, path)
        for (text,) in connection.execute("PRAGMA integrity_check"):
            if text != "ok":
                problems.append(f"{path.name}: {text}")

    def read(row: tuple) -> None:
        record(row)
        decode(row[_OUTCOME], array)

    noting(whole)
    for table in "meta", "choices":
        noting(lambda name=table: dict(named_values(connection, name, path)))
    for address, npy in noting(connection.execute, "SELECT address, npy FROM arrays"):
        noting(_check_small, path, address, npy)
    for row in noting(rows):
        noting(read, row)
    return list(dict.fromkeys(problems))


def record_reader(store: Store) -> tuple[Callable[[tuple], Any], list[str]]:
    """Return what makes a record of a row, as far as the study tells what its records are.

    With it, what is wrong with what the study tells.
    """
    from overparam.lab.recorded import recorded_phenomenon

    path = store.folder / DATABASE
    try:
        if store.get("design") is not None:  # else it ended before it said anything of itself
            design_of(store)
        if store.get("told") is not None:
            told = recorded_phenomenon(store)
            return lambda row: record_of(row, told, store.array, path), []
    except StoreError as error:
        return lambda row: check_row(row, path), [str(error)]
    return lambda row: check_row(row, path), []


def _check_small(path: Path, address: Any, npy: Any) -> None:
    if not isinstance(npy, bytes) or array_address(npy) != address:
        raise StoreError(
            f"array {str(address)[:12]} is damaged",
            got=f"{path} with another checksum",
            remedy=FRESH,
        )
