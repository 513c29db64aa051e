"""What a model answered about rows: as an array, in which form, with which names of columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from overparam.data.arrays import as_array, refuse_masked
from overparam.data.examples import Examples
from overparam.data.rows import is_sparse, is_table
from overparam.data.tables import names_of
from overparam.errors import UsageError

SUM_TOLERANCE = 1e-3  # of the sum of a row of probabilities


def array_of(given: Any) -> np.ndarray:
    """Return what a model answered as an array.

    Raises:
        DataError: some of it is masked.
    """
    refuse_masked("predictions", given)
    if isinstance(given, Tensor):
        return as_array("predictions", given)
    if is_table(given) or hasattr(given, "to_numpy"):
        return np.asarray(given.to_numpy())
    return given.toarray() if is_sparse(given) else np.asarray(given)


def form_of(model: Any, examples: Examples, name: str) -> str:
    """Return the form of the outputs of a fitted estimator.

    Raises:
        UsageError: it cannot be asked.
    """
    if examples.classes is None and hasattr(model, "predict"):
        return "targets"
    for form, method in {
        "probabilities": "predict_proba",
        "decision values": "decision_function",
        "labels": "predict",
    }.items():
        if examples.classes is not None and hasattr(model, method):
            return form
    raise UsageError(
        f"{name} cannot be asked for predictions",
        allowed="an estimator with predict_proba, decision_function or predict",
        remedy="end the pipeline with a classifier or a regressor",
    )


def form_of_outputs(given: Any, classes: np.ndarray | None) -> str:
    """Return the form of what a function of the user's answered for some rows."""
    if classes is None:
        return "targets"
    found = array_of(given)
    if found.ndim == 1 or (found.ndim == 2 and found.shape[1] == 1):
        return "labels"
    return "probabilities" if sum_to_one(found) else "decision values"


def sum_to_one(scores: np.ndarray) -> bool:
    """Whether all rows hold probabilities."""
    if scores.ndim != 2 or scores.dtype.kind not in "fiub" or (scores < 0).any():
        return False
    return bool((np.abs(scores.sum(1) - 1) < SUM_TOLERANCE).all())


def columns_by_name(given: Any, classes: np.ndarray, name: str) -> np.ndarray | None:
    """Return the position in `classes` of each column of a table; None where it has no names.

    Columns that are numbered from 0 have none: so tables of pandas are numbered by themselves.

    Raises:
        UsageError: names that are not those of classes, each once.
    """
    names = names_of(given) if is_table(given) else []
    if len(names) < 2 or names == list(range(len(names))):
        return None
    known: dict[Any, int] = {str(label): i for i, label in enumerate(classes.tolist())}
    known |= {label: i for i, label in enumerate(classes.tolist())}
    found = [known[column] for column in names if column in known]
    if len(set(found)) < len(names):
        raise UsageError(
            f"{name} returns a table whose columns are not named by the classes",
            got=", ".join(map(str, names[:20])),
            allowed=", ".join(map(str, classes[:20])),
            remedy="name each column by its class, or return its .to_numpy() with the columns in "
            "the order of the classes",
        )
    return np.array(found, np.int64)
