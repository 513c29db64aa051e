"""Minimum-norm least squares, in place of the inverse of a matrix that has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.data.tables import check_rows
from overparam.measures.leave_one_out import (
    LeaveOneOut,
    checked_targets,
    leave_one_out_minimum_norm,
)
from overparam.measures.linear.linear_columns import read_design, scaled_columns
from overparam.measures.linear.linear_design import LinearDesign, identify_coefficients


@dataclass(frozen=True, eq=False)
class MinimumNorm:
    """The least-squares solution of least length.

    Attributes:
        names: of the columns. coefficients: `[p, k]`, in units of targets per unit of the column.
        intercept: `[k]`, 0 without one. leave_one_out: of the same model, exactly.
        design: what is known of the coefficients.
    """

    names: tuple[str, ...]
    coefficients: np.ndarray
    intercept: np.ndarray
    leave_one_out: LeaveOneOut
    design: LinearDesign


def minimum_norm_solution(
    features: Any,
    targets: Any,
    *,
    model: Any = None,
    fit_intercept: bool | None = None,
    names: Sequence[str] | None = None,
) -> MinimumNorm:
    """Return the least-squares coefficients of least length, in place of an inverse of X'X.

    argmin |b| over all b that minimize |y - X b|; the intercept does not count for the length.
    Identified coefficients are those of every least-squares solution; of the others it is one
    choice, that depends on the columns' units.

    Args:
        features, model, fit_intercept, names: as in `identify_coefficients`.
        targets: `[n]` or `[n, k]`.

    Returns:
        `MinimumNorm`, with leave-one-out predictions by `leave_one_out_minimum_norm`.

    Raises:
        DataError: as `identify_coefficients`, or targets that do not fit, or have the features'
            index in another order.

    Cost: that of `identify_coefficients` and of one more decomposition.

    >>> found = minimum_norm_solution([[1.0, 1.0], [2.0, 2.0]], [2.0, 4.0])
    >>> found.coefficients[:, 0].round(12).tolist(), found.design.not_identified
    ([1.0, 1.0], ('0', '1'))
    """
    check_rows(features, targets, "targets", "features")
    of = read_design(features, model, fit_intercept, names, None)
    y = checked_targets(targets, len(of.rows))
    design = identify_coefficients(of.rows, fit_intercept=of.fit_intercept, names=of.names)
    scaled = scaled_columns(of)
    left, s, right = np.linalg.svd(scaled.rows, full_matrices=False)
    left, s, right = left[:, : design.rank], s[: design.rank], right[: design.rank].T
    middle = y.mean(0) if of.fit_intercept else np.zeros(y.shape[1])
    some = right @ ((left.T @ (y - middle)) / s[:, None]) / scaled.lengths[:, None]
    # Of all solutions the shortest has no part outside the row space, in the columns' own units.
    basis = np.linalg.qr(right * scaled.lengths[:, None])[0]
    coefficients = basis @ (basis.T @ some)
    intercept = middle - (of.rows.mean(0) @ coefficients if of.fit_intercept else 0.0)
    return MinimumNorm(
        of.names,
        coefficients,
        intercept,
        leave_one_out_minimum_norm(of.rows, y, fit_intercept=of.fit_intercept),
        design,
    )
