"""The map that one linear layer becomes when gradient descent teaches it to return its inputs.

A layer f(x) = W x starts at W0 and learns A x on m training inputs (A = 1: the identity). The
gradient is a sum of outer products with training inputs, so W changes on their span alone: with P
the projection on the span, f(x) = A P x + W0 (1 - P) x. What an input shares with the training
inputs comes out right, the rest goes through the random start. A convolution is the same layer on
patches, of which a single image has hundreds. Source: Zhang, Bengio, Hardt, Mozer, Singer 2020,
"Identity Crisis" (arXiv:1902.04698), theorems 1 and 2; the course before the limit, the moments
and the convolution's exact error follow from the same sum and are derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from overparam.checks import check_count, check_range
from overparam.errors import UsageError


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation over random starts W0, in squared units of the input."""

    mean: Any
    std: Any


def learned_map(
    start: ArrayLike,
    training: ArrayLike,
    inputs: ArrayLike,
    *,
    target: ArrayLike | None = None,
    remaining: ArrayLike | None = None,
) -> np.ndarray:
    """Return what the layer makes of inputs after training, f(x) = A P x + W0 (1 - P) x.

    Before the limit, a share s_j of the initial error is left along the j-th principal direction
    v_j of the training inputs: f(x) = W0 x + sum_j (1 - s_j) <v_j, x> (A - W0) v_j.

    Args:
        start: W0 `[k, d]`. training: `[m, d]`, m >= 1. inputs: `[n, d]`.
        target: A `[k, d]`; None is the identity, k = d.
        remaining: s_j in the order of `principal_directions`, as `remaining_error` gives them;
            None is the limit, 0 each.

    Returns:
        Outputs `[n, k]`, float64.

    Raises:
        UsageError: shapes that do not fit, or a value that is not finite.

    Cost: a singular value decomposition of `[m, d]`, and products of `[n, d]` with `[d, k]`.

    >>> learned_map([[5.0, 6.0], [7.0, 8.0]], [[2.0, 0.0]], [[3.0, 0.0], [1.0, 1.0]]).tolist()
    [[3.0, 0.0], [7.0, 8.0]]
    """
    w, x = _matrix("start", start), _matrix("inputs", inputs)
    t = _matrix("training", training)
    a = np.eye(w.shape[1]) if target is None else _matrix("target", target)
    _, directions = principal_directions(t)
    s = np.zeros(len(directions)) if remaining is None else np.asarray(remaining, np.float64)
    shapes = (a.shape, x.shape[1], t.shape[1], s.shape)
    if shapes != (w.shape, w.shape[1], w.shape[1], (len(directions),)):
        raise UsageError(
            "start, training, inputs, target and remaining do not fit together",
            got=f"{w.shape}, {t.shape}, {x.shape}, {a.shape} and {s.shape}",
            allowed="[k, d], [m, d], [n, d], [k, d] and one share for each of the "
            f"{len(directions)} directions that the training inputs span",
        )
    along = (x @ directions.T) * (1 - s)
    return x @ w.T + along @ (directions @ (a - w).T)


