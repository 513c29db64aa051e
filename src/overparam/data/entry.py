"""What the package knows of a data set: its files, their layouts on disk, and where to get them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFile:
    """One file of a data set.

    Attributes:
        name: file name; IDX files may also carry the suffix ``.gz``.
        sha256: of the file's contents (uncompressed, but for embedded ``.xz`` files), hexadecimal.
        md5: the same, where only an MD5 was published. Both empty: no checksum is known.
    """

    name: str
    sha256: str = ""
    md5: str = ""


@dataclass(frozen=True)
class Layout:
    """One way in which people keep a data set: a kind of file and the folders it lies in.

    Attributes:
        kind: ``"idx"``, ``"csv"``, ``"npz"``, ``"cifar-binary"`` or ``"cifar-pickle"``.
        folders: folders below a place that are searched, in order.
        train: files of the training part. test: files of the test part.
        partial: whether some of the training files suffice.
    """

    kind: str
    folders: tuple[str, ...]
    train: tuple[DataFile, ...]
    test: tuple[DataFile, ...]
    partial: bool = False


@dataclass(frozen=True)
class Download:
    """A file to fetch: its name at the mirrors and its published MD5."""

    name: str
    md5: str


@dataclass(frozen=True)
class Entry:
    """A data set the package knows.

    Attributes:
        name: what `load` takes. n_train, n_test: rows. input_shape: of one row.
        n_classes: number of classes K.
        source: who made it and where it is from. licence: its terms.
        embedded: whether it needs no files beyond the installed packages.
        files: files of an embedded set, with the SHA-256 of the compressed file.
        layouts: the ways in which a full set may lie on disk.
        downloads: the files `fetch` gets. mirrors: where from, each ending in ``/``.
        fetch_folder: folder below the cache that receives them.
    """

    name: str
    n_train: int
    n_test: int
    input_shape: tuple[int, ...]
    n_classes: int
    source: str
    licence: str
    embedded: bool
    files: tuple[DataFile, ...] = ()
    layouts: tuple[Layout, ...] = ()
    downloads: tuple[Download, ...] = ()
    mirrors: tuple[str, ...] = ()
    fetch_folder: str = ""
