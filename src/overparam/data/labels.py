"""Which task labels pose: classes, or targets of regression; said where it had to be guessed.

| labels given without `n_classes` | are taken as |
|---|---|
| booleans | two classes |
| integers `[n]` or `[n, 1]` | classes 0 .. largest |
| integers that look like measured numbers (below) | refused: say which |
| whole but floating, as tables give them, of 0 .. 19, each twice on average | classes; a note |
| any other floating numbers | targets; a note where all are whole |

Integers look like measured numbers where they would be more than twenty classes and have fewer than
ten rows for each, or most of these classes have none. `n_classes=K` makes classes of whole numbers,
`n_classes=None` targets of any.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from overparam.errors import DataError

ASK = -1  # the value of n_classes that leaves the choice to what the labels look like
FEW_CLASSES = 20  # as many are taken for classes without asking
ROWS_PER_CLASS = 10  # more classes than FEW_CLASSES need as many rows each, on average
NAMED_AT_MOST = 5  # empty classes listed in a note

REGRESSION = "give n_classes=None for regression"
ONE_HOT = "give labels.argmax(1) for one-hot rows"


def read_labels(
    labels: Tensor, n_classes: int | None, dtype: torch.dtype
) -> tuple[Tensor, int | None, tuple[str, ...]]:
    """Return labels int64 `[n]` with K, or targets `[n, k]` in `dtype` with None, and notes.

    Raises:
        DataError: labels that are neither, or of which nobody can tell.

    >>> read_labels(torch.tensor([0.0, 1.0, 1.0, 0.0]), -1, torch.float32)[:2]
    (tensor([0, 1, 1, 0]), 2)
    """
    if labels.ndim == 0:
        raise DataError("labels must be [n] or targets [n, k]", got="a single number")
    column = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if n_classes is None:
        return _targets(labels, dtype), None, ()
    if isinstance(n_classes, bool) or not isinstance(n_classes, Integral) or n_classes == 0:
        raise DataError("n_classes must be a whole number of at least 1, or None", got=n_classes)
    n_classes = int(n_classes)
    if n_classes != ASK:
        if labels.is_floating_point() and not (column.ndim == 1 and _is_whole(column)):
            raise DataError(
                "labels of classes must be integers",
                got=f"{labels.dtype} {list(labels.shape)}",
                remedy=f"{'convert them' if column.ndim == 1 else ONE_HOT}, or {REGRESSION}",
            )
        return _classes(column), n_classes, _empty_classes(column, n_classes)
    if labels.dtype == torch.bool:
        return (*_integers(column)[:1], 2, ())
    if labels.is_floating_point():
        return _floating(labels, column, dtype)
    return _integers(column)


def _floating(
    labels: Tensor, column: Tensor, dtype: torch.dtype
) -> tuple[Tensor, int | None, tuple[str, ...]]:
    if column.ndim != 1 or not len(column) or not _is_whole(column):
        return _targets(labels, dtype), None, ()
    low, high, n_different = column.min(), column.max(), len(torch.unique(column))
    if low < 0 or high >= FEW_CLASSES or 2 * n_different > len(column):
        note = "labels are whole numbers in floating point, taken as targets of regression; "
        return _targets(labels, dtype), None, (note + "give n_classes for classes",)
    taken, n_classes, notes = _integers(column)
    note = f"labels are whole numbers in floating point, taken as {n_classes} classes; "
    return taken, n_classes, (note + REGRESSION, *notes)


def _integers(column: Tensor) -> tuple[Tensor, int, tuple[str, ...]]:
    labels = _classes(column)
    if labels.ndim != 1:
        raise DataError(
            "labels must be int64 [n]",
            got=f"integers {list(labels.shape)}",
            remedy=f"{ONE_HOT}, or {REGRESSION}",
        )
    if not len(labels):
        return labels, 0, ()
    different = torch.unique(labels)
    if int(different[0]) < 0:
        raise DataError(
            "labels lie outside the classes",
            got=f"{int(different[0])}..{int(different[-1])}",
            allowed="0..K-1",
            remedy=f"number the classes from 0, or {REGRESSION}",
        )
    if len(different) < 2:
        raise DataError(
            "all labels are one class",
            got=int(different[0]),
            allowed="at least two classes",
            remedy=f"give n_classes for a set that is only evaluated; {REGRESSION}",
        )
    n_classes = int(different[-1]) + 1
    if n_classes <= FEW_CLASSES:
        return labels, n_classes, _empty_classes(labels, n_classes)
    if n_classes * ROWS_PER_CLASS > len(labels) or 2 * len(different) < n_classes:
        raise DataError(
            "integer labels look like measured numbers, not classes",
            got=f"{len(different)} different ones of {n_classes} up to {n_classes - 1}, "
            f"in {len(labels)} rows",
            remedy=f"{REGRESSION}, or n_classes={n_classes} for as many classes",
        )
    note = f"integer labels are taken as {n_classes} classes; {REGRESSION}"
    return labels, n_classes, (note, *_empty_classes(labels, n_classes))


def _classes(column: Tensor) -> Tensor:
    """Return a copy as int64: what the caller does with the original must not reach it."""
    return column.to(torch.int64, copy=True)


def _targets(labels: Tensor, dtype: torch.dtype) -> Tensor:
    # Half precision is for inputs: a target of 2049 would become 2048.
    targets = labels.to(torch.promote_types(dtype, torch.float32), copy=True)
    return targets[:, None] if targets.ndim == 1 else targets


def _is_whole(column: Tensor) -> bool:
    return bool((torch.isfinite(column) & (column == column.round())).all())


def _empty_classes(labels: Tensor, n_classes: int) -> tuple[str, ...]:
    there = set(torch.unique(labels.to(torch.int64)).tolist())
    empty = [str(k) for k in range(min(n_classes, 10_000)) if k not in there]
    if not empty or not there:
        return ()
    named = ", ".join(empty[:NAMED_AT_MOST]) + (", ..." if len(empty) > NAMED_AT_MOST else "")
    which = f"class {named} has" if len(empty) == 1 else f"{len(empty)} classes ({named}) have"
    return (f"{which} no rows (of {n_classes} classes, numbered from 0)",)


def notes_on_classes(labels: Any, classes: Sequence[Any]) -> tuple[str, ...]:
    """Return what may surprise in the classes that labels were read as.

    Args:
        labels: as they were given. classes: in order.

    >>> notes_on_classes([-1, 0, 1], [-1, 0, 1])[0][:42]
    'labels of -1 are taken as a class of their'
    """
    notes, there = [], list(classes)
    categories = getattr(getattr(labels, "dtype", None), "categories", None)
    if categories is not None and [c for c in categories if c in there] != there:
        notes.append(
            f"classes are in sorted order ({', '.join(map(str, there[:NAMED_AT_MOST]))}), not in "
            "that of the categories: so are columns of outputs, also those of a function's answer"
        )
    if len(there) > 2 and there == list(range(-1, len(there) - 1)):
        notes.append(
            "labels of -1 are taken as a class of their own; rows without a label have no right "
            "and wrong"
        )
    return tuple(notes)
