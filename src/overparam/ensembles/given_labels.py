"""Labels beside predictions: which task they pose, and which class each column is of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from overparam.data.examples import Examples, as_examples
from overparam.data.labels import ASK
from overparam.data.rows import n_rows
from overparam.ensembles.given_predictions import GivenPredictions
from overparam.ensembles.tasks import CLASSES, NUMBERS, with_classes, with_numbers
from overparam.errors import DataError


def labels_beside(
    said: GivenPredictions, y: Any, classes: Sequence[Any] | None, task: str | None
) -> Examples:
    """Return labels with classes in the order of the columns, or targets.

    Args:
        y, classes, task: as in `ensemble_of_predictions`.

    Raises:
        DataError: labels that do not fit the predictions, or the task.
    """
    n = said.values.shape[1]
    given = rows_of(y, n, "y")
    named = said.names if said.names is not None else classes
    if task == NUMBERS:
        if said.are_outputs or named is not None:
            raise DataError(
                "predictions of numbers have no classes",
                got=list(said.values.shape),
                allowed="[K, n]",
                remedy="leave out classes, and give one number for each row",
            )
        return with_numbers(as_examples(given, None, name="y"))
    if named is not None:
        return with_classes(as_examples(given, name="y", like=_classes(said, named)))
    if said.have_fractions and task is None:
        return _beside_fractions(given)
    are_classes = said.are_outputs or task == CLASSES
    read = as_examples(given, ASK, name="y", are_classes=are_classes)
    if said.are_outputs:
        return _with_columns(with_classes(read), said.values.shape[2])
    return with_numbers(read) if read.classes is None else with_classes(read)


def _beside_fractions(given: tuple[np.ndarray, Any]) -> Examples:
    """Return targets: what models answer with fractions is no label of theirs.

    Raises:
        DataError: labels that are words, or two numbers, of which a fraction may be a probability.
    """
    y = np.asarray(given[1])
    is_number = y.dtype.kind in "biuf"
    if is_number and (len(np.unique(y)) > 2 or (y != np.round(y)).any()):
        return with_numbers(as_examples(given, None, name="y"))
    raise DataError(
        "predictions [K, n] are fractions, and y are classes",
        got=f"y of {len(set(y.tolist()))} different values, such as {y[0]!r}",
        allowed="labels; or [K, n, classes]; or targets in y",
        remedy="probabilities p of the second class: np.stack([1 - p, p], axis=2); "
        "task='numbers' for regression",
    )


def rows_of(y: Any, n: int, name: str) -> tuple[np.ndarray, Any]:
    """Return n labels beside inputs that nobody looks at.

    Raises:
        DataError: another number of labels.
    """
    try:
        length = n_rows(y)
    except (TypeError, IndexError):
        length = 0
    if length != n:
        raise DataError(
            f"predictions and {name} are not of the same rows",
            got=f"{n} and {length}",
            remedy=f"models are the first axis of predictions, rows the second; {name} is [n]",
        )
    return np.zeros((n, 1)), y


def _classes(said: GivenPredictions, named: Sequence[Any]) -> Examples:
    """Return an example of the classes that were named."""
    names = np.array(list(named))
    width = said.values.shape[2] if said.are_outputs else len(names)
    if names.shape != (width,) or len(set(names.tolist())) != width:
        raise DataError(
            "classes do not name every column once",
            got=", ".join(map(str, list(named)[:20])),
            allowed=f"{width} names",
        )
    return Examples(np.empty((1, 1)), np.zeros(1, np.int64), names, name="classes")


def _with_columns(read: Examples, n_columns: int) -> Examples:
    """Return examples with a class for each column."""
    assert read.classes is not None
    if len(read.classes) == n_columns:
        return read
    if read.classes.dtype.kind in "iuf" and set(read.classes.tolist()) <= set(range(n_columns)):
        labels = read.given_labels().astype(np.int64)
        return replace(read, labels=labels, classes=np.arange(n_columns))
    raise DataError(
        "predictions have not a column for each class of y",
        got=f"{n_columns} columns, {len(read.classes)} classes",
        allowed="as many; or labels 0 ... columns - 1",
        remedy="name the columns in their order: classes=estimator.classes_",
    )
