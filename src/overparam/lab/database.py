"""The SQLite file of a study: opening it, and saying what is wrong with it.

Importing this module imports no NumPy, so that `overparam list` answers at once.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from overparam.errors import ResourceError, StoreError
from overparam.lab.encoding import decode

DATABASE = "study.sqlite"
SCHEMA_VERSION = 1  # raise it when a table changes
_APPLICATION_ID = 0x6F767061  # "ovpa", how `file` and we tell a study from any other database
_BUSY_SECONDS = 10.0
_LITTLE_BYTES = 1 << 20  # free space at which a failure is most likely for want of it
_FRESH = "run again with --fresh, or choose another --out"
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE choices (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE arrays (address TEXT PRIMARY KEY, npy BLOB NOT NULL)",
    "CREATE TABLE records (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, unit TEXT NOT NULL,"
    " condition TEXT NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL,"
    " outcome TEXT NOT NULL, provenance TEXT NOT NULL, checksum TEXT NOT NULL)",
)


def open_to_write(path: Path, meta: dict[str, str]) -> sqlite3.Connection:
    """Open the database for writing; a new or empty one gets its tables and `meta` first.

    WAL, so that a report can be read while a run writes. ``synchronous=FULL``, so that a unit that
    was reported as kept is kept even when the power fails: one fsync per unit of work, which took
    seconds to compute, costs nothing that could be felt.
    """
    with sqlite_errors(path):
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        with sqlite_errors(path):
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] and (
                _pragma(connection, "application_id") in (0, _APPLICATION_ID)
            ):
                _create(connection, meta)
            check_database(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path, *, check: bool = True) -> sqlite3.Connection:
    """Open the database for reading only, also beside a living writer, on a full disk, or on one
    that cannot be written."""
    if not path.is_file():
        raise StoreError(
            "there is no study in this folder",
            got=str(path.parent),
            allowed=f"a folder with {DATABASE}",
            remedy="give the --out of an earlier run",
        )
    with sqlite_errors(path):
        try:
            connection = _connect_to_read(path, "mode=ro")
        except sqlite3.OperationalError as error:
            if _code(error) & 0xFF not in _RESOURCE_CODES:
                raise
            # No room for SQLite's index of the WAL: a study that was closed needs none.
            with contextlib.suppress(FileNotFoundError):
                if path.with_name(path.name + "-wal").stat().st_size:
                    raise ResourceError(
                        f"the last records of {path} cannot be read where nothing can be written",
                        got=_with_space(error, path),
                        remedy="free some space, or copy the folder to a disk that can be written",
                    ) from error
            connection = _connect_to_read(path, "immutable=1")
    try:
        if check:
            check_database(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def check_database(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is no study, is damaged, or has another version's tables."""
    with sqlite_errors(path):
        if _pragma(connection, "application_id") != _APPLICATION_ID:
            raise StoreError("this database is no study of overparam", got=str(path), remedy=_FRESH)
        version = _pragma(connection, "user_version")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"the tables of {path} are of another version of overparam",
                got=version,
                allowed=SCHEMA_VERSION,
                remedy=f"use that version, or {_FRESH}",
            )
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if problems != ["ok"]:
        raise StoreError(f"{path} is damaged", got=problems[0], remedy=_FRESH)


@contextlib.contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into the package's, with what to do next."""
    try:
        yield
    except sqlite3.Error as error:
        code = _code(error)
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA):
            raise StoreError(f"{path} is damaged", got=str(error), remedy=_FRESH) from error
        if code == sqlite3.SQLITE_IOERR_SHORT_READ:
            raise StoreError(f"{path} is truncated", got=str(error), remedy=_FRESH) from error
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreError(
                f"{path} is in use by another process", got=str(error), remedy="wait for it to end"
            ) from error
        if code & 0xFF in _RESOURCE_CODES:
            got = _with_space(error, path)
            raise ResourceError(f"{path} cannot be used", got=got, remedy=_SPACE) from error
        raise StoreError(f"{path} cannot be used", got=str(error), remedy=_FRESH) from error
    except OSError as error:
        raise ResourceError(
            f"{error.filename or path} cannot be used", got=error.strerror, remedy=_SPACE
        ) from error


_SPACE = "free space or choose a writable folder with --out; every finished unit is kept"
_RESOURCE_CODES = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
)


def delete_database(folder: Path) -> None:
    """Delete the database and SQLite's own files beside it."""
    with sqlite_errors(folder / DATABASE):
        for suffix in ("-journal", "-wal", "-shm", ""):
            (folder / f"{DATABASE}{suffix}").unlink(missing_ok=True)


def peek(folder: str | Path) -> dict[str, Any] | None:
    """Return what a listing shows of the study in `folder`, in milliseconds, or None.

    Returns:
        ``phenomenon``, ``revision``, ``n_records``, ``counts`` (status to number of records), and
        every value written with `Store.set`, such as ``scale`` and ``verdicts``. None where there
        is no study, or one that cannot be read (opening it says why).
    """
    path = Path(folder) / DATABASE
    try:
        with contextlib.closing(open_to_read(path, check=False)) as connection, sqlite_errors(path):
            if _pragma(connection, "user_version") != SCHEMA_VERSION:
                return None
            found = {n: decode(v) for n, v in connection.execute("SELECT name, value FROM meta")}
            found["counts"] = status_counts(connection)
            found["n_records"] = sum(found["counts"].values())
            return found
    except (StoreError, ResourceError, ValueError):
        return None


def status_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return status to number of records."""
    return dict(connection.execute("SELECT status, count(*) FROM records GROUP BY status"))


def _create(connection: sqlite3.Connection, meta: dict[str, str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table in _TABLES:
            connection.execute(table)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _connect_to_read(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", None) or 0


def _with_space(error: sqlite3.Error, path: Path) -> str:
    """SQLite's own words, which do not always name a full disk, and how little space there is."""
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        if free < _LITTLE_BYTES:
            return f"{error}, with {free:,} bytes free"
    return str(error)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]
