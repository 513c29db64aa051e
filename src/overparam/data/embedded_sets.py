"""The data sets that come inside the package, read once and shared by all who ask.

`tools/make_embedded_data.py` says by which rule their rows were drawn, and makes the files again;
`embedded/LICENSES.md` has the licences.
"""

from __future__ import annotations

import hashlib
import lzma
from functools import cache

import numpy as np
import torch
from torch import Tensor

from overparam.data.dataset import Dataset, make_dataset
from overparam.data.entries import EMBEDDED_FOLDER, catalogue, entry_of
from overparam.data.entry import DataFile, Entry
from overparam.data.idx import parse_idx
from overparam.errors import DataError, UsageError, suggest


@cache
def load_embedded(name: str) -> tuple[Dataset, Dataset]:
    """Return the training and the test part of an embedded data set.

    Inputs are float32 in [0, 1]; every call returns the same two objects, so that all users share
    one copy: do not write into it. Every prefix of a multiple of ten rows of the two MNIST-like
    sets is balanced.

    Args:
        name: ``"fashion_mnist_small"``, 4,000 + 1,000 images `[1, 28, 28]`;
            ``"mnist_small"``, 400 + 100 images `[1, 28, 28]`;
            ``"digits"``, 1,297 + 500 images `[1, 8, 8]`.

    Raises:
        UsageError: no such embedded set.
        DataError: the package's file is missing or its SHA-256 is wrong.

    >>> train, test = load_embedded("mnist_small")
    >>> len(train), len(test), train.input_shape, train.labels[:10].sort().values.tolist()
    (400, 100, (1, 28, 28), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    known = [entry.name for entry in catalogue() if entry.embedded]
    if name not in known:
        raise UsageError(
            "unknown embedded data set",
            got=name,
            allowed=", ".join(known),
            remedy=suggest(name, known),
        )
    entry = entry_of(name)
    inputs, labels = _digits(entry) if name == "digits" else _images(entry)
    n = entry.n_train
    return (
        _part(entry, "train", inputs[:n].clone(), labels[:n].clone()),
        _part(entry, "test", inputs[n:].clone(), labels[n:].clone()),
    )


def _part(entry: Entry, part: str, inputs: Tensor, labels: Tensor) -> Dataset:
    return make_dataset(
        inputs,
        labels,
        entry.n_classes,
        name=f"{entry.name}/{part}",
        source=entry.source,
        licence=entry.licence,
    )


def _images(entry: Entry) -> tuple[Tensor, Tensor]:
    pixels, classes = (_read(file) for file in entry.files)
    inputs = torch.from_numpy(pixels.astype(np.float32))[:, None] / 255
    return inputs, torch.from_numpy(classes.astype(np.int64))


def _digits(entry: Entry) -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits  # takes a second to import

    bunch = load_digits()
    # Neighbouring rows share a writer, so the rows are mixed: by SHA-256, the same everywhere.
    keys = [hashlib.sha256(f"digits/{i}".encode()).digest() for i in range(len(bunch.target))]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    inputs = torch.from_numpy(bunch.images[order].astype(np.float32))[:, None] / 16
    return inputs, torch.from_numpy(bunch.target[order].astype(np.int64))


def _read(file: DataFile) -> np.ndarray:
    path = EMBEDDED_FOLDER / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"the package's file {file.name} cannot be read: {error.strerror}",
            remedy="install overparam again",
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise DataError(
            f"the package's file {file.name} has a wrong SHA-256",
            got=found,
            allowed=file.sha256,
            remedy="install overparam again",
        )
    return parse_idx(lzma.decompress(content), file.name)
