"""The arrays of one study: small ones in its database, large ones as files beside it.

Small arrays live in the database itself (a file and an fsync for each trace of an epoch-wise curve
would cost more than training it). Either way an array lies under the SHA-256 of its bytes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np

from overparam.errors import StoreError
from overparam.lab.arrays import ArrayFolder, array_address, array_from_npy, npy_bytes
from overparam.lab.database import open_to_read
from overparam.lab.encoding import ArrayAt
from overparam.lab.sqlite_errors import FRESH, sqlite_errors

SMALL_ARRAY_BYTES = 16 * 1024  # up to here a row in SQLite is faster than a file of its own


class StoredArrays:
    """What keeps and finds arrays; they can still be read after `close`.

    Args:
        path: of the database. connection: to it, open.

    Raises:
        StoreError: a link stands where the study's own files belong.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = connection
        self._files = ArrayFolder(path.parent)
        self._files.refuse_links()

    def close(self) -> None:
        """Use the connection no longer; the database is opened anew for what is still read."""
        self._connection = None

    def sweep(self) -> None:
        """Delete what a killed writer left half written."""
        self._files.sweep()

    def put(self, small: dict[str, bytes], array: np.ndarray) -> str:
        """Keep an array, as a file or in `small`, by address, and return its address."""
        npy = npy_bytes(array)
        if len(npy) > SMALL_ARRAY_BYTES:
            return self._files.put(npy)
        address = array_address(npy)
        small[address] = npy
        return address

    def sync(self) -> None:
        """Return when the files are on the disk."""
        self._files.sync()

    def get(self, at: ArrayAt) -> np.ndarray:
        """Return an array, its checksum verified.

        Raises:
            StoreError: it is damaged or missing.
        """
        if self._connection is not None:
            npy = self._small(self._connection, at.address)
        else:
            with closing(open_to_read(self._path, check=False)) as connection:
                npy = self._small(connection, at.address)
        return self._files.get(at) if npy is None else array_from_npy(npy, at, self._path)

    def _small(self, connection: sqlite3.Connection, address: str) -> bytes | None:
        query = "SELECT npy FROM arrays WHERE address = ?"
        with sqlite_errors(self._path):
            row = connection.execute(query, (address,)).fetchone()
        if row is not None and not isinstance(row[0], bytes):
            raise StoreError(
                f"array {address[:12]} is damaged", got=f"{self._path}: no bytes", remedy=FRESH
            )
        return row[0] if row else None
