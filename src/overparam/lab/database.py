"""The SQLite file of a study: opening it, and saying what is wrong with it.

A path is always given to SQLite as a quoted, absolute address: some builds read a plain path that
begins with ``file:`` as an address too, and then open another file. Neither the database nor a
file that SQLite keeps beside it may be a link: what is written or deleted must be the study's own.

Importing this module imports no NumPy, so that `overparam list` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

from overparam.errors import ResourceError, StoreError
from overparam.lab.named_rows import named_row, named_values
from overparam.lab.sqlite_errors import FRESH, RESOURCE_CODES, code_of, sqlite_errors, with_space

DATABASE = "study.sqlite"
SCHEMA_VERSION = 2  # raise it when a table changes
_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite keeps beside its file
_HEADER = b"SQLite format 3\0"
_PAGE_BYTES = 4096
_ID_AT = 68  # where the application's number stands in the file
_APPLICATION_ID = 0x6F767061  # "ovpa", how `file` and we tell a study from any other database
_BUSY_SECONDS = 10.0
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum TEXT NOT NULL)"
    " WITHOUT ROWID",
    "CREATE TABLE choices (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum TEXT NOT NULL)"
    " WITHOUT ROWID",
    "CREATE TABLE arrays (address TEXT PRIMARY KEY, npy BLOB NOT NULL)",
    "CREATE TABLE records (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, unit TEXT NOT NULL,"
    " condition TEXT NOT NULL, seed INTEGER NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL,"
    " outcome TEXT NOT NULL, provenance TEXT NOT NULL, checksum TEXT NOT NULL)",
)


def open_to_write(path: Path, meta: dict[str, str]) -> sqlite3.Connection:
    """Open the database for writing; a new or empty one gets its tables and `meta` first.

    WAL, so that a report can be read while a run writes. ``synchronous=FULL``, so that a unit that
    was reported as kept is kept even when the power fails, and what was written is brought from
    the log into the database at once, so that a log that is deleted takes nothing along: a few
    fsyncs per unit of work, which took seconds to compute, cost nothing that could be felt.
    """
    refuse_links(path, writing=True)
    with sqlite_errors(path):
        connection = _connect(path, "mode=rwc")
    try:
        with sqlite_errors(path):
            new = _is_new(connection)
            if not new:
                check_kind(connection, path)  # before anything of it is changed
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA wal_autocheckpoint=1")
            if new:
                _create(connection, meta)
            check_database(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path, *, check: bool = True) -> sqlite3.Connection:
    """Open the database for reading only, also beside a living writer, on a full disk, or on one
    that cannot be written.

    SQLite itself may write, where it can: who closes last takes away what it keeps beside the file.
    """
    if not (path.is_file() or path.is_symlink()):
        raise StoreError(
            "there is no study in this folder",
            got=str(path.parent),
            allowed=f"a folder with {DATABASE}",
            remedy="give the --out of an earlier run",
        )
    refuse_links(path)
    with sqlite_errors(path):
        try:
            connection = _connect_to_read(path, "mode=rw")
        except sqlite3.OperationalError as error:
            if code_of(error) & 0xFF not in RESOURCE_CODES:
                raise
            # No room for SQLite's index of the WAL: a study that was closed needs none.
            with contextlib.suppress(FileNotFoundError):
                if path.with_name(path.name + "-wal").stat().st_size:
                    raise ResourceError(
                        f"the last records of {path} cannot be read where nothing can be written",
                        got=with_space(error, path),
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


def _is_new(connection: sqlite3.Connection) -> bool:
    has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return not has_tables and _pragma(connection, "application_id") in (0, _APPLICATION_ID)


def check_database(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is no study, is damaged, or has another version's tables."""
    check_kind(connection, path)
    with sqlite_errors(path):
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if problems != ["ok"]:
        raise StoreError(f"{path} is damaged", got=problems[0], remedy=FRESH)


