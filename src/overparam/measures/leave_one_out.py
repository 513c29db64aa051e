"""Leave-one-out predictions in closed form: ridge, kernel ridge and minimum-norm models.

All are limits of one identity. Let M = penalty (K + penalty I)^-1 for the Gram matrix K (with an
intercept: of centred rows, less the projection on the constant). Then the residual of row i by the
model that is trained without it is

    y_i - f_without_i(x_i) = [M y]_i / M_ii.

For penalty -> 0 there are two cases. Where the others span row i (M_ii = 1 - h_i > 0), it is
r_i / (1 - h_i), r the residuals of the fit. Where they do not (h_i = 1: every row of a model that
interpolates by its own dimension), it is [K^+ y]_i / [K^+]_ii. Both hold for rank-deficient K, so
duplicated rows need no care: a duplicate is spanned by its twin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overparam.checks import check_range
from overparam.errors import DataError
from overparam.measures.checked_arrays import checked_floats

CONDITION_LIMIT = 1e8  # of a problem without a row; beyond, its prediction is NaN
ILL_CONDITIONED = "without the row the fit is conditioned worse than 1e8"
_EPSILON = float(np.finfo(np.float64).eps)
_ASYMMETRY = 1e-8  # of a kernel matrix, and its negative eigenvalues, that count as rounding
_AT_ONCE = 512  # rows whose leverage is near 1 that are looked at together


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
    return _leave_out(_of_features(x, fit_intercept), y, penalty)


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
    Source: Hastie, Montanari, Rosset, Tibshirani 2022 (arXiv:1903.08560), section 7.

    >>> found = leave_one_out_minimum_norm([[1.0, 0.0], [1.0, 1.0]], [1.0, 3.0])
    >>> found.with_row[:, 0].round(12).tolist(), found.without_row[:, 0].round(12).tolist()
    ([1.0, 3.0], [1.5, 1.0])
    """
    x, y = _checked_problem(features, targets)
    return _leave_out(_of_features(x, fit_intercept), y, 0.0)


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
    return _leave_out(_of_kernel(k, fit_intercept), y, penalty)


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


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """The fit's design: A = [free, rows] = U diag(singular) V', in units of its largest entry.

    `rows` are the (centred) features, or the (centred) kernel matrix; `free` is fitted without
    penalty: the constant, or nothing. Values of the Gram matrix K are scale x singular^power.
    """

    rows: np.ndarray
    free: np.ndarray
    left: np.ndarray
    singular: np.ndarray
    right: np.ndarray
    scale: float
    power: int


def _checked_problem(
    rows: object, targets: object, *, name: str = "features", layout: str = "[n, p]"
) -> tuple[np.ndarray, np.ndarray]:
    x = checked_floats(name, rows, layout, finite=True)
    return x, checked_targets(targets, len(x))


def _of_features(x: np.ndarray, fit_intercept: bool) -> _Spectrum:
    size = float(np.abs(x).max()) or 1.0  # so that no square overflows
    x, removed = x / size, 0.0
    if fit_intercept:
        mean = x.mean(0)
        removed = float(np.linalg.norm(mean)) * len(x) ** 0.5
        x = x - mean
        x -= x.mean(0)  # what rounding of a large mean has left
    left, s, right = np.linalg.svd(x, full_matrices=False)
    unit = max(float(s[0]), removed) or 1.0
    kept = s > max(x.shape) * _EPSILON * unit
    return _Spectrum(
        x / unit,
        _free(len(x), fit_intercept),
        left[:, kept],
        s[kept] / unit,
        right[kept].T,
        (unit * size) ** 2,
        2,
    )


def _of_kernel(k: np.ndarray, fit_intercept: bool) -> _Spectrum:
    n = len(k)
    if k.shape != (n, n):
        raise DataError("a kernel is a square matrix", got=list(k.shape), allowed="[n, n]")
    size = float(np.abs(k).max()) or 1.0
    k, removed = k / size, 0.0
    if np.abs(k - k.T).max() > _ASYMMETRY:
        raise DataError("a kernel matrix must be symmetric", remedy="use (K + K.T) / 2")
    k = (k + k.T) / 2
    if fit_intercept:
        removed = abs(float(k.sum())) / n
        for _ in range(2):  # the second time for what rounding has left
            k = k - k.mean(0)
            k = k - k.mean(1, keepdims=True)
    d, left = np.linalg.eigh((k + k.T) / 2)
    if d[0] < -_ASYMMETRY * n:
        raise DataError(
            "a kernel matrix must be positive semidefinite",
            got=f"smallest eigenvalue {d[0] * size:.3g}, largest {d[-1] * size:.3g}",
        )
    unit = max(float(d[-1]), removed) or 1.0
    kept = d > n * _EPSILON * unit
    left = left[:, kept]
    return _Spectrum(k / unit, _free(n, fit_intercept), left, d[kept] / unit, left, unit * size, 1)


