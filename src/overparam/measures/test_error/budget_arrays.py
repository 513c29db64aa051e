"""What `estimate_error_budget` is given, checked once: classes as columns, rows that count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.data.tables import by_row, check_same_rows
from overparam.errors import DataError, UsageError
from overparam.measures.checked_arrays import as_array as _plain
from overparam.measures.subset_arrays import (
    as_array,
    as_groups,
    check_probabilities,
    check_squares,
    read_masks,
)


@dataclass(frozen=True)
class BudgetArrays:
    """Outputs of K models on n rows, and what they should have been.

    Attributes:
        outputs: `[K, n]` int64 columns (-1 where not known), `[K, n]` real, or `[K, n, classes]`.
        counts: bool `[K, n]`, the model says something of the row, and was not trained on it.
        targets: `[n]` float64 where real; else empty. columns: int64 `[n]`, each row's own class
            (0 where targets are real). width: classes, or 1.
        truth: `[n, classes]` or None. inputs: int64 `[n]`, the number of each row's input.
        is_labels, is_real: what outputs are; else they are probabilities.
    """

    outputs: np.ndarray
    counts: np.ndarray
    targets: np.ndarray
    columns: np.ndarray
    width: int
    truth: np.ndarray | None
    inputs: np.ndarray
    is_labels: bool
    is_real: bool

    def read(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what is averaged, `[K, rows, width]` float64, and which of it counts."""
        some, counts = self.outputs[:, rows], self.counts[:, rows]
        if self.is_labels:
            return (some[:, :, None] == np.arange(self.width)).astype(np.float64), counts
        values = some.astype(np.float64).reshape(*some.shape[:2], self.width)
        return np.where(counts[:, :, None], values, 0.0), counts


def read_budget_arrays(
    outputs: Any, targets: Any, loss: str, classes: Any, in_subset: Any, truth: Any, inputs: Any
) -> BudgetArrays:
    """Return what was given as `BudgetArrays`.

    Raises:
        DataError, UsageError: as in `estimate_error_budget`.
    """
    of_models = {"outputs": by_row(outputs), "in_subset": by_row(in_subset)}
    check_same_rows({**of_models, "targets": targets, "truth": truth, "inputs": inputs})
    said = _read_any("outputs", outputs)
    if said.ndim not in (2, 3) or 0 in said.shape:
        raise DataError(
            "outputs have a wrong shape",
            got=list(said.shape),
            allowed="[K, n] classes or numbers, or [K, n, classes] probabilities, none of them 0",
        )
    n = said.shape[1]
    given = _read_any("targets", targets)
    if given.shape != (n,):
        raise DataError("targets are not of the same rows", got=list(given.shape), allowed=[n])
    if _is_missing(given).any():
        raise DataError(
            "targets hold missing values",
            got=int(_is_missing(given).sum()),
            remedy="leave these rows out",
        )
    counts = ~_is_missing(said) if said.ndim == 2 else ~np.isnan(_numbers(said)).any(2)
    if in_subset is not None:
        masks = as_array("in_subset", in_subset)
        if masks.shape != counts.shape:
            raise DataError(
                "in_subset and outputs are not of the same models and rows",
                got=f"{list(masks.shape)} and {list(said.shape)}",
            )
        counts &= ~read_masks(masks, slice(None))
    is_real = said.ndim == 2 and loss == "squared"
    if said.ndim == 2 and loss == "log":
        raise DataError("log loss is of probabilities", got="[K, n]", allowed="[K, n, classes]")
    groups = as_groups("inputs", inputs, n)
    if is_real:
        if truth is not None:
            raise UsageError("truth is of classes, and these targets are numbers", got=loss)
        values, y = _numbers(said), _numbers(given).astype(np.float64)
        check_squares("outputs or targets", values)
        check_squares("outputs or targets", y)
        return BudgetArrays(values, counts, y, np.zeros(n, np.int64), 1, None, groups, False, True)
    if said.ndim == 2:
        if classes is None:
            names = _names(np.concatenate([said[counts], given]))
        else:
            names = _columns(classes, _read_any("classes", classes).size)
        found = np.full(said.shape, -1)
        found[counts] = _numbered("outputs are none of the classes", said[counts], names)
        if counts.any() and not np.isin(said[counts], given).any():
            raise DataError(
                "no model ever answers with a class that a target is of",
                got=f"{names[found[counts][0]]!r} and {given[0]!r}",
                remedy="give predictions and targets in the same names",
            )
    else:
        found = _numbers(said)
        check_probabilities(found.astype(np.float64))
        names = _columns(classes, said.shape[2])
    width = len(names)
    if width < 2:
        raise DataError(
            "one class has no errors",
            got=f"{width} class",
            remedy="where rows happen to be of one class, name all: classes=[0, 1]",
        )
    columns = _numbered("targets are none of the classes", given, names)
    right = None if truth is None else _truth(truth, columns, width)
    return BudgetArrays(
        found, counts, np.empty(0), columns, width, right, groups, said.ndim == 2, False
    )


