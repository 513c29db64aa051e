"""The SQLite file of a study: opening it, and saying what is wrong with it.

A path is always given to SQLite as a quoted, absolute address: some builds read a plain path that
begins with ``file:`` as an address too, and then open another file. Neither the database nor a
file that SQLite keeps beside it may be a link: what is written or deleted must be the study's own.

Importing this module imports no NumPy, so that `overparam list` answers at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from overparam.errors import ResourceError, StoreError
from overparam.lab.encoding import decode

DATABASE = "study.sqlite"
SCHEMA_VERSION = 2  # raise it when a table changes
_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite keeps beside its file
_HEADER = b"SQLite format 3\0"
_PAGE_BYTES = 4096
_ID_AT = 68  # where the application's number stands in the file
_APPLICATION_ID = 0x6F767061  # "ovpa", how `file` and we tell a study from any other database
_BUSY_SECONDS = 10.0
_LITTLE_BYTES = 1 << 20  # free space at which a failure is most likely for want of it
_FRESH = "run again with --fresh, or choose another --out"
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
            new = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            new &= _pragma(connection, "application_id") in (0, _APPLICATION_ID)
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
    that cannot be written."""
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
    check_kind(connection, path)
    with sqlite_errors(path):
        problems = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    if problems != ["ok"]:
        raise StoreError(f"{path} is damaged", got=problems[0], remedy=_FRESH)


def check_kind(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that is no study, or has other tables."""
    with sqlite_errors(path):
        if _pragma(connection, "application_id") != _APPLICATION_ID:
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
                remedy=f"use that version, or {_FRESH}",
            )
        written = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        if sorted(str(row[0]) for row in written) != sorted(_TABLES):
            raise StoreError(f"{path} is damaged", got="other tables than a study's", remedy=_FRESH)


@contextlib.contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into the package's, with what to do next."""
    try:
        yield
    except UnicodeDecodeError as error:  # what should be text is none
        raise StoreError(f"{path} is damaged", got=str(error)[:100], remedy=_FRESH) from error
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
                    f"{name} of this study cannot be read", got=str(path), remedy=_FRESH
                )
        found["counts"] = status_counts(connection)
        found["n_records"] = sum(found["counts"].values())
        return found


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
                remedy=_FRESH,
            )
        yield found, decode(value)


def named_row(name: str, value: str) -> tuple[str, str, str]:
    """Return a row of ``meta`` or ``choices``: name, encoded value, checksum of both."""
    text = f"{name}\x1f{value}".encode("utf-8", "surrogatepass")
    return name, value, hashlib.sha256(text).hexdigest()[:16]


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
