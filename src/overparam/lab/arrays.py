"""Arrays by content: each is kept once, under the SHA-256 of its ``.npy`` bytes.

``arrays/ab/<sha256>.npy`` can be checked with ``sha256sum`` and read with ``numpy.load`` without
this package. A file appears under its name only when it is whole and on the disk, so a process
killed at any moment leaves either the array or a temporary file that the next writer sweeps away.

A folder may have come from elsewhere. So nothing is read before its size is that which its record
declares (not a file without end, nor a device), no link is followed, and no name that is a link is
written through or deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from overparam.errors import StoreError
from overparam.lab.encoding import ArrayAt

FOLDER = "arrays"
_MOST_HEADER_BYTES = 1 << 20  # of a ``.npy`` file, before its values
_RESTORE = "restore the file from a copy, or run again with --fresh"
_TEMPORARY = ".writing-"
_ADDRESS = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[0-9a-f]{64}\.npy")


def npy_bytes(array: np.ndarray) -> bytes:
    """Return `array` as the bytes of a ``.npy`` file, C order, never pickled."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def array_address(npy: bytes) -> str:
    """Return the address of an array: SHA-256 of its ``.npy`` bytes, 64 hex digits."""
    return hashlib.sha256(npy).hexdigest()


def array_from_npy(npy: bytes, at: ArrayAt, where: object) -> np.ndarray:
    """Return the array whose bytes were found at `where`, after checking them against `at`.

    Raises:
        StoreError: the bytes are not those that were written, or not those of such an array.
    """
    check_size(len(npy), at, where)
    if array_address(npy) != at.address:
        raise _damaged(at, f"{where} with another checksum")
    try:
        array = np.load(io.BytesIO(npy), allow_pickle=False)
    except Exception as error:  # whatever a forged header makes of NumPy's reader
        raise _damaged(at, f"{where}: {type(error).__name__}: {str(error)[:100]}") from error
    if (array.shape, str(array.dtype), array.nbytes) == (at.shape, at.dtype, at.n_bytes):
        return array
    raise _damaged(at, f"{where} holds another array than its record says")


def check_size(n_bytes: int, at: ArrayAt, where: object) -> None:
    """Refuse a file that cannot be the array, before it is read.

    Raises:
        StoreError: it is shorter than the array's values, or longer than them and a header.
    """
    if not at.n_bytes < n_bytes <= at.n_bytes + _MOST_HEADER_BYTES:
        raise _damaged(at, f"{where} with {n_bytes:,} bytes for {at.n_bytes:,} of values")


def _damaged(at: ArrayAt, got: str) -> StoreError:
    return StoreError(f"array {at.address[:12]} is damaged", got=got, remedy=_RESTORE)


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
        self.refuse_links(target)
        with contextlib.suppress(OSError):
            if target.stat().st_size == len(npy) and target.read_bytes() == npy:
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

    def get(self, at: ArrayAt) -> np.ndarray:
        """Return the array that a record refers to, its checksum verified.

        Raises:
            StoreError: the file is missing, unreadable, damaged or no plain file.
        """
        if not _ADDRESS.fullmatch(at.address):
            raise StoreError(
                "a record's array has an address that is none",
                got=at.address[:80],
                allowed="64 hexadecimal digits",
                remedy=_RESTORE,
            )
        path = self.path(at.address)
        self.refuse_links(path)
        try:
            # Not through a link, and without waiting for the other end of a pipe.
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(file, "rb") as opened:
                found = os.fstat(file)
                if not stat.S_ISREG(found.st_mode):
                    raise _damaged(at, f"{path}, which is no plain file")
                check_size(found.st_size, at, path)
                npy = opened.read(found.st_size)
        except OSError as error:
            raise StoreError(
                f"array {at.address[:12]} is missing",
                got=f"{path}: {error.strerror}",
                remedy=_RESTORE,
            ) from error
        return array_from_npy(npy, at, path)

    def sweep(self) -> None:
        """Delete temporary files that killed writers left behind.

        Raises:
            StoreError: the folder is a link, so that what lies in it is not this study's.
        """
        self.refuse_links()
        for path in self.folder.glob(f"{_TEMPORARY}*"):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete all arrays, and the folders that this leaves empty; nothing else.

        Raises:
            StoreError: the folder, or one in it, is a link; nothing was deleted.
        """
        files = list(self._files())
        self.refuse_links(*files)
        self.sweep()
        for path in files:
            path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody keeps files of their own there
                path.parent.rmdir()
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _files(self) -> Iterator[Path]:
        for path in list(self.folder.glob("??/*.npy")):
            if _NAME.fullmatch(path.name) and path.parent.name == path.name[:2]:
                yield path

    def refuse_links(self, *files: Path) -> None:
        """Refuse the folder, or that of a file in it, where it is a link or no folder.

        Raises:
            StoreError: it is; what lies behind it is not this study's.
        """
        for path in dict.fromkeys((self.folder, *(file.parent for file in files))):
            try:
                found = path.lstat().st_mode
            except OSError:
                continue  # not there yet, or opening a file in it says why it cannot be
            if not stat.S_ISDIR(found):
                linked = stat.S_ISLNK(found)
                raise StoreError(
                    f"a folder of a study's arrays is {'a link' if linked else 'no folder'}",
                    got=f"{path} -> {os.readlink(path)}" if linked else str(path),
                    allowed="a folder of its own",
                    remedy=f"delete the {'link' if linked else 'file'}, or choose another --out",
                )
