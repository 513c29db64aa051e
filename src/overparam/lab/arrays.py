"""Arrays by content: each is kept once, under the SHA-256 of its ``.npy`` bytes.

``arrays/ab/<sha256>.npy`` can be checked with ``sha256sum`` and read with ``numpy.load`` without
this package. A file appears under its name only when it is whole and on the disk, so a process
killed at any moment leaves either the array or a temporary file that the next writer sweeps away.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from overparam.errors import StoreError

FOLDER = "arrays"
_TEMPORARY = ".writing-"
_NAME = re.compile(r"[0-9a-f]{64}\.npy")


def npy_bytes(array: np.ndarray) -> bytes:
    """Return `array` as the bytes of a ``.npy`` file, C order, never pickled."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def array_address(npy: bytes) -> str:
    """Return the address of an array: SHA-256 of its ``.npy`` bytes, 64 hex digits."""
    return hashlib.sha256(npy).hexdigest()


def array_from_npy(npy: bytes, address: str, where: object) -> np.ndarray:
    """Return the array whose bytes were found at `where`, after checking them against `address`.

    Raises:
        StoreError: the bytes are not those that were written.
    """
    if array_address(npy) != address:
        raise StoreError(
            f"array {address[:12]} is damaged",
            got=f"{where} with another checksum",
            remedy="restore the file from a copy, or run again with --fresh",
        )
    return np.load(io.BytesIO(npy), allow_pickle=False)


class ArrayFolder:
    """The folder ``arrays/`` of one study.

    Args:
        study: the study's folder; ``arrays/`` is made in it by the first `put`.
    """

    def __init__(self, study: Path) -> None:
        self.folder = study / FOLDER
        self._unsynced: set[Path] = set()

    def path(self, address: str) -> Path:
        """Return where the array of `address` is, or would be."""
        return self.folder / address[:2] / f"{address}.npy"

    def put(self, npy: bytes) -> str:
        """Keep the bytes of an array and return their address; call `sync` before referring to it.

        An array that is there already, whole, is not written again; a damaged one is replaced.
        """
        address = array_address(npy)
        target = self.path(address)
        with contextlib.suppress(OSError):
            if array_address(target.read_bytes()) == address:
                return address
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f"{_TEMPORARY}{os.getpid()}"
        try:
            with open(temporary, "wb") as file:
                file.write(npy)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._unsynced |= {target.parent, self.folder, self.folder.parent}
        return address

    def sync(self) -> None:
        """Bring the names of all arrays written so far onto the disk."""
        while self._unsynced:
            folder = os.open(self._unsynced.pop(), os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def get(self, address: str) -> np.ndarray:
        """Return the array of `address`, its checksum verified.

        Raises:
            StoreError: the file is missing, unreadable or damaged.
        """
        path = self.path(address)
        try:
            npy = path.read_bytes()
        except OSError as error:
            raise StoreError(
                f"array {address[:12]} is missing",
                got=f"{path}: {error.strerror}",
                remedy="restore the file from a copy, or run again with --fresh",
            ) from error
        return array_from_npy(npy, address, path)

    def sweep(self) -> None:
        """Delete temporary files that killed writers left behind."""
        for path in self.folder.glob(f"{_TEMPORARY}*"):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all arrays, and the folders that this leaves empty; nothing else."""
        self.sweep()
        for path in self._files():
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody keeps files of their own there
                path.parent.rmdir()
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _files(self) -> Iterator[Path]:
        for path in list(self.folder.glob("??/*.npy")):
            if _NAME.fullmatch(path.name) and path.parent.name == path.name[:2]:
                yield path
