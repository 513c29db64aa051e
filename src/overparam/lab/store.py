"""The store: one SQLite file per study, with the arrays of its outcomes beside it.

A unit of work (a stack of cells) is written in one transaction, so that whatever ends the process,
each unit is there whole or not at all. Nothing is ever overwritten: a record's key is the hash of
everything that decides its outcome. Small arrays live in the database itself (a file and an fsync
for each trace of an epoch-wise curve would cost more than training it), large ones in ``arrays/``;
either way their checksum is verified whenever they are read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overparam.errors import StoreError, UsageError
from overparam.lab.database import (
    DATABASE,
    delete_database,
    open_to_read,
    open_to_write,
    peek,
    sqlite_errors,
    status_counts,
)
from overparam.lab.encoding import decode, encode
from overparam.lab.rows import COLUMNS, FRESH, check_row, record_key, record_of, row_of
from overparam.lab.writer import KeptFile, WriterLock

if TYPE_CHECKING:  # NumPy comes with the first record, so that `peek` need not wait for it
    import numpy as np

    from overparam.lab.phenomenon import Phenomenon
    from overparam.lab.records import Record, Records

__all__ = ["Store", "peek", "record_key"]

SMALL_ARRAY_BYTES = 16 * 1024  # up to here a row in SQLite is faster than a file of its own
_RESERVED = ("phenomenon", "revision")  # written once, when the store is made


class Store:
    """The records of one study. Made by `Store.open` or `Store.read_only`; a context manager."""

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, lock: WriterLock | None
    ) -> None:
        from overparam.lab.arrays import ArrayFolder

        self.folder = folder
        self._path = folder / DATABASE
        self._connection = connection
        self._lock = lock
        self._kept = KeptFile(self._path)
        self._arrays = ArrayFolder(folder)
        self._identity: tuple[str, int] = (self.get("phenomenon"), self.get("revision"))

    @classmethod
    def open(
        cls,
        folder: str | Path,
        phenomenon: Phenomenon,
        *,
        fresh: bool = False,
        create: bool = True,
    ) -> Store:
        """Open the study in `folder` for writing, as the only writer.

        Args:
            fresh: delete the study's records and arrays first (and no other file).
            create: make the folder and an empty study where there is none.

        Raises:
            StoreError: no study and not `create`; another process writes it; the file is no
                study, damaged, or of another phenomenon, revision or version of the tables.
            ResourceError: the folder cannot be written.
        """
        folder = Path(folder)
        if not create and not (folder / DATABASE).is_file():
            open_to_read(folder / DATABASE)  # raises, saying that there is no study
        with sqlite_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(folder)
        try:
            from overparam.lab.arrays import ArrayFolder

            if fresh:
                delete_database(folder)
                with sqlite_errors(folder):
                    ArrayFolder(folder).clear()
            meta = {"phenomenon": encode(phenomenon.name), "revision": encode(phenomenon.revision)}
            store = cls(folder, open_to_write(folder / DATABASE, meta), lock)
        except BaseException:
            lock.release()
            raise
        try:
            store._check_phenomenon(phenomenon)
            with sqlite_errors(folder):
                store._arrays.sweep()
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def read_only(cls, folder: str | Path) -> Store:
        """Open the study in `folder` for reading; a process that writes it is no hindrance.

        Raises:
            StoreError: there is no study, or it cannot be used (see `open`).
        """
        return cls(Path(folder), open_to_read(Path(folder) / DATABASE), None)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give the writer's lock back; may be called again."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    def write(self, records: Sequence[Record], unit: str) -> None:
        """Keep the records of one unit of work, all or none; return when they are on the disk.

        Raises:
            StoreError: a record of the same key is there already; opened for reading only; the
                database was deleted, moved or cut off meanwhile.
            UsageError: a field of a type that would not come back as it was.
            ResourceError: disk full, or it failed. Everything written earlier is kept.
        """
        small: dict[str, bytes] = {}
        put = partial(self._put, small)
        with self._writing():
            rows = [row_of(record, unit, self._identity, put) for record in records]
            self._arrays.sync()  # before the transaction that refers to them
        with self._transaction():
            self._connection.executemany(
                "INSERT OR IGNORE INTO arrays VALUES (?, ?)", small.items()
            )
            for row, record in zip(rows, records, strict=True):
                try:
                    self._connection.execute(
                        f"INSERT INTO records ({COLUMNS}) VALUES ({','.join('?' * len(row))})", row
                    )
                except sqlite3.IntegrityError:
                    raise StoreError(
                        "a record of this cell is there already; none of the unit was written",
                        got=f"{record.condition}, seed {record.seed}",
                        allowed="each cell once",
                        remedy="leave out the cells in Store.keys()",
                    ) from None

    def keys(self) -> set[str]:
        """Return the keys (see `record_key`) of all records."""
        with sqlite_errors(self._path):
            return {row[0] for row in self._connection.execute("SELECT key FROM records")}

    def forget_failed(self) -> int:
        """Delete the records of failed cells, so that they are tried again; return how many."""
        with self._transaction():
            return self._connection.execute("DELETE FROM records WHERE status = 'failed'").rowcount

    def counts(self) -> dict[str, int]:
        """Return status (done, diverged, failed) to number of records."""
        with sqlite_errors(self._path):
            return status_counts(self._connection)

    def read(self, phenomenon: Phenomenon, keys: Iterable[str] | None = None) -> Records:
        """Return the records, conditions and outcomes rebuilt as the phenomenon's dataclasses.

        Args:
            keys: which, in this order, those that are missing left out; by default all records
                in the order in which they were written.

        Raises:
            StoreError: the store is another phenomenon's or revision's, a record or array is
                damaged or missing, or the fields are not those of the dataclasses.
        """
        from overparam.lab.records import Records

        self._check_phenomenon(phenomenon)
        rows = {row[0]: row for row in self._rows()}
        wanted = rows if keys is None else (k for k in keys if k in rows)
        return Records([record_of(rows[k], phenomenon, self._array, self._path) for k in wanted])

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value that `set` kept under `name`, or `default`."""
        query = "SELECT value FROM meta WHERE name = ?"
        with sqlite_errors(self._path):
            row = self._connection.execute(query, (name,)).fetchone()
        return decode(row[0]) if row else default

    def set(self, name: str, value: Any) -> None:
        """Keep `value` (anything that `encoding.encode` takes, no arrays) under `name`."""
        if name in _RESERVED:
            raise UsageError("this name is the store's own", got=name, remedy="choose another")
        text = encode(value)
        with self._transaction():
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, text))

    def choices(self) -> dict[str, Any]:
        """Return what the engine chose for each stack."""
        with sqlite_errors(self._path):
            rows = self._connection.execute("SELECT key, value FROM choices ORDER BY key")
            return {key: decode(value) for key, value in rows}

    def add_choice(self, key: str, value: Any) -> Any:
        """Keep a choice unless there is one under `key` already; return the one that holds."""
        text = encode(value)
        with self._transaction():
            self._connection.execute("INSERT OR IGNORE INTO choices VALUES (?, ?)", (key, text))
            row = self._connection.execute("SELECT value FROM choices WHERE key = ?", (key,))
            return decode(row.fetchone()[0])

    def check(self) -> list[str]:
        """Return what is damaged or missing, one sentence each; an empty list where all is well.

        SQLite's own integrity check, the checksum of every record, and of every array that a
        record refers to. Cost: reads everything once.
        """
        try:
            with sqlite_errors(self._path):
                found = [row[0] for row in self._connection.execute("PRAGMA integrity_check")]
            problems = [f"{self._path.name}: {text}" for text in found if text != "ok"]
            rows = list(self._rows())
        except StoreError as error:
            return [str(error)]
        for row in rows:
            try:
                check_row(row, self._path)
                decode(row[6], self._array)
            except StoreError as error:
                problems.append(str(error))
        return problems

    def _put(self, small: dict[str, bytes], array: np.ndarray) -> str:
        """Keep an array, as a file or among the small ones, and return its address."""
        from overparam.lab.arrays import array_address, npy_bytes

        npy = npy_bytes(array)
        if len(npy) > SMALL_ARRAY_BYTES:
            return self._arrays.put(npy)
        address = array_address(npy)
        small[address] = npy
        return address

    def _rows(self) -> Iterator[tuple]:
        with sqlite_errors(self._path):
            yield from self._connection.execute(f"SELECT {COLUMNS} FROM records ORDER BY id")

    def _array(self, address: str) -> np.ndarray:
        from overparam.lab.arrays import array_from_npy

        with sqlite_errors(self._path):
            row = self._connection.execute(
                "SELECT npy FROM arrays WHERE address = ?", (address,)
            ).fetchone()
        return array_from_npy(row[0], address, self._path) if row else self._arrays.get(address)

    def _check_phenomenon(self, phenomenon: Phenomenon) -> None:
        wanted_identity = (phenomenon.name, phenomenon.revision)
        for what, found, wanted in zip(_RESERVED, self._identity, wanted_identity, strict=True):
            if found != wanted:
                raise StoreError(
                    f"the study in {self.folder} is of another {what}",
                    got=found,
                    allowed=wanted,
                    remedy=FRESH,
                )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._lock is None:
            raise StoreError(
                "this store was opened for reading only",
                got=str(self.folder),
                remedy="use Store.open(folder, phenomenon)",
            )
        self._kept.check()
        with sqlite_errors(self._path):
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._writing():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
