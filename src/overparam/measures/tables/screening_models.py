"""Models that screen a table's columns: the user's own, or a forest; and what they predict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.data.table_columns import Column
from overparam.errors import CodeError, DataError, OverparamError, UsageError
from overparam.measures.subset_arrays import check_probabilities
from overparam.measures.tables.screened_target import Target
from overparam.streams import Streams

Predict = Callable[[Any], Any]
Fit = Callable[[Any, Any], Predict]
_N_TREES = 100


@dataclass(frozen=True, eq=False)
class Probabilities:
    """Probabilities `[n, k]` of those classes `[k]` that a model saw in training."""

    values: np.ndarray
    classes: np.ndarray


def fitting(fit: Any, table: Any, columns: Iterable[Column], task: str, seed: int) -> Any:
    """Return a function that fits, and the table of which it is given rows.

    Args:
        fit: an estimator, a function, or None for the forest, which is given encoded columns.

    Raises:
        UsageError: something that cannot be fitted.
    """
    if fit is None:
        return forest(task, seed), encoded(columns)
    if isinstance(fit, type) or not (_is_estimator(fit) or callable(fit)):
        raise UsageError(
            "this cannot be fitted",
            got=f"the class {fit.__name__}" if isinstance(fit, type) else type(fit).__name__,
            allowed="an estimator of scikit-learn, fit(rows, targets) -> predict, or None",
        )
    return (_cloning(fit) if _is_estimator(fit) else fit), table


def task_for(fit: Any, task: str | None) -> str | None:
    """Return the task, which is classes where none is given and the model is a classifier.

    Raises:
        UsageError: a classifier for numbers.
    """
    if isinstance(fit, type) or not _is_estimator(fit) or not _is_classifier(fit):
        return task
    if task == "numbers":
        raise UsageError(
            "a classifier predicts no numbers",
            got=type(fit).__name__,
            allowed="a regressor",
            remedy='give task="classes", or a regressor',
        )
    return task or "classes"


def predictions(
    train: Fit, rows: Any, targets: np.ndarray, held_out: Any, n_held_out: int, target: Target
) -> Any:
    """Return what a model fitted to some rows predicts of others, as `read_predictions` does.

    Raises:
        CodeError: the model cannot be fitted, or cannot predict. DataError: as there.
    """
    try:
        said = train(rows, targets)(held_out)
    except OverparamError:
        raise
    except Exception as error:
        raise CodeError(
            "the model cannot be fitted to a part of the rows, or cannot predict the others",
            got=f"{type(error).__name__}: {error}",
            remedy="try fit(rows, targets)(rows) by itself",
        ) from error
    return read_predictions(said, target, n_held_out)


def read_predictions(said: Any, target: Target, n_rows: int) -> np.ndarray:
    """Return probabilities `[n, K]` (of labels: 0 and 1), or ranks `[n]`.

    Ranks are the places of predicted numbers among those of the target.

    Raises:
        DataError: predictions of another shape, NaN, `[n, K]` that are no probabilities, or what is
            no class of the target, or no number.
    """
    classes = said.classes if isinstance(said, Probabilities) else target.classes
    values = _as_array(said.values if isinstance(said, Probabilities) else said)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    wide = values.ndim == 2 and values.shape[1] == len(classes) and target.n_classes > 0
    if values.shape[:1] != (n_rows,) or not (values.ndim == 1 or wide):
        of_classes = f" or [{n_rows}, {target.n_classes}]" if target.n_classes else ""
        raise DataError(
            "predictions have the wrong shape",
            got=list(values.shape),
            allowed=f"[{n_rows}]{of_classes}",
            remedy="" if target.n_classes else 'give task="classes" where these are probabilities',
        )
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise DataError("predictions hold NaN", got=f"{int(np.isnan(values).sum())} entries")
    if not target.n_classes:
        if values.dtype.kind not in "biuf":
            raise DataError(
                "predictions are no numbers",
                got=str(values[0]),
                remedy='give task="classes" where these are classes',
            )
        known, first = np.unique(target.given, return_index=True)
        return np.interp(values.astype(np.float64), known, target.ranks[first])
    if not wide:
        return np.eye(target.n_classes)[_places(_like(values, target.given), target)]
    places = _places(_like(np.asarray(classes), target.given), target)
    check_probabilities(values[None].astype(np.float64))
    found = np.zeros((n_rows, target.n_classes))
    found[:, places] = values
    return found


def _places(labels: Sequence[Any], target: Target) -> list[int]:
    """Return the number of each label's class."""
    number = {str(c): k for k, c in enumerate(target.classes)}
    unknown = [label for label in labels if str(label) not in number]
    if unknown:
        raise DataError(
            "predictions are no classes of the target",
            got=f"{unknown[0]}, one of {len(unknown)} such",
            allowed=", ".join(map(str, target.classes[:10])),
            remedy='give task="numbers" for a regressor, or a model that predicts these classes',
        )
    return [number[str(label)] for label in labels]


def _as_array(values: Any) -> np.ndarray:
    try:
        return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    except ValueError:  # ragged
        return np.empty(0, dtype=object)


def forest(task: str, seed: int) -> Fit:
    """Return a function that fits a forest of 100 trees to encoded columns."""

    def train(rows: Any, targets: Any) -> Predict:
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        kind = RandomForestClassifier if task == "classes" else RandomForestRegressor
        return _cloning(kind(_N_TREES, random_state=Streams(seed).entropy("forest") % 2**32))(
            rows, targets
        )

    return train


def encoded(columns: Iterable[Column]) -> np.ndarray:
    """Return columns as float64 `[n, p]` for trees: places of numbers, words from rare to frequent.

    What is missing lies below all.
    """
    parts = []
    for column in columns:
        different, codes, counts = np.unique(
            column.values[~column.missing], return_inverse=True, return_counts=True
        )
        order = np.arange(len(different))
        if column.kind == "word":
            order[np.argsort(counts, kind="stable")] = np.arange(len(different))
        part = np.full(len(column.values), -1.0)
        part[~column.missing] = order[codes]
        parts.append(part)
    return np.stack(parts, axis=1)


def _is_estimator(fit: Any) -> bool:
    return hasattr(fit, "fit") and hasattr(fit, "get_params")


def _is_classifier(estimator: Any) -> bool:
    if hasattr(estimator, "predict_proba"):
        return True
    from sklearn.base import is_classifier

    try:
        return bool(is_classifier(estimator))
    except AttributeError:  # one that has none of scikit-learn's tags
        return False


def _cloning(estimator: Any) -> Fit:
    def train(rows: Any, targets: Any) -> Predict:
        from sklearn.base import clone

        fitted = clone(estimator).fit(rows, targets)
        if not hasattr(fitted, "predict_proba") or not hasattr(fitted, "classes_"):
            return fitted.predict
        return lambda inputs: Probabilities(fitted.predict_proba(inputs), fitted.classes_)

    return train


def _like(labels: np.ndarray, given: np.ndarray) -> Sequence[Any]:
    """Return predicted labels in the type of the given ones: 1.0 is the class 1."""
    if given.dtype.kind not in "biuf" or labels.dtype.kind not in "biuf":
        return list(labels)
    with np.errstate(invalid="ignore"):  # numbers that no integer is
        whole = labels.astype(given.dtype)
    return [w if w == label else label for w, label in zip(whole, labels, strict=True)]
