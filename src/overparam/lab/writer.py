"""The only writer of a study: its lock, and that the file it writes is still the one it opened.

Importing this module imports no NumPy, so that `overparam list` answers at once.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from overparam.errors import StoreError
from overparam.lab.database import sqlite_errors

try:
    import fcntl
except ImportError:  # not POSIX: no lock; the unique keys still keep two writers from doubling
    fcntl = None  # type: ignore[assignment]

LOCK = "study.lock"


class WriterLock:
    """The right to write one study; the operating system takes it back when the process ends.

    Raises:
        StoreError: another process (or this one) holds it; the message names the holder.
        ResourceError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK
        with sqlite_errors(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._take(path)
        except BaseException:
            self.release()
            raise

    def _take(self, path: Path) -> None:
        with sqlite_errors(path):
            try:
                if fcntl is not None:
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(
                    f"the study in {path.parent} is being written",
                    got=_holder(os.pread(self._file, 1000, 0)),
                    allowed="one writer at a time",
                    remedy="wait for it to end, or choose another --out",
                ) from None
            os.ftruncate(self._file, 0)
            holder = {"pid": os.getpid(), "host": socket.gethostname()}
            os.pwrite(self._file, json.dumps(holder).encode(), 0)

    def release(self) -> None:
        """Give the right back; the file stays, or two writers could each lock one of two files."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class KeptFile:
    """A database that must stay what it was when it was opened.

    SQLite writes to the file it holds open, also when that has been deleted: without this check a
    study whose folder is removed would run to its end, and all that it computed would be gone.

    Args:
        path: of the open database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is, self._size = _identity(path)

    def check(self) -> None:
        """Raise a `StoreError` if the file was deleted, moved, replaced or cut off."""
        found, size = _identity(self._path)
        if found != self._is:
            raise StoreError(
                f"{self._path} was deleted, moved or replaced while the study was being written",
                got="no such file" if found is None else "another file",
                remedy="put it back, or run the same command again, which begins anew",
            )
        if size < self._size:
            raise StoreError(
                f"{self._path} was cut off while the study was being written",
                got=f"{size:,} bytes",
                allowed=f"at least {self._size:,}",
                remedy="restore it from a copy, or run again with --fresh",
            )
        self._size = size


def _identity(path: Path) -> tuple[tuple[int, int] | None, int]:
    """Return device and inode, None where there is no file, and the size."""
    try:
        found = path.stat()
    except OSError:
        return None, 0
    return (found.st_dev, found.st_ino), found.st_size


def _holder(text: bytes) -> str:
    try:
        holder = json.loads(text)
        if holder == {"pid": os.getpid(), "host": socket.gethostname()}:
            return f"this process ({holder['pid']})"
        return f"process {holder['pid']} on {holder['host']}"
    except (ValueError, KeyError, TypeError):
        return "another process"