def check_kind(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is no study, or has other tables."""
    with sqlite_errors(path):
        if _pragma(connection, "application_id") != _APPLICATION_ID:
            if _is_new(connection):
                raise StoreError(
                    "this study was stopped before it kept anything",
                    got=f"{path} without tables",
                    remedy="run it again",
                )
            raise StoreError(
                "this database is no study of overparam",
                got=str(path),
                remedy="choose another --out",
            )
        version = _pragma(connection, "user_version")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"the tables of {path} are of another version of overparam",
                got=version,
                allowed=SCHEMA_VERSION,
                remedy=f"use that version, or {FRESH}",
            )
        written = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        if sorted(str(row[0]) for row in written) != sorted(_TABLES):
            raise StoreError(f"{path} is damaged", got="other tables than a study's", remedy=FRESH)


def refuse_links(path: Path, *, writing: bool = False) -> None:
    """Refuse a database that is no plain file, or beside which one of SQLite's files is none.

    Args:
        writing: refuse files of several names too: what is written would change under the others.

    Raises:
        StoreError: a link, a pipe or a device.
    """
    for suffix in ("", *_BESIDE):
        beside = path.with_name(path.name + suffix)
        try:
            found = beside.lstat()
        except OSError:
            continue  # not there, or opening it says why it cannot be
        plain = stat.S_ISREG(found.st_mode)
        if not plain or (writing and found.st_nlink > 1):
            raise StoreError(
                f"{beside.name} of this study is a link or no plain file",
                got=f"{beside} -> {os.readlink(beside)}"
                if stat.S_ISLNK(found.st_mode)
                else f"{beside} with {found.st_nlink} names"
                if plain
                else str(beside),
                allowed="a file of the study's own",
                remedy="copy the study to another folder without links, or choose another --out",
            )


def delete_database(folder: Path) -> None:
    """Delete the database and SQLite's own files beside it.

    Raises:
        StoreError: it is another program's, or a link. ResourceError: it cannot be deleted.
    """
    path = folder / DATABASE
    refuse_links(path)
    with sqlite_errors(path):
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            head = file.read(_ID_AT + 4)
            number = int.from_bytes(head[_ID_AT:], "big")
            # One page holds no table yet: a start that was killed.
            foreign = head.startswith(_HEADER) and number != _APPLICATION_ID
            if foreign and os.fstat(file.fileno()).st_size > _PAGE_BYTES:
                raise StoreError(
                    "this database is another program's, and is not deleted",
                    got=f"{path} with application number {number:#x}",
                    allowed="a study of overparam",
                    remedy="choose another --out",
                )
        for suffix in (*_BESIDE, ""):
            (folder / f"{DATABASE}{suffix}").unlink(missing_ok=True)


def peek(folder: str | Path) -> dict[str, Any] | None:
    """Return what a listing shows of the study in `folder`, in milliseconds, or None.

    Returns:
        ``phenomenon``, ``revision``, ``n_records``, ``counts`` (status to number of records), and
        every value written with `Store.set`, such as ``scale`` and ``verdicts``. None where there
        is no study.

    Raises:
        StoreError, ResourceError: the study cannot be read; the message says why.
    """
    path = Path(folder) / DATABASE
    if not (path.exists() or path.is_symlink()):
        return None
    with contextlib.closing(open_to_read(path, check=False)) as connection, sqlite_errors(path):
        check_kind(connection, path)
        found = dict(named_values(connection, "meta", path))
        for name in ("design", "provenance", "verdicts"):
            if not isinstance(found.get(name, {}), dict):
                raise StoreError(
                    f"{name} of this study cannot be read", got=str(path), remedy=FRESH
                )
        found["counts"] = status_counts(connection)
        found["n_records"] = sum(found["counts"].values())
        return found


def status_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return status to number of records."""
    return dict(connection.execute("SELECT status, count(*) FROM records GROUP BY status"))


def _create(connection: sqlite3.Connection, meta: dict[str, str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table in _TABLES:
            connection.execute(table)
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?, ?)", [named_row(*item) for item in meta.items()]
        )
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _connect_to_read(path: Path, mode: str) -> sqlite3.Connection:
    connection = _connect(path, mode)
    try:
        connection.execute("PRAGMA query_only=1")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,  # arrays are read when they are looked at, by whom is open
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]
