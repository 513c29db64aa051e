"""`Examples`: inputs and labels as estimators take them, of which rows can be cut.

A network is trained on tensors (`Dataset`). An estimator may need the names and types of a table's
columns, texts, a sparse matrix, or labels that are words. So inputs keep their form here, labels
their words, and nothing but rows is ever cut out of them.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils import data as torch_data

from overparam.data.accepted import as_dataset
from overparam.data.arrays import as_array, as_tensor, is_missing, refuse_masked
from overparam.data.dataset import Dataset
from overparam.data.labels import ASK, FEW_CLASSES, REGRESSION, notes_on_classes, read_labels
from overparam.data.rows import as_inputs, n_rows, pieces, read_only, take_rows
from overparam.data.tables import (
    check_column_names,
    check_rows,
    column_names,
    label_position,
    part_column,
)
from overparam.errors import DataError, UsageError

FORMS = (
    "(X, y) with X an array, a DataFrame, a sparse matrix or a list of texts, "
    "(frame, 'column of labels'), a Dataset, or Examples"
)
_TORCH_FORMS = (Dataset, torch_data.Dataset, torch_data.DataLoader)


@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of one task, in the form in which they were given.

    Attributes:
        inputs: an array (a read-only view), a DataFrame, a sparse matrix or a list; n rows.
        labels: int64 `[n]`, positions in `classes`; or floating targets `[n, k]`.
        classes: the classes in order, as they were given; None for targets.
        label_shape: of one row's target as it was given, `()` or `(k,)`.
        flat: whether inputs of more axes than two are flattened for an estimator, as those of a
            `Dataset` are.
        name: what it is called in messages. notes: how labels were read.
        columns: names of the inputs' columns, where they are or were a table; else empty.
    """

    inputs: Any
    labels: np.ndarray
    classes: np.ndarray | None
    label_shape: tuple[int, ...] = ()
    flat: bool = False
    name: str = "data"
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        kind = "targets" if self.classes is None else f"{len(self.classes)} classes"
        form = type(self.inputs).__name__
        return f"Examples({self.name!r}, {len(self)} rows of a {form}, {kind})"

    @property
    def n_outputs(self) -> int:
        """Number of classes K, or of targets k."""
        return int(self.labels.shape[1]) if self.classes is None else len(self.classes)

    def take(self, rows: np.ndarray | None = None) -> Any:
        """Return inputs of some rows, which nobody else holds, or of all of them.

        Arrays cannot be written to: whoever changes what it is given is found out.
        """
        return read_only(self.inputs if rows is None else take_rows(self.inputs, rows))

    def given_labels(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Return labels of some rows, or of all, as they were given."""
        labels = self.labels if rows is None else self.labels[rows]
        if self.classes is None:
            return labels.reshape(len(labels), *self.label_shape)
        return self.classes[labels]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (16 hex digits) of inputs, labels and classes as they are now.

        Cost: reads all of them, each time: they can be changed in place.
        """
        digest = hashlib.sha256()
        for part in (self.inputs, self.labels, self.classes):
            for piece in pieces(part):
                digest.update(piece)
        return digest.hexdigest()[:16]


def as_examples(
    data: Any,
    n_classes: int | None = ASK,
    *,
    name: str = "data",
    are_classes: bool = False,
    like: Examples | None = None,
) -> Examples:
    """Return data in any of the usual forms as `Examples`.

    Args:
        data: ``(X, y)``; ``(frame, "label")``; a `Dataset`, PyTorch dataset or `DataLoader`, as
            `overparam.data.accepted` has them; or `Examples`, which stay as they are.
        n_classes: None for targets of regression; K for the classes 0 to K-1. By default the
            labels decide: texts, truth values and up to twenty different whole numbers are
            classes, others as `overparam.data.labels` has it.
        are_classes: whether whole numbers are classes however many they are, as a classifier's are.
        like: a set of the same task, whose classes these are.

    Raises:
        UsageError: another form. DataError: no rows, lengths that differ, missing labels, one
            class only, or labels of which nobody can tell what they are.

    >>> as_examples((["good", "bad", "fine"], ["yes", "no", "yes"])).labels
    array([1, 0, 1])
    """
    if isinstance(data, Examples):
        return data
    if isinstance(data, _TORCH_FORMS):
        made = _of_dataset(as_dataset(data, _torch_classes(n_classes, like), name=name))
        if like is None:
            return made
        check_column_names(
            made.columns, like.columns, f"{like.name!r}"
        )  # an array's are told by place
        return _as_like(made, made.given_labels(), like)
    inputs, labels = _pair(data)
    position = label_position(inputs, labels)
    if position is not None:
        inputs, labels = part_column(inputs, position)
    check_rows(inputs, labels)
    columns = column_names(inputs)  # of which none may stand twice
    if like is not None and like.flat:
        check_column_names(columns, like.columns, f"{like.name!r}")
    kept, given = as_inputs(inputs), _as_labels(labels)
    if len(given) != n_rows(kept) or len(given) == 0:
        raise DataError(
            f"inputs and labels of {name!r} differ in length or have no rows",
            got=f"{n_rows(kept)} inputs, {len(given)} labels",
        )
    if like is not None:
        made = replace(like, inputs=kept, flat=False, name=name, notes=(), columns=columns)
        return _as_like(made, given, like)
    made = _read(kept, given, n_classes, name, are_classes)
    notes = () if made.classes is None else notes_on_classes(labels, made.classes.tolist())
    return replace(made, columns=columns, notes=(*made.notes, *notes))


def _pair(data: Any) -> tuple[Any, Any]:
    if isinstance(data, tuple | list) and len(data) == 2:
        return data[0], data[1]
    raise UsageError(
        "this is not a form of data that an estimator can be fitted to",
        got=f"{type(data).__name__} of {len(data)} parts"
        if isinstance(data, tuple | list)
        else type(data).__name__,
        allowed=FORMS,
        remedy="give (X, y)",
    )


def _of_dataset(data: Dataset) -> Examples:
    classes = None if data.n_classes is None else np.arange(data.n_classes)
    shape = () if data.label_shape is None else tuple(data.label_shape)
    labels = data.labels.numpy()
    return Examples(
        as_array("inputs", data.inputs),
        labels,
        classes,
        shape,
        True,
        data.name,
        data.notes,
        data.columns,
    )


def _torch_classes(n_classes: int | None, like: Examples | None) -> int | None:
    if like is None:
        return n_classes
    return None if like.classes is None else ASK


def _as_labels(labels: Any) -> np.ndarray:
    refuse_masked("labels", labels)
    if isinstance(labels, torch.Tensor):
        labels = as_array("labels", labels)
    array = np.asarray(labels.to_numpy() if hasattr(labels, "to_numpy") else labels)
    if array.ndim not in (1, 2) or array.dtype.kind in "cV":
        raise DataError("labels must be [n], or targets [n, k]", got=f"{array.dtype} {array.shape}")
    if _misses(array):
        raise DataError("labels hold missing values", remedy="drop these rows of inputs and labels")
    return array


def _misses(array: np.ndarray) -> bool:
    if array.dtype.kind == "f":
        return not bool(np.isfinite(array).all())
    return array.dtype.kind == "O" and any(map(is_missing, array.flat))


def _read(
    inputs: Any, given: np.ndarray, n_classes: int | None, name: str, are_classes: bool
) -> Examples:
    column = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    shape = tuple(given.shape[1:])
    notes: tuple[str, ...] = ()
    if n_classes == ASK and not _are_classes(column, math.inf if are_classes else FEW_CLASSES):
        _, n_classes, notes = read_labels(as_tensor("labels", given), ASK, torch.float64)
        n_classes = None if n_classes is None else ASK
    if n_classes is None:
        targets = as_tensor("labels", given).to(torch.float64).numpy()
        return Examples(inputs, targets.reshape(len(given), -1), None, shape, False, name, notes)
    if column.ndim != 1:
        raise DataError(
            "labels of classes must be [n]", got=list(given.shape), remedy=f"or {REGRESSION}"
        )
    if n_classes != ASK:
        positions, _, notes = read_labels(as_tensor("labels", column), n_classes, torch.float64)
        classes, numbers = np.arange(n_classes), positions.numpy()
        if numbers.min() < 0 or numbers.max() >= n_classes:
            raise DataError(
                f"labels of {name!r} lie outside the classes",
                got=f"{numbers.min()}..{numbers.max()}",
                allowed=f"0..{n_classes - 1}",
            )
        return Examples(inputs, numbers, classes, (), False, name, notes)
    classes, numbers = _numbered(column)
    if len(classes) < 2:
        raise DataError(
            "all labels are one class",
            got=classes.tolist()[0],
            allowed="at least two classes",
            remedy=REGRESSION,
        )
    return Examples(inputs, numbers, classes, (), False, name, notes)


def _are_classes(column: np.ndarray, most: float) -> bool:
    """Whether labels are classes without a doubt: words, truth values, up to so many numbers."""
    if column.ndim != 1:
        return False
    if column.dtype.kind == "f" and (most == FEW_CLASSES or (column != column.round()).any()):
        return False
    return column.dtype.kind not in "iuf" or len(np.unique(column)) <= most


def _numbered(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        classes, numbers = np.unique(column, return_inverse=True)
    except TypeError:
        kinds = sorted({type(value).__name__ for value in column})
        raise DataError(
            "labels are of kinds that have no order among each other",
            got=", ".join(kinds),
            remedy="make all of them texts, or numbers",
        ) from None
    return classes, numbers.astype(np.int64)


def _as_like(made: Examples, given: np.ndarray, like: Examples) -> Examples:
    """Return a set whose labels are positions in another's classes."""
    if like.classes is None:
        targets = as_tensor("labels", given).to(torch.float64).numpy().reshape(len(given), -1)
        if targets.shape[1] != like.n_outputs:
            raise DataError(
                f"targets of {made.name!r} are not those of {like.name!r}",
                got=f"{targets.shape[1]} for each row",
                allowed=like.n_outputs,
            )
        return replace(made, labels=targets, classes=None, label_shape=like.label_shape)
    column = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    numbers = {label: i for i, label in enumerate(like.classes.tolist())}
    unknown = [label for label in column.tolist() if label not in numbers]
    if unknown:
        raise DataError(
            f"labels of {made.name!r} lie outside the classes of {like.name!r}",
            got=unknown[0],
            allowed=", ".join(map(str, like.classes[:20].tolist())),
        )
    labels = np.array([numbers[label] for label in column.tolist()], dtype=np.int64)
    return replace(made, labels=labels, classes=like.classes, label_shape=())
