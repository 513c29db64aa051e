"""The only writer of a study: its lock, and that the files it writes are still those it opened.

The lock's file also says how many records were written. That stands outside the database, so a
reader can tell when some are missing from it, as where a write-ahead log was deleted.

Importing this module imports no NumPy, so that `overparam list` answers at once.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from overparam.errors import StoreError
from overparam.lab.sqlite_errors import sqlite_errors

try:
    import fcntl
except ImportError:  # not POSIX: no lock; the unique keys still keep two writers from doubling
    fcntl = None  # type: ignore[assignment]

LOCK = "study.lock"
_MOST_BYTES = 1000  # of the lock's file
_PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # no link, and no waiting for a pipe


class WriterLock:
    """The right to write one study; the operating system takes it back when the process ends.

    Raises:
        StoreError: another process (or this one) holds it; the message names the holder. The
            lock's file is a link or no plain file, so that writing to it would change another.
        ResourceError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / LOCK
        with sqlite_errors(path):
            try:
                self._file = os.open(path, os.O_RDWR | os.O_CREAT | _PLAIN, 0o644)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.EMLINK, errno.EISDIR):
                    raise _no_plain_file(path) from None
                raise
        try:
            found = os.fstat(self._file)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise _no_plain_file(path)
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
                    got=_holder(os.pread(self._file, _MOST_BYTES, 0)),
                    allowed="one writer at a time",
                    remedy="wait for it to end, or choose another --out",
                ) from None
            self.tell(0)

    def tell(self, n_records: int) -> None:
        """Write who holds the lock, and that the database has at least `n_records` records."""
        said = {"pid": os.getpid(), "host": socket.gethostname(), "records": n_records}
        text = json.dumps(said).encode()
        os.pwrite(self._file, text.ljust(os.fstat(self._file).st_size), 0)

    def release(self) -> None:
        """Give the right back; the file stays, or two writers could each lock one of two files."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def records_told(folder: Path) -> int:
    """Return how many records the last writer said it had written; 0 where nothing is said."""
    told = _said(_read(folder / LOCK)).get("records")
    return told if type(told) is int and told > 0 else 0


def lock_damage(folder: Path) -> list[str]:
    """Return what is wrong with the lock's file, if anything: every writer leaves one."""
    said = _said(_read(folder / LOCK))
    wanted = {"pid": int, "host": str, "records": int}
    # The very type: to Python, true is a whole number too.
    if all(type(said.get(name)) is kind for name, kind in wanted.items()) and said["records"] >= 0:
        return []
    state = "damaged" if os.path.lexists(folder / LOCK) else "missing"
    return [
        f"{folder / LOCK} is {state}, so that nothing says how many records there should be; "
        "the next run of the study writes it anew"
    ]


def _read(path: Path) -> bytes:
    """Return the beginning of a plain file; nothing of what is none."""
    try:
        file = os.open(path, os.O_RDONLY | _PLAIN)
    except OSError:
        return b""
    with open(file, "rb") as opened:
        return opened.read(_MOST_BYTES) if stat.S_ISREG(os.fstat(file).st_mode) else b""


class KeptFile:
    """A database that must stay what it was when it was opened, with its write-ahead log.

    SQLite writes to the files it holds open, also when those have been deleted: without this check
    a study whose folder is removed would run to its end, and all that it computed would be gone.

    Args:
        path: of the open database.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._log = path, path.with_name(f"{path.name}-wal")
        self._is, self._size = _identity(path)
        self._log_is, _ = _identity(self._log)

    def check(self, rescue: Callable[[], object]) -> None:
        """Raise a `StoreError` if the database was deleted, moved, replaced or cut off, or its log.

        Args:
            rescue: brings what is in the log into the database; called where only the log is gone.
        """
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
        log, _ = _identity(self._log)
        if self._log_is is not None and log != self._log_is:
            rescue()
            raise StoreError(
                f"{self._log} was deleted or replaced while the study was being written",
                got="no such file" if log is None else "another file",
                remedy="run the same command again; what was written before is kept",
            )
        self._log_is = log


class Writer:
    """What writes an open study, in transactions, and tells how many records there are.

    Args:
        path: of the database. connection: to it, open.
        lock: the right to write it, or None where it was opened for reading only.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: WriterLock | None) -> None:
        self._path, self._connection, self._lock = path, connection, lock
        self._kept = KeptFile(path)

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Make sure that the study may be written, and that its files are still those it opened.

        Raises:
            StoreError: opened for reading only, or the database is no longer what it was.
        """
        if self._lock is None:
            raise StoreError(
                "this store was opened for reading only",
                got=str(self._path.parent),
                remedy="use Store.open(folder, phenomenon)",
            )
        with sqlite_errors(self._path):
            self._kept.check(lambda: self._connection.execute("PRAGMA wal_checkpoint(FULL)"))
            yield

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all of what follows, or nothing of it; raises as `ready`."""
        with self.ready():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def count(self) -> int:
        """Return how many records the database has."""
        return self._connection.execute("SELECT count(*) FROM records").fetchone()[0]

    def tell(self) -> None:
        """Say in the lock's file how many records there are, for readers to rely on."""
        if self._lock is not None:
            self._lock.tell(self.count())

    def release(self) -> None:
        """Give the right to write back; may be called again."""
        if self._lock is not None:
            self._lock.release()


def _identity(path: Path) -> tuple[tuple[int, int] | None, int]:
    """Return device and inode, None where there is no file, and the size."""
    try:
        found = path.stat()
    except OSError:
        return None, 0
    return (found.st_dev, found.st_ino), found.st_size


def _no_plain_file(path: Path) -> StoreError:
    return StoreError(
        f"{LOCK} of this study is a link or no plain file",
        got=f"{path} -> {os.readlink(path)}" if path.is_symlink() else str(path),
        allowed="a file of the study's own",
        remedy="delete it, or choose another --out",
    )


def _holder(text: bytes) -> str:
    said = _said(text)
    if "pid" not in said or "host" not in said:
        return "another process"
    if (said["pid"], said["host"]) == (os.getpid(), socket.gethostname()):
        return f"this process ({said['pid']})"
    return f"process {said['pid']} on {said['host']}"


def _said(text: bytes) -> dict:
    with contextlib.suppress(ValueError, RecursionError):
        said = json.loads(text)
        if isinstance(said, dict):
            return said
    return {}
