"""Predictions of K models as people have them: what was said, of which rows, in which form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from overparam.data.arrays import refuse_masked
from overparam.data.rows import is_table
from overparam.data.tables import names_of
from overparam.errors import DataError
from overparam.measures.checked_arrays import as_array

SUM_TOLERANCE = 0.01  # of probabilities, which may have been kept in half precision
_SHAPES = "[K, n, classes] outputs, or [K, n] labels or numbers"
_GAPS = "NaN, or None, stands for what a model does not say"


@dataclass(frozen=True, eq=False)
class GivenPredictions:
    """What K models say of n rows.

    Attributes:
        values: `[K, n, classes]` numbers; or `[K, n]` labels or numbers.
        known: bool `[K, n]`, the model says something of the row.
        names: of the columns, where they came as tables; else None.
    """

    values: np.ndarray
    known: np.ndarray
    names: list[Any] | None = None

    @property
    def are_outputs(self) -> bool:
        """Whether there is a column for each class."""
        return self.values.ndim == 3

    @property
    def have_fractions(self) -> bool:
        """Whether they are numbers `[K, n]` that no label is."""
        if self.are_outputs or self.values.dtype.kind != "f":
            return False
        return any(bool((v != v.round()).any()) for v in self.each())

    def each(self) -> list[np.ndarray]:
        """Return what each model says of the rows that it knows."""
        return [v[known] for v, known in zip(self.values, self.known, strict=True)]

    def form(self) -> str:
        """Return ``probabilities``, or ``logits`` where outputs are none.

        Raises:
            DataError: all lie in [0, 1] and rows do not sum to 1, so that they are neither.
        """
        low, high, off = np.inf, -np.inf, 0.0
        for said in self.each():
            if len(said):
                rows = said.astype(np.float64)
                low, high = min(low, float(rows.min())), max(high, float(rows.max()))
                off = max(off, float(np.abs(rows.sum(1) - 1).max()))
        if low < -SUM_TOLERANCE or high > 1 + SUM_TOLERANCE:
            return "logits"
        if off > SUM_TOLERANCE:
            raise DataError(
                "predictions are neither probabilities nor logits: all lie in [0, 1], and rows do "
                "not sum to 1",
                got=f"sums that are off by up to {off:.3g}",
                allowed=f"rows that sum to 1 within {SUM_TOLERANCE}, or logits",
                remedy="divide each row by its sum, if they are shares of one whole",
            )
        return "probabilities"


def read_predictions(name: str, given: Any, classes: Sequence[Any] | None) -> GivenPredictions:
    """Return predictions in any of the usual forms.

    Args:
        name: for messages. given: an array, tensor or nested list, or a list of K arrays, tensors
            or tables, whose columns are named by the classes. classes: the order of the columns.

    Raises:
        DataError: another shape, no numbers where they must be, infinity, masked values, or tables
            of other columns.
    """
    refuse_masked(name, given)
    names = None
    if isinstance(given, list | tuple) and given and is_table(given[0]):
        given, names = _of_tables(name, given, classes)
    elif isinstance(given, list | tuple) and given and isinstance(given[0], torch.Tensor):
        given = [as_array(one) for one in given]
    try:
        held = as_array(given)
    except (TypeError, ValueError):  # ragged lists
        held = np.empty(0)
    if held.ndim == 3 and held.shape[2] == 1:  # as of a network of one output
        held = held[:, :, 0]
    if held.ndim not in (2, 3) or 0 in held.shape:
        raise DataError(
            f"{name} have a wrong shape", got=list(held.shape), allowed=_SHAPES, remedy=_GAPS
        )
    held = _numbers_if_such(held)
    if held.ndim == 3 and held.dtype.kind not in "biuf":
        raise DataError(f"{name} hold no numbers", got=held.dtype, allowed=_SHAPES, remedy=_GAPS)
    missing = [_is_missing(of_model).reshape(held.shape[1], -1).any(1) for of_model in held]
    found = GivenPredictions(held, ~np.array(missing), names)
    if not found.known.any():
        raise DataError(f"{name} hold nothing but missing values", got=list(held.shape))
    _refuse_infinity(name, found)
    return found


def _of_tables(
    name: str, tables: Sequence[Any], classes: Sequence[Any] | None
) -> tuple[list[np.ndarray], list[Any] | None]:
    """Return tables as arrays of one order of columns, and its names; numbers from 0 are none."""
    first = names_of(tables[0])
    order = list(classes) if classes is not None and first != list(range(len(first))) else first
    for table in tables:
        if sorted(map(repr, names_of(table))) != sorted(map(repr, order)):
            raise DataError(
                f"{name} are tables of other columns",
                got=", ".join(map(str, names_of(table)[:20])),
                allowed=", ".join(map(str, order[:20])),
                remedy="name the columns of each by the classes",
            )
    places = [[names_of(table).index(column) for column in order] for table in tables]
    arrays = [as_array(table)[:, place] for table, place in zip(tables, places, strict=True)]
    return arrays, None if order == list(range(len(order))) else order


def _numbers_if_such(held: np.ndarray) -> np.ndarray:
    """Return objects that are numbers, or None, as floats with NaN; else what was given."""
    if held.dtype.kind != "O" or any(isinstance(v, str) for v in held.ravel()):
        return held
    try:
        return held.astype(np.float64)
    except (TypeError, ValueError):  # such as pandas' own missing values
        return held


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(values.shape, bool)
    missing = [
        v is None or (isinstance(v, float) and v != v) or type(v).__name__ in ("NAType", "NaTType")
        for v in values.ravel()  # pandas' own are known by name, as it is not needed here
    ]
    return np.array(missing, bool).reshape(values.shape)


def _refuse_infinity(name: str, found: GivenPredictions) -> None:
    """Refuse infinity; but -inf in outputs, which a class has that a model does not know."""
    for number, said in enumerate(found.each()):
        if said.dtype.kind != "f" or not np.isinf(said).any():
            continue
        if found.are_outputs and not np.isposinf(said).any() and np.isfinite(said).any(1).all():
            continue
        raise DataError(
            f"{name} hold infinity",
            got=f"{int(np.isinf(said).sum())} values of model {number}",
            allowed="finite numbers, and in outputs -inf for a class that a model does not know",
            remedy=_GAPS,
        )
