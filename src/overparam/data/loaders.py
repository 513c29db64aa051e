"""`load(name)`: any data set of the catalogue, embedded or from files in the usual layouts.

Contents are held against the published checksums, however the files are compressed, so that a
set called ``mnist`` is MNIST. `overparam.data.places` says which places are searched.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch

from overparam.data.cifar import read_cifar_binary, read_cifar_pickle
from overparam.data.dataset import Dataset, make_dataset
from overparam.data.digit_tables import read_digit_csv, read_digit_npz
from overparam.data.embedded_sets import load_embedded
from overparam.data.entries import entry_of
from overparam.data.entry import DataFile, Entry
from overparam.data.folders import DEPTH, archives_of
from overparam.data.idx import idx_header, read_idx
from overparam.data.places import Found, find, places_to_search
from overparam.errors import DataError

IDX_IMAGE_SHAPE = (28, 28)


def load(
    name: str, root: str | os.PathLike[str] | None = None, *, verify: bool = True
) -> tuple[Dataset, Dataset]:
    """Return the training and the test part of a data set, inputs float32 in [0, 1].

    The last two full sets read are kept, so that all who ask share one copy.

    Args:
        name: a name from `catalogue()`.
        root: a folder to search first (full sets only).
        verify: hold the contents against the published checksums, where there are any.

    Raises:
        UsageError: unknown name; the near one is suggested.
        DataError: the files are nowhere, damaged, or not what their name says.

    >>> [len(part) for part in load("digits")]
    [1297, 500]
    """
    entry = entry_of(name)
    if entry.embedded:
        return load_embedded(name)
    places = places_to_search(root)
    for place, _ in places:
        if found := find(entry, place):
            return _load_found(entry, found, verify)
    looked = "; ".join(f"{folder} ({origin})" for folder, origin in places)
    packed = [path for place, _ in places for path in archives_of(name, entry.layouts, place)]
    unpack = f"unpack {packed[0]}, " if packed else ""
    raise DataError(
        f"the files of {name!r} are in none of the places searched, nor up to {DEPTH} folders "
        f"below: {looked}",
        remedy=f"{unpack}run `overparam data fetch {name}`, or set OVERPARAM_DATA to their folder",
    )


def load_mnist(root: str | os.PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """Return MNIST, 60,000 + 10,000 images `[1, 28, 28]`. See `load`."""
    return load("mnist", root)


def load_fashion_mnist(root: str | os.PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """Return Fashion-MNIST, 60,000 + 10,000 images `[1, 28, 28]`. See `load`."""
    return load("fashion_mnist", root)


def load_cifar10(root: str | os.PathLike[str] | None = None) -> tuple[Dataset, Dataset]:
    """Return CIFAR-10, 50,000 + 10,000 images `[3, 32, 32]`. See `load`.

    Where only some of the five training batches are there, these are loaded and the name says so:
    ``"cifar10/train(data_batch_1.bin)"``.
    """
    return load("cifar10", root)


@lru_cache(maxsize=2)
def _load_found(entry: Entry, found: Found, verify: bool) -> tuple[Dataset, Dataset]:
    known = {file.name.casefold(): file for file in (*found.layout.train, *found.layout.test)}
    note = "" if found.complete else "(" + ", ".join(path.name for path in found.train) + ")"
    parts = []
    for part, paths in ((f"train{note}", found.train), ("test", found.test)):
        if not found.layout.kind.startswith("cifar"):
            images, labels = _read_digits(entry, found, paths, verify)
        else:
            images, labels = _read_batches(entry, found, paths, known, verify)
        inputs = torch.from_numpy(images.astype(np.float32)).div_(255)
        parts.append(
            make_dataset(
                inputs,
                torch.from_numpy(labels.astype(np.int64)),
                entry.n_classes,
                name=f"{entry.name}/{part}",
                source=entry.source,
                licence=entry.licence,
            )
        )
    return parts[0], parts[1]


def _read_digits(
    entry: Entry, found: Found, paths: tuple[Path, ...], verify: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Read images and labels of one part, from two IDX files or from one table."""
    is_train = paths is found.train
    if found.layout.kind == "idx":
        images, labels = (read_idx(path) for path in paths)
    else:
        read = read_digit_csv if found.layout.kind == "csv" else read_digit_npz
        images, labels = read(paths[0], "train" if is_train else "test")
    for path, array, shape in ((paths[0], images, IDX_IMAGE_SHAPE), (paths[-1], labels, ())):
        if array.dtype != np.uint8 or array.shape[1:] != shape:
            raise DataError(
                f"{path} does not hold what {entry.name!r} has there",
                got=f"{array.dtype} {list(array.shape)}",
                allowed=f"uint8 {['n', *shape]}",
            )
    if len(images) != len(labels):
        raise DataError(
            f"images and labels in {found.folder} differ in number",
            got=f"{len(images)} images, {len(labels)} labels",
        )
    if verify:
        idx = next(layout for layout in entry.layouts if layout.kind == "idx")
        files = idx.train if is_train else idx.test
        for path, file, array in zip((paths[0], paths[-1]), files, (images, labels), strict=True):
            digest = hashlib.sha256(idx_header(array.shape))
            digest.update(np.ascontiguousarray(array).data)
            _check(entry, path, digest.hexdigest(), file.sha256)
    return images[:, None], labels


def _read_batches(
    entry: Entry, found: Found, paths: tuple[Path, ...], known: dict[str, DataFile], verify: bool
) -> tuple[np.ndarray, np.ndarray]:
    read = read_cifar_binary if found.layout.kind == "cifar-binary" else read_cifar_pickle
    batches = []
    for path in paths:
        file = known[path.name.casefold()]
        batches.append(read(path, partial(_check_bytes, entry, path, file) if verify else None))
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _check_bytes(entry: Entry, path: Path, file: DataFile, content: bytes) -> None:
    if file.sha256:
        _check(entry, path, hashlib.sha256(content).hexdigest(), file.sha256)
    if file.md5:
        digest = hashlib.md5(content, usedforsecurity=False)
        _check(entry, path, digest.hexdigest(), file.md5)


def _check(entry: Entry, path: Path, got: str, allowed: str) -> None:
    if got != allowed:
        raise DataError(
            f"the checksum of {path}'s contents is not that of {entry.name!r}",
            got=got,
            allowed=allowed,
            remedy=f"run `overparam data fetch {entry.name}`, or load(..., verify=False)",
        )