def _read_any(name: str, values: Any) -> np.ndarray:
    try:
        return _plain(values)
    except (TypeError, ValueError) as error:  # ragged lists
        raise DataError(f"{name} are no array", got=type(values).__name__) from error


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(values.shape, bool)
    flat = [
        v is None or (isinstance(v, float) and v != v) or type(v).__name__ in ("NAType", "NaTType")
        for v in values.ravel().tolist()  # pandas' own are known by name, as it is not needed here
    ]
    return np.array(flat, bool).reshape(values.shape)


def _numbers(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind in "biuf":
        return values
    raise DataError("outputs or targets are no numbers", got=f"dtype {values.dtype}")


def _names(values: np.ndarray) -> np.ndarray:
    try:
        return np.unique(values)
    except TypeError as error:
        raise DataError(
            "classes are of several types", got="numbers and strings", remedy="give all as strings"
        ) from error


def _columns(classes: Any, n_columns: int) -> np.ndarray:
    if classes is None:
        return np.arange(n_columns)
    names = _read_any("classes", classes)
    if names.shape != (n_columns,) or len(set(names.tolist())) != n_columns:
        raise DataError(
            "classes do not name every column once", got=list(names.shape), allowed=[n_columns]
        )
    return names


def _numbered(problem: str, values: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return the column of each class; raises DataError where one has none."""
    places = {name: i for i, name in enumerate(names.tolist())}
    different, of_value = np.unique(values, return_inverse=True)
    columns = np.array([places.get(value, -1) for value in different.tolist()], np.int64)
    if (columns < 0).any():
        raise DataError(
            problem,
            got=repr(different[columns < 0][0]),
            allowed=", ".join(map(repr, names[:10].tolist())),
            remedy="name all of them: classes=estimator.classes_",
        )
    return columns[of_value]


def _truth(truth: Any, columns: np.ndarray, width: int) -> np.ndarray:
    """Return how probable each class is to be the right one, `[n, classes]`."""
    given = as_array("truth", truth, (1, 2)).astype(np.float64)
    if given.ndim == 1 and width > 2:
        raise DataError(
            "which class is right instead of a wrong label is not told by one number",
            got=f"{width} classes, truth [n]",
            allowed="truth [n, classes]",
        )
    if given.shape not in ((len(columns),), (len(columns), width)):
        raise DataError(
            "truth is not of the same rows and classes",
            got=list(given.shape),
            allowed=f"{[len(columns)]} or {[len(columns), width]}",
        )
    if np.isnan(given).any():
        raise DataError("truth holds NaN", remedy="1 for the label, where nothing is known")
    check_probabilities(given[None])
    if given.ndim == 2:
        return given / given.sum(1, keepdims=True)
    own = np.eye(2)[columns]
    return own * (1 - given)[:, None] + (1 - own) * given[:, None]
