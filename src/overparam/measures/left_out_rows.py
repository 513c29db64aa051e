"""The identity behind `leave_one_out`: residuals of left-out rows from one factorization.

Let M = penalty (K + penalty I)^-1 for the Gram matrix K (with an intercept: of centred rows, and
less the projection on the constant). Then the residual of row i by the model without it is

    y_i - f_without_i(x_i) = [M y]_i / M_ii.

For penalty -> 0 there are two cases. Where the others span row i (M_ii = 1 - h_i > 0), it is
r_i / (1 - h_i), r the residuals of the fit. Where they do not (h_i = 1: every row of a model that
interpolates independent rows), it is [K^+ y]_i / [K^+]_ii. Both hold for rank-deficient K, so
duplicated rows need no care: a row is spanned by its twin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.errors import DataError

CONDITION_LIMIT = 1e8  # of a problem without a row; beyond, its prediction is NaN
LARGEST_ERROR = 1e-6  # of a prediction, of its own or the targets' size; beyond, it is NaN
_EPSILON = float(np.finfo(np.float64).eps)
_ASYMMETRY = 1e-8  # of a kernel matrix, and its negative eigenvalues, that count as rounding
_AT_ONCE = 512  # rows whose leverage is near 1 that are looked at together


@dataclass(frozen=True, eq=False)
class Spectrum:
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


def of_features(x: np.ndarray, fit_intercept: bool) -> Spectrum:
    """Return the spectrum of features `[n, p]`, centred where there is an intercept.

    >>> of_features(np.eye(2), fit_intercept=False).singular.tolist()
    [1.0, 1.0]
    """
    size = float(np.abs(x).max()) or 1.0  # so that no square overflows
    x, removed = x / size, 0.0
    if fit_intercept:
        mean = x.mean(0)
        removed = float(np.linalg.norm(mean)) * len(x) ** 0.5
        x = x - mean
        x -= x.mean(0)  # what rounding of a large mean has left
    left, s, right = np.linalg.svd(x, full_matrices=False)
    left = _orthogonal_to_constant(left) if fit_intercept else left
    unit = max(float(s[0]), removed) or 1.0
    kept = s > max(x.shape) * _EPSILON * unit
    return Spectrum(
        x / unit,
        _free(len(x), fit_intercept),
        left[:, kept],
        s[kept] / unit,
        right[kept].T,
        (unit * size) ** 2,
        2,
    )


def of_kernel(k: np.ndarray, fit_intercept: bool) -> Spectrum:
    """Return the spectrum of a kernel matrix `[n, n]`, centred where there is an intercept.

    Raises:
        DataError: not square, symmetric and positive semidefinite.

    >>> of_kernel(np.eye(2), fit_intercept=False).power
    1
    """
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
    left = _orthogonal_to_constant(left[:, kept]) if fit_intercept else left[:, kept]
    return Spectrum(k / unit, _free(n, fit_intercept), left, d[kept] / unit, left, unit * size, 1)


def _orthogonal_to_constant(left: np.ndarray) -> np.ndarray:
    # Directions of small singular values lean towards the constant by rounding of the large ones.
    return left - left.mean(0)


def _free(n: int, fit_intercept: bool) -> np.ndarray:
    return np.full((n, int(fit_intercept)), n**-0.5)


def leave_rows_out(
    of: Spectrum, y: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the fit says of each row with it `[n, k]` and without it, and the leverages.

    Where rounding could be seen in a prediction without the row, it is NaN.

    >>> of = of_features(np.ones((3, 1)), fit_intercept=False)
    >>> leave_rows_out(of, np.array([[0.0], [3.0], [6.0]]), 0.0)[1].round(12).tolist()
    [[4.5], [3.0], [1.5]]
    """
    penalty = penalty / of.scale
    values = of.singular**of.power
    smallest = float(values.min()) if len(values) else 1.0
    basis = np.hstack([of.free, of.left])
    if of.power == 1 and penalty > 0 and basis.shape[1] < len(y):
        smallest = 0.0  # eigenvalues that count as 0 are rounding, which must vanish in the penalty
    condition = ((1 + penalty) / (smallest + penalty)) ** (1 / of.power)
    beyond, alone = _outside(of, basis, condition)

    outside = y - basis @ (basis.T @ y)
    outside -= basis @ (basis.T @ outside)
    outside[alone] = 0
    inverse = 1 / (values + penalty)
    missed, error = _missed(of, y, penalty * inverse, inverse, outside, beyond)
    if penalty == 0 and alone.any():  # both fall to 0 with the penalty; their ratio does not
        of_alone = _missed(of, y, inverse, inverse, np.zeros_like(y), np.zeros(len(y)))
        missed[alone], error[alone] = (of_all[alone] for of_all in of_alone)

    size = np.maximum(np.sqrt((y**2).mean(0)), np.abs(missed))
    sure = error <= LARGEST_ERROR * size
    # Without a row that others span, the smallest singular value falls by the root of its slack.
    slack = beyond + penalty * (of.left**2 @ inverse)
    sure &= (condition <= CONDITION_LIMIT * np.where(alone, 1.0, np.sqrt(slack)))[:, None]
    fitted = y - outside - penalty * (of.left @ (inverse[:, None] * (of.left.T @ y)))
    return fitted, np.where(sure, y - missed, np.nan), 1 - slack


def _missed(
    of: Spectrum,
    y: np.ndarray,
    weights: np.ndarray,
    inverse: np.ndarray,
    outside: np.ndarray,
    beyond: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return [M y]_i / M_ii, `[n, k]`, for M = (I - Q Q') + U diag(weights) U', and its error.

    The error is that of first-order perturbation theory, if the rows of the design are known to
    2.2e-16 of its largest singular value.
    """
    coordinates, squares = of.left.T @ y, of.left**2
    above = outside + of.left @ (weights[:, None] * coordinates)
    below = (beyond + squares @ weights)[:, None]
    below[below <= 0] = np.nan
    root = of.singular ** (of.power - 1)
    along = np.sqrt(squares @ (root * inverse) ** 2)[:, None]
    across = np.sqrt(beyond + squares @ weights**2)[:, None]
    solution = np.linalg.norm((root * inverse)[:, None] * coordinates, axis=0)
    moved = (
        along * np.linalg.norm(above, axis=0)
        + across * solution
        + 2 * along * across * np.abs(above / below)
    )
    return above / below, len(y) ** 0.5 * _EPSILON * moved / below


def _outside(of: Spectrum, basis: np.ndarray, condition: float) -> tuple[np.ndarray, np.ndarray]:
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
    alone &= found <= (10 * n**0.5 * _EPSILON * condition) ** 2
    found[alone] = 0
    return found, alone


def _nothing_else_spans(of: Spectrum, units: np.ndarray) -> np.ndarray:
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
    return np.linalg.norm(missing, axis=0) <= max(of.rows.shape) * _EPSILON * length
