"""Leave-one-out predictions in closed form: ridge, kernel ridge and minimum-norm models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overparam.checks import check_range
from overparam.data.tables import check_rows
from overparam.errors import DataError
from overparam.measures.checked_arrays import checked_floats
from overparam.measures.left_out_rows import (
    Spectrum,
    leave_rows_out,
    of_features,
    of_kernel,
)

ILL_CONDITIONED = "without the row the fit is ill-conditioned: rounding would show"


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Predictions for the training rows by the model with all rows, and by those without the row.

    Attributes:
        with_row: f(x_i) of the model trained on all rows, float64 `[n, k]`, in units of the
            targets.
        without_row: f(x_i) of the model trained on all rows but i, float64 `[n, k]`; NaN where it
            cannot be known.
        own_weight: df(x_i)/dy_i, the leverage, float64 `[n]`, in [0, 1].
        unknown: how many rows of `without_row` are NaN, by the reason.
    """

    with_row: np.ndarray
    without_row: np.ndarray
    own_weight: np.ndarray
    unknown: Mapping[str, int]

    @property
    def memorization(self) -> np.ndarray:
        """Prediction with the row minus without it, `[n, k]`, in units of the targets.

        For a target y it points from what the others say of the row towards y: it is
        own_weight (y - without_row) for every linear smoother here. For one-hot targets the column
        of the own label rises with memorization.
        """
        return self.with_row - self.without_row


def leave_one_out_ridge(
    features: object, targets: object, penalty: float, *, fit_intercept: bool = False
) -> LeaveOneOut:
    """Return the leave-one-out predictions of ridge regression, exactly and from one fit.

    y_i - f_without_i(x_i) = (y_i - f(x_i)) / (1 - h_i), h_i = x_i' (X'X + penalty I)^-1 x_i, plus
    1/n with an intercept, which is not penalized.

    Args:
        features: X, `[n, p]`, n >= 2, array or tensor. targets: y, `[n]` or `[n, k]`.
        penalty: > 0, added to the sum of squares (not divided by n): scikit-learn's ``alpha``.
        fit_intercept: features and targets are centred, in every refit anew.

    Returns:
        `LeaveOneOut`. A row is NaN where rounding could be seen in it: where the condition number
        of the problem without the row, at most kappa / sqrt(1 - h_i), is above 1e8.

    Raises:
        DataError: shapes that do not fit, fewer than two rows, NaN or infinity.
        UsageError: a penalty that is not > 0.

    Cost: one singular value decomposition, O(n p min(n, p)), instead of n of them; memory 3 n p.
    Source: Allen 1974 (Technometrics 16, 125); Golub, Heath, Wahba 1979 (Technometrics 21, 215).

    >>> found = leave_one_out_ridge([[1.0], [1.0], [1.0]], [3.0, 0.0, 0.0], penalty=1.0)
    >>> found.without_row[:, 0].round(12).tolist()  # sum of the other targets / (2 + 1)
    [0.0, 1.0, 1.0]
    """
    check_range("penalty", penalty, 0, open_low=True)
    x, y = _checked_problem(features, targets)
    return _leave_out(of_features(x, fit_intercept), y, penalty)


def leave_one_out_minimum_norm(
    features: object, targets: object, *, fit_intercept: bool = False
) -> LeaveOneOut:
    """Return the leave-one-out predictions of minimum-norm least squares (ridgeless regression).

    Where the model interpolates, y_i - f_without_i(x_i) = [G^-1 y]_i / [G^-1]_ii, G = X X' (with
    an intercept: of centred rows, G^-1 becoming the pseudoinverse). Below the threshold and for
    rank-deficient or duplicated rows as the module says.

    Args:
        features: X, `[n, p]`, n >= 2, array or tensor. targets: y, `[n]` or `[n, k]`.
        fit_intercept: features and targets are centred, in every refit anew.

    Returns:
        `LeaveOneOut`, the limit of `leave_one_out_ridge` as the penalty falls to 0. Singular
        values below max(n, p) x 2.2e-16 of the largest count as 0. A row is NaN where rounding
        could be seen in it (see `leave_one_out_ridge`), as near the threshold p = n it may be.

    Raises:
        DataError: shapes that do not fit, fewer than two rows, NaN or infinity.

    Cost: one singular value decomposition, O(n p min(n, p)); memory 3 n p.
    Source: Hastie, Montanari, Rosset, Tibshirani 2022 (arXiv:1903.08560), on cross-validation.

    >>> found = leave_one_out_minimum_norm([[1.0, 0.0], [1.0, 1.0]], [1.0, 3.0])
    >>> found.with_row[:, 0].round(12).tolist(), found.without_row[:, 0].round(12).tolist()
    ([1.0, 3.0], [1.5, 1.0])
    """
    x, y = _checked_problem(features, targets)
    return _leave_out(of_features(x, fit_intercept), y, 0.0)


