"""The store: one SQLite file per study, with the arrays of its outcomes beside it.

A unit of work (a stack of cells) is written in one transaction, so that whatever ends the process,
each unit is there whole or not at all. Nothing is ever overwritten: a record's key is the hash of
everything that decides its outcome. Arrays (see `lab.stored_arrays`) are read when a record's field
is looked at, and their checksum is verified then.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
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
    status_counts,
)
from overparam.lab.encoding import ArrayAt, encode
from overparam.lab.named_rows import named_row, named_values
from overparam.lab.rows import COLUMNS, record_key, record_of, row_of
from overparam.lab.same_study import (
    refuse_another,
    refuse_edited,
    refuse_missing,
    refuse_unreadable,
)
from overparam.lab.sqlite_errors import FRESH, sqlite_errors
from overparam.lab.writer import Writer, WriterLock, lock_damage, records_told

if TYPE_CHECKING:  # NumPy comes with the first record, so that `peek` need not wait for it
    import numpy as np

    from overparam.lab.phenomenon import Phenomenon
    from overparam.lab.records import Record, Records

__all__ = ["Store", "peek", "record_key"]

_RESERVED = ("phenomenon", "revision", "code")  # the store's own


class Store:
    """The records of one study. Made by `Store.open` or `Store.read_only`; a context manager.

    Attributes:
        folder: of the study. phenomenon, revision: whose records they are.
    """

    def __init__(
        self, folder: Path, connection: sqlite3.Connection, lock: WriterLock | None
    ) -> None:
        from overparam.lab.stored_arrays import StoredArrays

        self.folder = folder
        self._path = folder / DATABASE
        self._connection = connection
        self._arrays = StoredArrays(self._path, connection)
        self.phenomenon, self.revision = self._identity()
        self._writer = Writer(self._path, connection, lock)

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
                study, damaged, or of another phenomenon, revision or version of the tables; a
                link stands where the study's own files belong.
            UsageError: what is there is no folder.
            ResourceError: the folder cannot be written.
        """
        folder = Path(folder)
        if not create and not (folder / DATABASE).is_file():
            open_to_read(folder / DATABASE)  # raises, saying that there is no study
        with sqlite_errors(folder):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except FileExistsError:  # a file, a pipe, or a link that leads nowhere
                raise UsageError(
                    f"{folder} is there and is no folder",
                    allowed="a folder, or a name that is free",
                    remedy="choose another --out",
                ) from None
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
            store.check_phenomenon(phenomenon)
            with sqlite_errors(folder):
                store._arrays.sweep()
                store._writer.tell()
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
        folder = Path(folder)
        connection = open_to_read(folder / DATABASE)
        try:
            return cls(folder, connection, None)
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and give the writer's lock back; may be called again.

        Arrays that have not been looked at can still be.
        """
        self._arrays.close()
        self._connection.close()
        self._writer.release()

    def write(self, records: Sequence[Record], unit: str) -> None:
        """Keep the records of one unit of work, all or none; return when they are on the disk.

        Raises:
            StoreError: a record of the same key is there already; opened for reading only; the
                database was deleted, moved or cut off meanwhile.
            UsageError: a field of a type that would not come back as it was.
            ResourceError: disk full, or it failed. Everything written earlier is kept.
        """
        small: dict[str, bytes] = {}
        put = partial(self._arrays.put, small)
        with self._writer.ready():
            rows = [
                row_of(record, unit, (self.phenomenon, self.revision), put) for record in records
            ]
            self._arrays.sync()  # before the transaction that refers to them
        with self._writer.transaction():
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
        with suppress(OSError):  # a full disk: what is said remains true, of fewer records
            self._writer.tell()

    def keys(self) -> set[str]:
        """Return the keys (see `record_key`) of all records."""
        with sqlite_errors(self._path):
            return {row[0] for row in self._connection.execute("SELECT key FROM records")}

    def forget_failed(self) -> int:
        """Delete the records of failed cells, so that they are tried again; return how many."""
        with self._writer.transaction():
            deleted = self._connection.execute("DELETE FROM records WHERE status = 'failed'")
            self._writer.tell()  # before they are gone, or a reader would miss them
            return deleted.rowcount

    def check_code(self, code: Mapping[str, Mapping[str, str]], *, accept: bool = False) -> None:
        """Refuse to go on with records of other code than `code`; keep it as the study's.

        Args:
            code: what a record's code is named by (see `lab.code`) to its files, and file to
                digest. What the study does not know yet is added to what it knows.
            accept: take the code as the study's although files differ.

        Raises:
            StoreError: a file or value is not as it was when the study's records were made.
        """
        known = self.get("code", {})
        refuse_unreadable(self.folder, known)
        if not accept and self._writer.count():
            refuse_edited(self.folder, known, code)
        if known != {**known, **code}:
            self._put_value("code", {**known, **code})

    def counts(self) -> dict[str, int]:
        """Return status (done, diverged, failed) to number of records."""
        with sqlite_errors(self._path):
            return status_counts(self._connection)

    def read(self, phenomenon: Phenomenon, keys: Iterable[str] | None = None) -> Records:
        """Return the records, conditions and outcomes rebuilt as the phenomenon's dataclasses.

        Arrays stay on the disk until the field that holds them is looked at, also after `close`;
        a damaged or missing one is a StoreError then.

        Args:
            keys: which, in this order, those that are missing left out; by default all records
                in the order in which they were written.

        Raises:
            StoreError: the store is another phenomenon's or revision's, a record is damaged or
                missing, or the fields are not those of the dataclasses.
        """
        from overparam.lab.records import Records

        self.check_phenomenon(phenomenon)
        rows = {row[0]: row for row in self.rows()}
        wanted = rows if keys is None else (k for k in keys if k in rows)
        return Records([record_of(rows[k], phenomenon, self.array, self._path) for k in wanted])

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value that `set` kept under `name`, or `default`."""
        with sqlite_errors(self._path):
            found = dict(named_values(self._connection, "meta", self._path, name))
        return found.get(name, default)

    def set(self, name: str, value: Any) -> None:
        """Keep `value` (anything that `encoding.encode` takes, no arrays) under `name`."""
        if name in _RESERVED:
            raise UsageError("this name is the store's own", got=name, remedy="choose another")
        self._put_value(name, value)

    def choices(self) -> dict[str, Any]:
        """Return what the engine chose for each stack."""
        with sqlite_errors(self._path):
            return dict(named_values(self._connection, "choices", self._path))

    def add_choice(self, key: str, value: Any) -> Any:
        """Keep a choice unless there is one under `key` already; return the one that holds."""
        row = named_row(key, encode(value))
        with self._writer.transaction():
            self._connection.execute("INSERT OR IGNORE INTO choices VALUES (?, ?, ?)", row)
            return dict(named_values(self._connection, "choices", self._path, key))[key]

    def check(self) -> list[str]:
        """Return what is damaged or missing, one sentence each; an empty list where all is well.

        Cost: reads everything once.
        """
        from overparam.lab.damage import damage_of, record_reader

        record, unreadable = record_reader(self)
        damaged = damage_of(self._connection, self._path, self.rows, self.array, record)
        return [*dict.fromkeys(unreadable + damaged), *lock_damage(self.folder)]

    def array(self, at: ArrayAt) -> np.ndarray:
        """Return the array of a record, its checksum verified; also after `close`.

        Raises:
            StoreError: it is damaged or missing.
        """
        return self._arrays.get(at)

    def rows(self) -> list[tuple]:
        """Return the rows of all records, as `lab.rows` makes them.

        Raises:
            StoreError: there are fewer than the last writer has written.
        """
        n_told = records_told(self.folder)
        with sqlite_errors(self._path):
            rows = self._connection.execute(f"SELECT {COLUMNS} FROM records ORDER BY id").fetchall()
        # Once more, because the writer may have tried failed cells again in the meantime.
        refuse_missing(self._path, len(rows), min(n_told, records_told(self.folder)))
        return rows

    def _put_value(self, name: str, value: Any) -> None:
        row = named_row(name, encode(value))
        with self._writer.transaction():
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", row)

    def _identity(self) -> tuple[str, int]:
        name, revision = self.get("phenomenon"), self.get("revision")
        if not isinstance(name, str) or type(revision) is not int:
            raise StoreError(f"{self._path} does not say whose study it is", remedy=FRESH)
        return name, revision

    def check_phenomenon(self, phenomenon: Phenomenon) -> None:
        """Refuse a phenomenon, or a revision of it, that is not the study's."""
        refuse_another(self.folder, self.phenomenon, self.revision, phenomenon)