def _free(n: int, fit_intercept: bool) -> np.ndarray:
    return np.full((n, int(fit_intercept)), n**-0.5)


def _leave_out(of: _Spectrum, y: np.ndarray, penalty: float) -> LeaveOneOut:
    penalty = penalty / of.scale
    values = of.singular**of.power
    smallest = float(values.min()) if len(values) else 1.0
    condition = ((1 + penalty) / (smallest + penalty)) ** (1 / of.power)
    basis = np.hstack([of.free, of.left])
    beyond, alone = _outside(of, basis, condition)

    # M = (projection on what lies outside the basis) + U diag(weights) U'.
    weights = penalty / (values + penalty)
    slack = beyond + of.left**2 @ weights
    outside = y - basis @ (basis.T @ y)
    outside -= basis @ (basis.T @ outside)
    outside[alone] = 0
    coordinates = of.left.T @ y
    residual = outside + of.left @ (weights[:, None] * coordinates)
    without = y - residual / np.where(slack > 0, slack, 1.0)[:, None]
    if penalty == 0 and alone.any():  # the limit of small penalties
        inverse = smallest / values
        rows = of.left[alone]
        left_out = rows @ (inverse[:, None] * coordinates) / (rows**2 @ inverse)[:, None]
        without[alone] = y[alone] - left_out

    # Without a row that others span, the smallest singular value falls by the root of its slack.
    fall = np.where(alone, 1.0, np.sqrt(slack))
    unsure = condition > CONDITION_LIMIT * fall
    without[unsure] = np.nan
    unknown = {ILL_CONDITIONED: int(unsure.sum())} if unsure.any() else {}
    return LeaveOneOut(y - residual, without, 1 - slack, unknown)


def _outside(of: _Spectrum, basis: np.ndarray, condition: float) -> tuple[np.ndarray, np.ndarray]:
    """Return |(I - Q Q') e_i|^2 of every row, and which rows the others do not span (there 0)."""
    n, width = basis.shape
    if width >= n:
        return np.zeros(n), np.ones(n, dtype=bool)
    found = np.maximum(1 - (basis**2).sum(1), 0)
    near = np.flatnonzero(found < 0.1)  # 1 - h has lost its digits
    alone = np.zeros(n, dtype=bool)
    for some in np.array_split(near, len(near) // _AT_ONCE + 1):
        units = np.zeros((n, len(some)))
        units[some, np.arange(len(some))] = 1
        rest = units - basis @ basis[some].T
        rest -= basis @ (basis.T @ rest)
        found[some] = (rest**2).sum(0)
        alone[some] = _nothing_else_spans(of, units)
    # What passes here by chance of rounding alone is refused where it is used.
    alone &= found <= (10 * n**0.5 * _EPSILON * condition) ** 2
    found[alone] = 0
    return found, alone


def _nothing_else_spans(of: _Spectrum, units: np.ndarray) -> np.ndarray:
    """Return for every e_i whether some direction v is seen by row i alone, A v = e_i.

    |A v - e_i| / |v| bounds the smallest singular value that A keeps without row i. It is 0 to
    working precision, and not merely to that of A's pseudoinverse, after a step of refinement.
    """
    free = of.free.T @ units
    inner = of.right @ ((of.left.T @ units) / of.singular[:, None])
    missing = units - of.free @ free - of.rows @ inner
    free += of.free.T @ missing
    inner += of.right @ ((of.left.T @ missing) / of.singular[:, None])
    missing = units - of.free @ free - of.rows @ inner
    length = np.sqrt((free**2).sum(0) + (inner**2).sum(0))
    return np.linalg.norm(missing, axis=0) <= 8 * max(of.rows.shape) * _EPSILON * length