def leave_one_out_kernel(
    kernel: object, targets: object, penalty: float = 0.0, *, fit_intercept: bool = False
) -> LeaveOneOut:
    """Return the leave-one-out predictions of kernel ridge regression, or of interpolation.

    y_i - f_without_i(x_i) = alpha_i / [(K + penalty I)^-1]_ii, alpha = (K + penalty I)^-1 y.

    Args:
        kernel: K, the Gram matrix of the training rows, symmetric and positive semidefinite,
            `[n, n]`, n >= 2, array or tensor. targets: y, `[n]` or `[n, k]`.
        penalty: >= 0 (scikit-learn's ``alpha``); 0 for minimum-norm interpolation.
        fit_intercept: a constant that is not penalized.

    Returns:
        `LeaveOneOut`. A row is NaN where the condition number of its equations, of K itself and
        not of its root, is above 1e8: smooth kernels need a penalty above 1e-8 of the largest
        eigenvalue. Eigenvalues below n x 2.2e-16 of it count as 0.

    Raises:
        DataError: K is not square, symmetric and positive semidefinite; shapes that do not fit,
            fewer than two rows, NaN or infinity.
        UsageError: a negative penalty.

    Cost: O(n^3), one eigendecomposition; memory 3 n^2.
    Source: Cawley, Talbot 2004 (Neural Networks 17, 1467).

    >>> found = leave_one_out_kernel([[1.0, 0.5], [0.5, 1.0]], [1.0, 3.0])
    >>> found.without_row[:, 0].round(12).tolist()
    [1.5, 0.5]
    """
    check_range("penalty", penalty, 0)
    k, y = _checked_problem(kernel, targets, name="kernel", layout="[n, n]")
    return _leave_out(of_kernel(k, fit_intercept), y, penalty)


def _leave_out(of: Spectrum, y: np.ndarray, penalty: float) -> LeaveOneOut:
    with_row, without_row, leverage = leave_rows_out(of, y, penalty)
    n_unknown = int(np.isnan(without_row).any(1).sum())
    unknown = {ILL_CONDITIONED: n_unknown} if n_unknown else {}
    return LeaveOneOut(with_row, without_row, leverage, unknown)


def _checked_problem(
    rows: object, targets: object, *, name: str = "features", layout: str = "[n, p]"
) -> tuple[np.ndarray, np.ndarray]:
    check_rows(rows, targets, "targets", name)
    x = checked_floats(name, rows, layout, finite=True)
    return x, checked_targets(targets, len(x))


def checked_targets(targets: object, n_rows: int) -> np.ndarray:
    """Return targets `[n]` or `[n, k]` as finite float64 `[n, k]`, for n >= 2 rows.

    Raises:
        DataError: of another number of rows, fewer than two of them, NaN or infinity.

    >>> checked_targets([1, 2], 2).shape
    (2, 1)
    """
    try:
        y = checked_floats("targets", targets, "[n, k]", finite=True)
    except DataError as error:
        if "wrong shape" not in error.what:
            raise
        y = checked_floats("targets", targets, "[n]", finite=True)[:, None]
    if len(y) != n_rows:
        raise DataError("targets are of another number of rows", got=len(y), allowed=n_rows)
    if n_rows < 2:
        raise DataError("to leave one row out takes two", got=n_rows, allowed=">= 2 rows")
    return y
