"""`Task`: what of its training set a fitted model must know to be asked for predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from overparam.data.arrays import as_tensor
from overparam.data.dataset import Dataset
from overparam.data.finite import check_finite
from overparam.data.tables import check_columns
from overparam.errors import DataError, UsageError


@dataclass(frozen=True)
class Task:
    """Shape and kind of the rows that a model was trained on.

    Attributes:
        input_shape: of one row. takes_integers: whether inputs are whole numbers, such as tokens.
        n_classes: K, or None for floating targets. n_targets: outputs of a row.
        label_shape: of one row's label as it was given; None where that was not kept.
        columns: names of the inputs' columns, where they came as a table.
    """

    input_shape: tuple[int, ...]
    takes_integers: bool
    n_classes: int | None
    n_targets: int
    label_shape: tuple[int, ...] | None = None
    columns: tuple[str, ...] = ()

    @classmethod
    def of(cls, train_set: Dataset) -> Task:
        """Return the task that a training set poses."""
        whole = not train_set.base.is_floating_point()
        return cls(
            train_set.input_shape,
            whole,
            train_set.n_classes,
            train_set.n_outputs,
            train_set.label_shape,
            train_set.columns,
        )


def rows_of(task: Task | None, inputs: Any) -> Tensor:
    """Return inputs as a tensor of the kind that the task has, where it is known.

    Raises:
        UsageError: rows have another shape than in training, or a table other columns.
        DataError: no numbers, no rows, NaN, or fractions for a model of whole numbers.
    """
    check_columns(inputs, task.columns if task else (), "the training set")
    rows = as_tensor("inputs", inputs)
    if rows.ndim == 0 or len(rows) == 0:
        raise DataError("inputs must be [n, *shape] with at least one row", got=list(rows.shape))
    if task is not None and tuple(rows.shape[1:]) != task.input_shape:
        shape = task.input_shape
        raise UsageError(
            "rows have another shape than those that the model was trained on",
            got=list(rows.shape),
            allowed=f"[{', '.join(map(str, ('n', *shape)))}]",
            remedy="one row is x[None]"
            if tuple(rows.shape) == shape
            else "give rows as in training; one row is x[None], and for rows of other shapes "
            "fitted.module() is the plain module",
        )
    check_finite(rows)
    if task is None or task.takes_integers != rows.is_floating_point():
        return rows
    if not task.takes_integers:
        return rows.to(torch.float64)  # exact; the model's precision follows
    if not bool((rows == rows.round()).all()):
        raise DataError(
            "the model was trained on whole numbers", got=rows.dtype, remedy="give integers"
        )
    return rows.to(torch.int64)
