"""What is damaged in a study, or missing from it, found by reading all of it once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from overparam.errors import StoreError
from overparam.lab.arrays import array_address
from overparam.lab.database import check_kind
from overparam.lab.encoding import ArrayAt, decode
from overparam.lab.named_rows import named_values
from overparam.lab.rows import COLUMNS
from overparam.lab.sqlite_errors import FRESH, sqlite_errors

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


def _check_small(path: Path, address: Any, npy: Any) -> None:
    if not isinstance(npy, bytes) or array_address(npy) != address:
        raise StoreError(
            f"array {str(address)[:12]} is damaged",
            got=f"{path} with another checksum",
            remedy=FRESH,
        )
