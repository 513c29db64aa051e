"""Errors of SQLite and of the file system, turned into the package's, with what to do next.

Importing this module imports no NumPy, so that `overparam list` answers at once.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from overparam.errors import ResourceError, StoreError

FRESH = "run again with --fresh, or choose another --out"
_LITTLE_BYTES = 1 << 20  # free space at which a failure is most likely for want of it
_SPACE = "free space or choose a writable folder with --out; every finished unit is kept"
RESOURCE_CODES = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOMEM,
)


@contextlib.contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's and the file system's errors into the package's, with what to do next."""
    try:
        yield
    except UnicodeDecodeError as error:  # what should be text is none
        raise StoreError(f"{path} is damaged", got=str(error)[:100], remedy=FRESH) from error
    except sqlite3.Error as error:
        code = code_of(error)
        if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_SCHEMA):
            raise StoreError(f"{path} is damaged", got=str(error), remedy=FRESH) from error
        if code == sqlite3.SQLITE_IOERR_SHORT_READ:
            raise StoreError(f"{path} is truncated", got=str(error), remedy=FRESH) from error
        if code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreError(
                f"{path} is in use by another process", got=str(error), remedy="wait for it to end"
            ) from error
        if code & 0xFF in RESOURCE_CODES:
            got = with_space(error, path)
            raise ResourceError(f"{path} cannot be used", got=got, remedy=_SPACE) from error
        raise StoreError(f"{path} cannot be used", got=str(error), remedy=FRESH) from error
    except OSError as error:
        raise ResourceError(
            f"{error.filename or path} cannot be used", got=error.strerror, remedy=_SPACE
        ) from error


def code_of(error: sqlite3.Error) -> int:
    """Return SQLite's extended code of an error, 0 where it has none."""
    return getattr(error, "sqlite_errorcode", None) or 0


def with_space(error: sqlite3.Error, path: Path) -> str:
    """Return SQLite's words, which do not always name a full disk, and how little space is left."""
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(path.parent).free
        if free < _LITTLE_BYTES:
            return f"{error}, with {free:,} bytes free"
    return str(error)
