"""Probabilities of classes with the labels they are held against, read once for all measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.data.tables import check_columns, check_rows, check_same_rows, column_names, names_of
from overparam.errors import DataError
from overparam.measures.row_groups import cluster_numbers, numbered
from overparam.measures.subset_arrays import as_array, check_probabilities

_FEWEST_ROWS = 2


@dataclass(frozen=True)
class PredictedRows:
    """Rows of which probabilities are known.

    Attributes:
        said: float64 `[..., n, K]`, sums 1; leading axes are models. labels: int64 `[n]`.
        group: int64 `[n]`, rows of one number vary together. classes: `[K]`, as they were given.
        n_unknown: rows left out since some model says NaN of them.
        floor: the least probability of which a logarithm is taken.
    """

    said: np.ndarray
    labels: np.ndarray
    group: np.ndarray
    classes: np.ndarray
    n_unknown: int
    floor: float

    @property
    def own(self) -> np.ndarray:
        """Probability of the row's label, `[..., n]`."""
        where = np.broadcast_to(self.labels[:, None], (*self.said.shape[:-1], 1))
        return np.take_along_axis(self.said, where, -1)[..., 0]


def read_predicted(
    probabilities: Any, labels: Any, classes: Any, groups: Any, *, n_axes: int = 2
) -> PredictedRows:
    """Return probabilities, labels and groups of rows of which all models say something.

    Args:
        probabilities: `[n, K]`, or `[n]` of the second of two classes; with n_axes = 3, of T
            models, `[T, n, K]` or `[T, n]`. Columns of a DataFrame, or of a list of T of them, may
            be called as the classes.
        labels: `[n]`, positions 0 ... K - 1, or names of classes. classes: `[K]`, the names in
            the order of the columns. groups: `[n]`, or None.

    Raises:
        DataError: shapes that do not fit, one index in two orders, no probabilities, labels that
            are no classes, classes in another order than the table's columns, one class, missing
            labels or groups, or fewer than two rows or groups that are known.
        UsageError: tables of models whose columns differ.
    """
    names = _column_names(probabilities, labels, groups, n_axes)
    held = as_array("probabilities", probabilities, (n_axes - 1, n_axes))
    floor = float(np.finfo(held.dtype if held.dtype.kind == "f" else np.float64).eps)
    said = np.array(held, np.float64)
    if said.ndim == n_axes - 1:  # of the second of two classes
        check_probabilities(said.reshape(1, -1))
        said = np.stack([1 - said, said], axis=-1)
    if said.shape[-1] < 2:
        raise DataError(
            "one class leaves nothing to predict",
            got=f"probabilities {list(held.shape)}",
            allowed="at least two columns",
            remedy="of two classes, give [n, 2], or [n] of the second class",
        )
    check_probabilities(said.reshape(-1, *said.shape[-2:]))
    n, n_classes = said.shape[-2:]
    given, number_of = numbered("labels", labels, n)
    known_names = _class_names(classes, names, given.tolist(), n_classes)
    numbers = _positions(given.tolist(), known_names)[number_of]
    group = cluster_numbers(groups, n)
    known = ~np.isnan(said).any(axis=tuple(i for i in range(said.ndim) if i != said.ndim - 2))
    if len(np.unique(group[known])) < _FEWEST_ROWS:
        raise DataError(
            "too few rows of which something is known",
            got=f"{int(known.sum())} of {n} rows, {len(np.unique(group[known]))} independent",
            allowed=f">= {_FEWEST_ROWS}",
        )
    said = np.clip(said[..., known, :], 0.0, 1.0)
    return PredictedRows(
        said / said.sum(-1, keepdims=True),
        numbers[known],
        np.unique(group[known], return_inverse=True)[1],
        known_names,
        int((~known).sum()),
        floor,
    )


def _column_names(probabilities: Any, labels: Any, groups: Any, n_axes: int) -> list[Any]:
    """Return what the table, or all tables of models, call their columns; nothing of no table."""
    is_list = n_axes == 3 and isinstance(probabilities, list | tuple)
    tables = probabilities if is_list else [probabilities]
    for table in tables:
        check_rows(tables[0], table, "those of another model", "probabilities")
        check_columns(table, column_names(tables[0]), "the first model")
        check_same_rows({"probabilities": table, "labels": labels, "groups": groups})
    # Of a table [T, n] the columns are rows.
    return names_of(tables[0]) if is_list or n_axes == 2 else []


def _class_names(classes: Any, columns: list[Any], given: list[Any], n_classes: int) -> np.ndarray:
    """Return what the columns are called: as the user says, as a table does, or by position."""
    if classes is None:
        return np.array(columns) if set(given) <= set(columns) else np.arange(n_classes)
    held = np.asarray(classes.to_numpy() if hasattr(classes, "to_numpy") else classes)
    if held.shape != (n_classes,) or len(set(held.tolist())) != n_classes:
        raise DataError(
            "classes must name each column of the probabilities once",
            got=f"{list(held.shape)}: {held.reshape(-1).tolist()[:5]}",
            allowed=f"{n_classes} names, in the order of the columns",
            remedy="give estimator.classes_",
        )
    if set(held.tolist()) == set(columns) and held.tolist() != columns:
        raise DataError(
            "classes are in another order than the columns that are called so",
            got=f"{held.tolist()[:5]}, columns {columns[:5]}",
            remedy="leave classes out, or give probabilities.to_numpy() where columns are misnamed",
        )
    return held


def _positions(given: list[Any], classes: np.ndarray) -> np.ndarray:
    """Return the columns of labels that occur, int64."""
    place = {name: i for i, name in enumerate(classes.tolist())}
    unknown = [name for name in given if name not in place]
    if unknown:
        raise DataError(
            "labels are no classes of these probabilities",
            got=unknown[0],
            allowed=", ".join(map(str, list(place)[:10])),
            remedy="give classes= in the order of the columns, such as estimator.classes_",
        )
    return np.array([place[name] for name in given], dtype=np.int64)
