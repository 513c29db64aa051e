"""What linear and one-layer autoencoders learn by gradient descent, in closed form.

X is `[n, d]`, one training example a row; matrices act on columns, so that f(x) = A x.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from overparam.checks import check_count, check_range
from overparam.errors import DataError, UsageError


def span_projection(examples: ArrayLike) -> np.ndarray:
    """Return what the linear autoencoder learns from zero: the projection on the training span.

    A = X^T (X^T)^+, in the papers' columns A = X X^+. It is the interpolating matrix of the
    smallest norm, and the limit of gradient descent on sum_i |A x_i - x_i|^2 from A = 0. Its
    eigenvalues are 1 (rank X of them) and 0. So every training example is a fixed point, but
    none is an attractor: everything in the span is a fixed point too, and what is put in is
    projected once and then stays.

    Args:
        examples: `[n, d]`, finite, n >= 1.

    Returns:
        `[d, d]`, symmetric, float64.

    Raises:
        DataError: not a matrix of finite numbers.

    Cost: O(n d min(n, d) + d^2 min(n, d)).
    Source: Radhakrishnan et al. 2019 (arXiv:1810.10333).

    >>> span_projection([[3.0, 4.0]]).round(12).tolist()
    [[0.36, 0.48], [0.48, 0.64]]
    """
    _, basis = _span(_matrix("examples", examples))
    return basis.T @ basis


def linear_autoencoder(
    examples: ArrayLike, n_steps: int, learning_rate: float, start: ArrayLike | None = None
) -> np.ndarray:
    """Return the linear autoencoder after `n_steps` steps of gradient descent.

    A_t = I + (A_0 - I)(I - eta S)^t with S = (2 / n) sum_i x_i x_i^T, for the mean over examples
    of |A x - x|^2. For t -> infinity A = P + A_0 (I - P), P = `span_projection`: off the span,
    the start stays for ever, and is left as it is however large t.

    Args:
        examples: `[n, d]`. n_steps: t >= 0. learning_rate: eta > 0; converges for
            eta < 2 / lambda_max(S).
        start: A_0 `[d, d]`; zero by default.

    Returns:
        `[d, d]`, float64.

    Raises:
        DataError: not matrices of finite numbers, or shapes that do not fit.
        UsageError: n_steps or learning_rate out of range, or so many diverging steps that the
            result is no number.

    Cost: as `span_projection`, whatever t. Source: Radhakrishnan et al. 2019 (arXiv:1810.10333) for
    the limit from zero; Zhang, Bengio, Hardt, Mozer, Singer 2020 (arXiv:1902.04698) for that from
    A_0.

    >>> linear_autoencoder([[1.0, 0.0]], n_steps=2, learning_rate=0.25).tolist()
    [[0.75, 0.0], [0.0, 0.0]]
    """
    check_count("n_steps", n_steps, low=0)
    check_range("learning_rate", learning_rate, 0, open_low=True)
    x = _matrix("examples", examples)
    d = x.shape[1]
    begin = np.zeros((d, d)) if start is None else _matrix("start", start)
    if begin.shape != (d, d):
        raise DataError("start does not fit the examples", got=list(begin.shape), allowed=[d, d])
    values, basis = _span(x)
    step = learning_rate * 2 * values**2 / len(x)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        decay = n_steps * np.where(step < 1, np.log1p(-step), np.log(step - 1)) if n_steps else 0.0
        sign = np.where((step > 1) & (n_steps % 2 == 1), -1.0, 1.0)
        done = np.where(sign > 0, -np.expm1(decay), 1 + np.exp(decay))
        found = begin + ((np.eye(d) - begin) @ basis.T * done) @ basis
    if not np.isfinite(found).all():
        raise UsageError(
            "gradient descent has diverged beyond all numbers",
            got=f"learning_rate {learning_rate:g} and n_steps {n_steps}",
            allowed=f"learning_rate < {2 * learning_rate / step.max():.4g}, or fewer steps",
        )
    return found


def one_layer_autoencoder(
    examples: ArrayLike, inverse: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return the weights of x -> phi(A x) that gradient descent from zero converges to.

    A = phi^-1(X)^T (X^T)^+. From zero the rows of A stay in the span of the examples, and there
    one A interpolates. So f(x) = phi(sum_i c_i phi^-1(x_i)): what leaves the network lies in the
    image under phi of the span of the phi^-1(x_i), a non-linear span of the training examples.

    Args:
        examples: `[n, d]`, linearly independent, with entries in the open range of phi.
        inverse: phi^-1, entry by entry; phi strictly increasing. The identity gives
            `span_projection`.

    Returns:
        `[d, d]`, float64.

    Raises:
        DataError: not a matrix of finite numbers, examples that are linearly dependent (then
            no A may interpolate), or outside the range of phi.

    Cost: as `span_projection`. Source: Radhakrishnan et al. 2019 (arXiv:1810.10333).

    >>> one_layer_autoencoder([[0.5, 0.0]], np.arctanh).round(4).tolist()
    [[1.0986, 0.0], [0.0, 0.0]]
    """
    x = _matrix("examples", examples)
    rank = len(_span(x)[0])
    if rank < len(x):
        raise DataError("the examples are linearly dependent", got=f"rank {rank} of {len(x)}")
    with np.errstate(all="ignore"):
        before = np.asarray(inverse(x), float)
    if before.shape != x.shape or not np.isfinite(before).all():
        raise DataError(
            "the activation cannot put out these examples",
            got=f"entries in [{x.min():g}, {x.max():g}]",
            remedy="scale them into the open range of the activation",
        )
    return before.T @ np.linalg.pinv(x).T


def _matrix(name: str, values: ArrayLike) -> np.ndarray:
    matrix = np.asarray(values, float)
    if matrix.ndim != 2 or matrix.size == 0 or not np.isfinite(matrix).all():
        raise DataError(
            f"{name} must be a matrix of finite numbers, one row at least",
            got=list(matrix.shape),
        )
    return matrix


def _span(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular values, and orthonormal rows that span the rows of x, to rounding."""
    _, values, basis = np.linalg.svd(x, full_matrices=False)
    some = values > values[0] * max(x.shape) * np.finfo(float).eps
    return values[some], basis[some]
