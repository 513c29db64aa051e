"""Which class each column of an estimator's outputs is of.

A table names its columns, or the estimator has `classes_`. Where there is neither, what it predicts
must show it; and where there is, its predictions may say that it is wrong.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from overparam.errors import UsageError
from overparam.training.answers import array_of, columns_by_name
from overparam.training.fitted_estimator import FittedEstimator

_AT_ODDS = 0.5  # of rows, above which outputs and predictions are said to contradict each other


def with_known_order(fitted: FittedEstimator, inputs: Any, seen: np.ndarray) -> FittedEstimator:
    """Return an estimator of classes with the order of its columns known, or with a note of doubt.

    Args:
        inputs: some rows that it was fitted to. seen: positions of the classes of all of them.

    Raises:
        UsageError: which column is of which class cannot be told.

    Cost: that of two answers about these rows.
    """
    if fitted.form not in ("probabilities", "decision values") or fitted.names_the_largest:
        return fitted
    assert fitted.classes is not None
    answer = fitted.answer(inputs)
    by_name = columns_by_name(answer, fitted.classes, fitted.name) is not None
    can_predict = hasattr(fitted.model, "predict")
    if by_name or getattr(fitted.model, "classes_", None) is not None:
        return _with_doubt(fitted, inputs) if can_predict else fitted
    shape = array_of(answer).shape
    columns = seen if (shape[1] if len(shape) == 2 else 2) == len(seen) else _all(fitted)
    outputs = np.asarray(replace(fitted, order=columns).outputs(inputs))
    named = fitted.chosen(inputs, outputs) if can_predict else None
    order = None if named is None else shown_order(outputs[:, columns], named, columns)
    if order is None:
        raise UsageError(
            f"which column of the outputs of {fitted.name} is of which class cannot be told",
            got="no classes_, and "
            + ("predictions that do not show it" if can_predict else "no predict"),
            remedy="set self.classes_ in fit to the classes in the order of the columns, such as "
            "np.unique(y), or return a DataFrame whose columns are named by the classes",
        )
    return replace(fitted, order=order)


def _all(fitted: FittedEstimator) -> np.ndarray:
    return np.arange(fitted.n_outputs)


def _with_doubt(fitted: FittedEstimator, inputs: Any) -> FittedEstimator:
    outputs = np.asarray(fitted.outputs(inputs))
    named = fitted.chosen(inputs, outputs)
    apart = float((outputs[np.arange(len(named)), named] < outputs.max(1)).mean())
    shown = shown_order(outputs, named, _all(fitted))
    in_another = shown is not None and (shown != _all(fitted)).any()
    if apart <= _AT_ODDS and not in_another:
        return fitted
    note = (
        f"{fitted.name} predicts other classes than those of its largest outputs, by a threshold "
        "of its own or since their columns are in another order than its classes_"
    )
    return replace(fitted, notes=(*fitted.notes, note))


def shown_order(scores: np.ndarray, named: np.ndarray, seen: np.ndarray) -> np.ndarray | None:
    """Return which class each column must be of, by the classes that the model itself names.

    A column is of the class that is named wherever it is the largest. Columns that nowhere are take
    the classes that are left: the last one, or several in rising order if the others rise too.

    Args:
        scores: `[n, c]`. named: int64 `[n]`, the class that is named. seen: `[c]`, the classes,
            rising.

    Returns:
        Int64 `[c]`; None where that shows no order.

    >>> shown_order(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([1, 0]), np.array([0, 1]))
    array([1, 0])
    """
    is_largest = scores == scores.max(1, keepdims=True)
    clear = is_largest.sum(1) == 1  # of columns that tie, either may be named
    pairs = np.unique(np.stack([scores.argmax(1), named], 1)[clear], axis=0)
    columns, classes = pairs.T
    rest = np.setdiff1d(seen, classes)
    several = len(set(columns)) < len(pairs) or len(set(classes)) < len(pairs)
    if several or len(rest) + len(pairs) != len(seen):
        return None
    if len(rest) > 1 and (classes != seen[columns]).any():
        return None
    order = np.full(len(seen), -1, np.int64)
    order[columns] = classes
    order[order < 0] = rest
    return order
