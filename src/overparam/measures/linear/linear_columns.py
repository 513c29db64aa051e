"""The matrix that a linear model multiplies its coefficients with, and the names of its columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.data.table_columns import read_columns
from overparam.errors import DataError, UsageError

INTERCEPT = "(intercept)"
_MOST_ENTRIES = 2**28  # of a sparse matrix that is made dense: 2 GiB
_NAMED_AT_MOST = 5
_SMALLEST = 1e-140  # largest entry of a column
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class NamedDesign:
    """Finite float64 rows `[n, p]`, the names of their columns, and whether there is a constant."""

    rows: np.ndarray
    names: tuple[str, ...]
    fit_intercept: bool


def read_design(
    features: Any,
    model: Any,
    fit_intercept: bool | None,
    names: Sequence[str] | None,
    tolerance: float | None,
) -> NamedDesign:
    """Return a checked design; arguments and errors are those of `identify_coefficients`."""
    if tolerance is not None:
        check_range("tolerance", tolerance, 0)
    n_coefficients = None
    if model is not None:
        features, names, fit_intercept, n_coefficients = _of_model(
            features, model, names, fit_intercept
        )
    rows, own = _numbers(features)
    found = own if names is None else tuple(map(str, names))
    repeated = [name for name, count in Counter(found).items() if count > 1]
    if len(found) != rows.shape[1] or repeated or INTERCEPT in found:
        raise DataError(
            "names do not tell the columns apart",
            got=f"{len(found)} names, {', '.join(map(repr, repeated[:_NAMED_AT_MOST]))}",
            allowed=f"{rows.shape[1]} that differ, none of them {INTERCEPT!r}",
        )
    if n_coefficients not in (None, rows.shape[1]):
        raise DataError(
            "the model has another number of coefficients than there are columns",
            got=rows.shape[1],
            allowed=n_coefficients,
        )
    return NamedDesign(rows, found, bool(fit_intercept))


@dataclass(frozen=True, eq=False)
class ScaledColumns:
    """Columns divided by powers of two.

    Attributes:
        rows: `[n, p]`, centred where there is an intercept; one that is constant is 0.
        lengths: `[p]`, what columns were divided by.
        removed: largest length of a column over its length once centred: how much larger the
            rounding of its entries has become.
    """

    rows: np.ndarray
    lengths: np.ndarray
    removed: float


def scaled_columns(of: NamedDesign) -> ScaledColumns:
    """Return columns of lengths near 1, which keeps rank and row space whatever their units."""
    size = np.abs(of.rows).max(0)
    unit = _power_of_two(size)  # so that no square overflows or vanishes
    x = of.rows / unit
    centred = x
    if of.fit_intercept:
        centred = x - x.mean(0)
        centred -= centred.mean(0)  # what rounding of a large mean has left
    before, after = np.linalg.norm(x, axis=0), np.linalg.norm(centred, axis=0)
    constant = after <= 4 * len(x) * _EPSILON * before
    centred[:, constant], after[constant] = 0.0, 0.0
    lengths = _power_of_two(after)
    lost = np.where(constant, 0.0, before / np.where(constant, 1.0, after))
    return ScaledColumns(centred / lengths, unit * lengths, float(lost.max(initial=0.0)))


def _power_of_two(sizes: np.ndarray) -> np.ndarray:
    return np.ldexp(1.0, np.frexp(np.where(sizes > 0, sizes, 1.0))[1] - 1)


def _numbers(features: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    if hasattr(features, "tocsc") and np.prod(features.shape, dtype=float) > _MOST_ENTRIES:
        raise DataError(
            "the sparse matrix is too large to be made dense",
            got=list(features.shape),
            allowed=f"up to {_MOST_ENTRIES:,} entries",
            remedy="take some of its rows or columns",
        )
    columns = read_columns(features)
    words = [column.name for column in columns if column.kind != "number"]
    if words:
        raise DataError(
            "a linear model takes numbers, and these columns hold words or dates",
            got=", ".join(map(repr, words[:_NAMED_AT_MOST])),
            remedy="encode them, or give the fitted pipeline that does as model",
        )
    merged = [column.name for column in columns if column.levels]
    if merged:
        raise DataError(
            "features hold different numbers that float64 would merge",
            got=f"in {', '.join(map(repr, merged[:_NAMED_AT_MOST]))}",
            remedy="subtract what they have in common, or leave them out",
        )
    bad = [column.name for column in columns if not np.isfinite(column.values).all()]
    if bad:
        raise DataError(
            "features hold NaN or infinity",
            got=f"in {', '.join(map(repr, bad[:_NAMED_AT_MOST]))}",
            remedy="drop or impute these rows",
        )
    rows = np.stack([c.values for c in columns], axis=1)
    sizes = np.abs(rows).max(0)
    extreme = ~can_be_multiplied(sizes)
    if extreme.any():
        raise DataError(
            "columns are so large or so small that products of two would be infinite or 0",
            got=f"{columns[int(extreme.argmax())].name!r}, up to {sizes[extreme][0]:.3g}",
            allowed=f"largest entries of {_SMALLEST:g} to {1 / _SMALLEST:g}",
            remedy="use other units",
        )
    return rows, tuple(column.name for column in columns)


def can_be_multiplied(sizes: np.ndarray) -> np.ndarray:
    """Whether products of two numbers of these sizes are neither infinite nor 0 by rounding."""
    return (sizes == 0) | ((sizes >= _SMALLEST) & (sizes <= 1 / _SMALLEST))


def _of_model(
    features: Any, model: Any, names: Sequence[str] | None, fit_intercept: bool | None
) -> tuple[Any, Sequence[str] | None, bool, int]:
    """Return what reaches the linear step, its names, its intercept and its number of columns."""
    steps = [step for _, step in getattr(model, "steps", [("", model)])]
    last = steps[-1]
    if not hasattr(last, "coef_"):
        fitted = "not fitted, or not linear" if hasattr(last, "fit") else "no model"
        raise UsageError(
            "this is no fitted linear model",
            got=f"{type(last).__name__}, {fitted}",
            allowed="one with coef_, or a pipeline that ends in one",
            remedy="fit it first",
        )
    if len(steps) > 1:
        features = _transformed(model[:-1], features)
        if names is None:
            names = _names_after(model[:-1])
    coefficients = last.coef_
    n_columns = int(np.shape(coefficients)[-1])
    own = bool(getattr(last, "fit_intercept", False))
    return features, names, own if fit_intercept is None else fit_intercept, n_columns


def _transformed(steps: Any, features: Any) -> Any:
    try:
        return steps.transform(features)
    except Exception as error:
        raise DataError(
            "the pipeline cannot transform these features",
            got=f"{type(error).__name__}: {error}",
            remedy="give rows of the kind that it was fitted to",
        ) from error


def _names_after(steps: Any) -> Sequence[str] | None:
    try:
        return [str(name) for name in steps.get_feature_names_out()]
    except Exception:  # a step that has no names: positions, then
        return None
