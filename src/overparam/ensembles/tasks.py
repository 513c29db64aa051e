"""Which task the labels of an ensemble pose: classes, or one number for each row."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor

from overparam.checks import check_choice
from overparam.data.examples import Examples, as_examples
from overparam.data.labels import ASK
from overparam.ensembles.learners import is_estimator
from overparam.errors import DataError, UsageError

CLASSES, NUMBERS = TASKS = ("classes", "numbers")


def read_examples(model: Any, X: Any, y: Any = None, task: str | None = None) -> Examples:
    """Return the data of an ensemble, with what its models are to learn.

    Args:
        model: a classifier or a regressor tells the task, where it is not given; else labels do, as
            `as_examples` has it. X, y, task: as in `subset_ensemble`.

    Raises:
        UsageError: no such task, or data that are of the other one already. DataError: labels of
        which no ensemble can be made, or what `as_examples` refuses.
    """
    if task is not None:
        check_choice("task", task, TASKS)
    wanted = task or _task_of(model)
    data = X if y is None else (X, y)
    read = as_examples(data, None if wanted == NUMBERS else ASK, are_classes=wanted == CLASSES)
    if wanted == NUMBERS and read.classes is not None:
        raise UsageError(
            "these examples are of classes already",
            got=f"{read!r} for a task of numbers",
            remedy="give (X, y) as they came, or as_examples(data, n_classes=None)",
        )
    return (
        with_classes(read) if wanted == CLASSES or read.classes is not None else with_numbers(read)
    )


def with_classes(examples: Examples) -> Examples:
    """Return examples of two classes at least.

    Raises:
        DataError: floating targets, or one class.
    """
    if examples.classes is None:
        raise DataError(
            "labels are targets of regression, which have no right and wrong",
            allowed="classes",
            remedy="numbers that are classes are given as integers",
        )
    if len(np.unique(examples.labels)) < 2:
        raise DataError(
            "all labels are of one class, so every model is right on every row",
            got=f"{len(examples)} rows",
            allowed="at least two classes",
        )
    return examples


def with_numbers(examples: Examples) -> Examples:
    """Return examples of one target for each row.

    Raises:
        DataError: several, or targets that are all alike.
    """
    if examples.n_outputs != 1:
        raise DataError(
            "an ensemble is asked about one target for each row",
            got=[len(examples), examples.n_outputs],
            allowed="[n]",
            remedy="make an ensemble for each: y[:, 0], and so on",
        )
    if not float(examples.labels.std()) > 0:
        raise DataError(
            "all targets are alike, so there is nothing to learn",
            got=f"{examples.labels[0, 0]:g} in {len(examples)} rows",
            allowed="at least two values",
        )
    return examples


def _task_of(model: Any) -> str | None:
    """Return the task that an estimator is for; None where it does not say, and of others."""
    if not is_estimator(model):
        return None
    return NUMBERS if is_regressor(model) else CLASSES if is_classifier(model) else None