def principal_directions(training: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the energies and the directions that the training inputs span.

    Args:
        training: `[m, d]`, rows x_i.

    Returns:
        Energies sum_i <v_j, x_i>^2 `[r]`, falling, and orthonormal v_j `[r, d]`; r is the rank,
        counted with NumPy's tolerance max(m, d) eps sigma_1.

    Raises:
        UsageError: not a matrix, or a value that is not finite.

    >>> energies, directions = principal_directions([[3.0, 4.0], [6.0, 8.0]])
    >>> energies.round(9).tolist(), abs(directions).round(9).tolist()
    ([125.0], [[0.6, 0.8]])
    """
    t = _matrix("training", training)
    _, values, directions = np.linalg.svd(t, full_matrices=False)
    rank = int((values > max(t.shape) * np.finfo(np.float64).eps * values[0]).sum())
    return values[:rank] ** 2, directions[:rank]


def off_span(training: ArrayLike, inputs: ArrayLike) -> np.ndarray:
    """Return (1 - P) x, the part of inputs `[n, d]` orthogonal to all training inputs `[m, d]`.

    Raises:
        UsageError: not matrices of one width, or a value that is not finite.

    >>> off_span([[2.0, 0.0]], [[3.0, 4.0]]).tolist()
    [[0.0, 4.0]]
    """
    _, directions = principal_directions(training)
    x = _matrix("inputs", inputs)
    if x.shape[1] != directions.shape[1]:
        raise UsageError(
            "training and inputs differ in width", got=f"{directions.shape[1]} and {x.shape[1]}"
        )
    return x - (x @ directions.T) @ directions


def remaining_error(
    energies: ArrayLike,
    n_steps: int,
    learning_rate: float,
    *,
    momentum: float = 0.0,
    n_examples: int = 1,
) -> np.ndarray:
    """Return the share of the initial error that gradient descent has left, by direction.

    The loss is the squared error, summed over outputs and averaged over `n_examples`. Along a
    direction of energy e the error obeys v <- mu v + (2 e / n) s, s <- s - eta v from s = 1, v = 0;
    without momentum s = (1 - 2 eta e / n)^steps. It falls to 0 for eta < (1 + mu) n / e.

    Args:
        energies: e_j >= 0 `[r]`, as `principal_directions` gives them.
        n_examples: rows that the loss averages over; for a convolution, images, not patches.

    Returns:
        `[r]`, signed.

    Raises:
        UsageError: an argument out of range.

    Cost: O(r steps).

    >>> remaining_error([1.0, 0.5], n_steps=2, learning_rate=0.25).tolist()
    [0.25, 0.5625]
    """
    check_count("n_steps", n_steps, low=0)
    check_range("learning_rate", learning_rate, 0, open_low=True)
    check_range("momentum", momentum, 0, 1, open_high=True)
    e = np.asarray(energies, np.float64)
    if not (e >= 0).all():
        raise UsageError("energies must be >= 0", got=energies, allowed=">= 0")
    curvature = 2 * e / check_count("n_examples", n_examples)
    share, speed = np.ones_like(e), np.zeros_like(e)
    for _ in range(n_steps):
        speed = momentum * speed + curvature * share
        share = share - learning_rate * speed
    return share


def expected_error(
    perpendicular: ArrayLike, half_width: float, target: ArrayLike | None = None
) -> Moments:
    """Return the moments over W0 of the squared error |f(x) - A x|^2 of the trained layer.

    With u = (1 - P) x and W0 `[k, d]` of independent entries uniform in [-h, h] (variance
    v = h^2 / 3, fourth cumulant c = -2 h^4 / 15), the error is |(W0 - A) u|^2:
    mean k v |u|^2 + |A u|^2, variance k (2 v^2 |u|^4 + c sum_i u_i^4) + 4 v |u|^2 |A u|^2.

    For the identity the mean is |u|^2 (1 + v d). PyTorch's h = 1 / sqrt(d) makes it 4/3 |u|^2
    whatever the dimension; h = 0, a start at zero, |u|^2 without any spread. After one training
    input t, |u|^2 = |x|^2 (1 - cos^2), cos = <x, t> / |x| |t|: the error rises as the input's
    similarity to t falls.

    Args:
        perpendicular: u `[n, d]`, as `off_span` gives it. half_width: h >= 0.
        target: A `[k, d]`; None is the identity.

    Returns:
        Mean and standard deviation, `[n]` each.

    Raises:
        UsageError: not matrices of finite values that fit, or a negative half-width.

    >>> moments = expected_error([[0.0, 3.0]], half_width=0.5**0.5)
    >>> moments.mean.round(9).tolist(), expected_error([[0.0, 3.0]], 0.0).std.tolist()
    ([12.0], [0.0])
    """
    u = _matrix("perpendicular", perpendicular)
    a = np.eye(u.shape[1]) if target is None else _matrix("target", target)
    if a.shape[1] != u.shape[1]:
        raise UsageError(
            "perpendicular and target differ in width", got=f"{u.shape[1]} and {a.shape[1]}"
        )
    h, k = check_range("half_width", half_width, 0), len(a)
    v, fourth = h**2 / 3, -2 * h**4 / 15
    energy, wanted = (u**2).sum(1), ((u @ a.T) ** 2).sum(1)
    variance = k * (2 * v**2 * energy**2 + fourth * (u**4).sum(1)) + 4 * v * energy * wanted
    return Moments(k * v * energy + wanted, np.sqrt(variance))


def image_patches(images: ArrayLike, kernel_size: int) -> np.ndarray:
    """Return what a same-padded convolution sees at every pixel: all patches of all images.

    Args:
        images: `[m, channels, height, width]`; zeros beyond the border. kernel_size: odd k >= 1.

    Returns:
        `[m * height * width, channels * k * k]`, pixels row by row, entries in the order of a
        flattened PyTorch kernel.

    Raises:
        UsageError: not four axes, or an even kernel size.

    >>> image_patches([[[[1.0, 2.0]]]], 3).tolist()
    [[0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0]]
    """
    x, k = np.asarray(images, np.float64), check_count("kernel_size", kernel_size)
    if x.ndim != 4 or k % 2 == 0:
        raise UsageError(
            "patches need images and an odd kernel",
            got=f"{x.ndim} axes and kernel size {k}",
            allowed="[m, channels, height, width] and 1, 3, 5, ...",
        )
    around = [(0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, around), (k, k), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(-1, x.shape[1] * k * k)


def patch_rank(images: ArrayLike, kernel_size: int) -> int:
    """Return the dimension r of what the patches of images span, at most channels * k^2.

    Where it is channels * k^2, gradient descent on these images makes a one-layer convolution the
    identity exactly, from any start: the complement of the span is empty. Where it is less, the
    error on a patch q is ((w0 - centre) (1 - P) q)^2.

    Args:
        images: `[m, channels, height, width]`. kernel_size: odd k >= 1.

    Raises:
        UsageError: as `image_patches`.

    Cost: a singular value decomposition of `[pixels, channels * k^2]`.
    Differs: the paper bounds the error, O(m (m/C - r) / C) up to logarithms, with m parameters
    and C channels; here it is exact, from `learned_map`.

    >>> patch_rank([[[[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]], 3)
    9
    """
    return len(principal_directions(image_patches(images, kernel_size))[0])


def _matrix(name: str, value: ArrayLike) -> np.ndarray:
    matrix = np.asarray(value, np.float64)
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
        raise UsageError(
            f"{name} must be a matrix of finite numbers",
            got=f"shape {matrix.shape}",
            allowed="two axes, none of length 0, no NaN",
        )
    return matrix
