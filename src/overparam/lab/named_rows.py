"""Rows of ``meta`` and ``choices``: a name, an encoded value, and a checksum of both."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from overparam.errors import StoreError
from overparam.lab.encoding import decode
from overparam.lab.sqlite_errors import FRESH


def named_values(
    connection: sqlite3.Connection, table: str, path: Path, name: str | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the rows of ``meta`` or ``choices``, or of the one called `name`.

    Raises:
        StoreError: a row is not what was written.
    """
    query = f"SELECT name, value, checksum FROM {table}"
    only = ("", ()) if name is None else (" WHERE name = ?", (name,))
    for found, value, checksum in connection.execute(f"{query}{only[0]} ORDER BY name", only[1]):
        if named_row(found, value)[2] != checksum:
            raise StoreError(
                f"{str(found)[:40]!r} in table {table} is damaged",
                got=f"{path} with another checksum",
                remedy=FRESH,
            )
        yield found, decode(value)


def named_row(name: str, value: str) -> tuple[str, str, str]:
    """Return a row of ``meta`` or ``choices``: name, encoded value, checksum of both."""
    text = f"{name}\x1f{value}".encode("utf-8", "surrogatepass")
    return name, value, hashlib.sha256(text).hexdigest()[:16]
